"""What people are told about a name, by what the client calls itself now and not by what its app was first seen as."""

from __future__ import annotations

import pytest

from authserver.models import App
from tests.harness.approval import make_client
from tests.unit.app_registry.conftest import decided
from tests.unit.authorize.conftest import Door

pytestmark = pytest.mark.django_db

WARNING = 'class="note bad stack"'
HOST = "https://publisher.example"


def joins(door: Door, name: str, **columns: str) -> str:
    """The consent page's words about one more client of the app that the door's client belongs to."""
    columns = {"registration_source": "dcr", "redirect_uris": door.client.redirect_uris, **columns}
    client = make_client(name=name, **columns)
    assert client.app_id == door.client.app_id
    page: str = door.ask(client_id=client.client_id, redirect_uri=client.redirect_uris).content.decode()
    return page


@pytest.fixture
def publisher(door: Door, monkeypatch: pytest.MonkeyPatch) -> Door:
    """The door's client has a metadata document."""
    monkeypatch.setattr("authserver.cimd.resolver._is_fresh", lambda row, now: True)
    door.client = make_client(f"{HOST}/first.json", name="Harmless", registration_source="cimd")
    return door


def test_an_aside_that_an_installation_added_is_looked_at(door: Door) -> None:
    assert WARNING not in door.ask().content.decode()
    assert WARNING in joins(door, "Claude Code (official)")


def test_the_approval_of_an_app_does_not_cover_it_either(door: Door) -> None:
    decided("approved")
    assert WARNING in joins(door, "Claude Code (verified by your bank)")
    assert WARNING not in joins(door, "Claude Code (atlassian)")


def test_a_second_document_of_a_publisher_is_looked_at(publisher: Door) -> None:
    make_client(name="Claude", registration_source="manual")
    page = joins(publisher, "Cl\u0430ude", client_id=f"{HOST}/second.json", registration_source="cimd")
    assert "This is not <bdi>Claude</bdi>." in page


def test_only_the_very_name_that_was_verified_stands_without_quotation_marks(door: Door) -> None:
    uri = "https://app.example/cb"
    door.client = make_client(name="Foo", registration_source="dcr", redirect_uris=uri)
    App.objects.filter(pk=door.client.app_id).update(state="verified")
    assert "<h1><bdi>Foo</bdi> wants" in joins(door, "Foo")
    assert "<h1>“<bdi>Foo (call 555-0100)</bdi>” wants" in joins(door, "Foo (call 555-0100)")
