"""What a read costs: statements, and each provider no more than its own time."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, Credential
from tests.fakes.oauth2 import CLIENT_ID, CLIENT_SECRET, FakeOAuth2, Grant
from tests.fakes.server import Reply, Seen
from tests.unit.api.conftest import Held, canary
from upstream.models import Provider
from upstream.providers import set_client_secret


class Asked(FakeOAuth2):
    """Says when it has been asked."""

    def __init__(self) -> None:
        super().__init__()
        self.was_asked = Event()

    def answer(self, seen: Seen) -> Reply:
        self.was_asked.set()
        return super().answer(seen)


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize("upstreams", [1, 5])
def test_reading_a_session_is_four_statements_however_many_upstreams_it_has(held: Held, upstreams: int) -> None:
    for number in range(upstreams):
        held.connect(f"up-{number}")
    held.get()  # whatever is read once a process
    with CaptureQueriesContext(connection) as captured:
        assert len(held.get().json()["upstream_tokens"]) == upstreams
    assert len(captured) == 4, [query["sql"] for query in captured]


@pytest.mark.postgres
@pytest.mark.django_db
def test_reading_one_costs_no_more(held: Held) -> None:
    held.connect("github")
    held.get("github")
    with CaptureQueriesContext(connection) as captured:
        assert held.get("github").status_code == 200
    assert len(captured) == 4, [query["sql"] for query in captured]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_what_is_due_is_refreshed_side_by_side_and_a_hanging_provider_delays_no_other(held: Held) -> None:
    """The first one hangs until the second has been asked: one after the other, neither would ever answer."""
    with FakeOAuth2() as hanging, Asked() as good, FakeOAuth2() as down:
        for name, fake in {"hanging": hanging, "good": good, "down": down}.items():
            provider = held.connect(name, refresh_token=refresh_token(fake), expires_at=timezone.now() - timedelta(1))
            place(provider, fake)
        held.connect("fresh")
        hanging.faults.append(Reply(503, delay=good.was_asked))
        down.faults.append(Reply(500))
        found = {item["upstream"]: item for item in held.get().json()["upstream_tokens"]}
    assert good.was_asked.is_set()
    assert found["fresh"]["access_token"] == canary("fresh")
    assert found["good"]["access_token"].startswith("CANARY-AT-")
    for name in ("hanging", "down"):
        assert found[name]["state"] == "temporarily_unavailable"
        assert found[name]["retry_after"] >= 1
    assert not Credential.objects.filter(lease_until__isnull=False).exists()
    assert AuditEvent.objects.filter(event="vault.release").values("request_id").distinct().count() == 1


def refresh_token(fake: FakeOAuth2) -> str:
    token: str = fake.issue(Grant(["read"]), refresh=True)["refresh_token"]
    return token


def place(provider: Provider, fake: FakeOAuth2) -> None:
    """Make the row mean this fake."""
    provider.client_id, provider.allow_private_network = CLIENT_ID, True
    provider.token_endpoint = fake.url + fake.token_path
    provider.authorization_endpoint = fake.url + fake.authorize_path
    set_client_secret(provider, CLIENT_SECRET, "value")
    provider.save()
