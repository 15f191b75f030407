"""An approval is for what the page said: what a client changes while somebody reads it is shown anew."""

from __future__ import annotations

import pytest

from authserver.models import Client, Grant, PendingAuthorization, Resource
from tests.harness.registration import manage, registered
from tests.unit.authorize.answers import sent_to
from tests.unit.authorize.conftest import Door

pytestmark = pytest.mark.django_db

GOOD, OTHER = "https://good.example/cb", "https://other.example/cb"


@pytest.mark.parametrize("named", [GOOD, None], ids=["redirect_uri sent", "redirect_uri left out"])
def test_a_redirect_uri_that_was_swapped_gets_nothing(door: Door, named: str | None) -> None:
    given = registered(client_name="Harmless", redirect_uris=[GOOD])
    door.sign_in()
    page = door.ask(client_id=given["client_id"], redirect_uri=named)
    assert "good.example" in page.content.decode()
    body = {"client_id": given["client_id"], "client_name": "Harmless", "redirect_uris": [OTHER]}
    assert manage("PUT", given, body).status_code == 200
    answer = door.answer(page)
    assert "code=" not in answer.content.decode()
    assert not Grant.objects.exists()


def test_another_name_is_shown_before_anything_is_approved(door: Door) -> None:
    given = registered(client_name="Harmless", redirect_uris=[GOOD])
    door.sign_in()
    page = door.ask(client_id=given["client_id"], redirect_uri=GOOD)
    body = {"client_id": given["client_id"], "client_name": "Another", "redirect_uris": [GOOD]}
    assert manage("PUT", given, body).status_code == 200
    again = door.answer(page)
    assert "Another" in again.content.decode()
    assert not PendingAuthorization.objects.exists()
    assert sent_to(door.answer(again))[0] == GOOD


def test_scopes_that_a_resource_has_got_since_are_shown_before_they_are_approved(door: Door) -> None:
    door.sign_in()
    page = door.ask()
    Resource.objects.update(scopes={"mcp:tools": "use its tools", "mcp:delete": "delete everything"})
    again = door.answer(page)
    assert "delete everything" in again.content.decode()
    assert "code" in sent_to(door.answer(again))[1]


def test_where_the_answer_goes_is_settled_by_the_approval(door: Door) -> None:
    """The person is at the provider when the only registered redirect URI becomes another."""
    Client.objects.update(redirect_uris=GOOD)
    door.answer(door.ask(redirect_uri=None))
    pending = PendingAuthorization.objects.get()
    Client.objects.update(redirect_uris=OTHER)
    door.sign_in()
    answer = door.http.get(f"/oauth/authorize/continue/{pending.pk}")
    assert answer.status_code == 400
    assert not Grant.objects.exists()
