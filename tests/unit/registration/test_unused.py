"""Registrations that nobody uses go, and nothing that somebody uses does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, TokenSession
from authserver import app_merging, app_registry
from authserver.models import App, Client, Consent, PendingAuthorization
from authserver.registration.unused import LIKE_KEPT, remove_unused
from tests.fakes.oauth2 import FakeOAuth2
from tests.harness.approval import approve, make_client, make_resource, make_user
from tests.harness.registration import REDIRECT_URI, registered, send
from tests.unit.authorize.sitting import new_sitting, upstream

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

NOW = timezone.now()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def ago(client_id: str, **columns: timedelta) -> None:
    """Set moments of the client's row: `created=3 * DAY` is three days ago."""
    Client.objects.filter(client_id=client_id).update(**{name: NOW - since for name, since in columns.items()})


def left() -> set[str]:
    return set(Client.objects.values_list("client_id", flat=True))


def test_one_that_nobody_approved_goes_after_a_week() -> None:
    old, young = registered(client_name="a")["client_id"], registered(client_name="b")["client_id"]
    ago(old, created=7 * DAY)
    ago(young, created=7 * DAY - timedelta(minutes=1))
    assert remove_unused(now=NOW, limit=10) == {"removed": 1}
    assert left() == {young}
    event = AuditEvent.objects.get(event="client.deleted")
    assert (event.client_id, event.reason, event.actor) == (old, "never_used", "maintenance")
    assert remove_unused(now=NOW, limit=10) == {}


def test_one_whose_consent_page_is_open_stays() -> None:
    client_id = registered()["client_id"]
    ago(client_id, created=30 * DAY)
    pending = PendingAuthorization.objects.create(
        browser_hash="", client=Client.objects.get(), resource=make_resource(), parameters={}, approved_at=NOW,
        expires_at=NOW + timedelta(minutes=1),
    )  # fmt: skip
    assert remove_unused(now=NOW, limit=10) == {}
    PendingAuthorization.objects.filter(pk=pending.pk).update(expires_at=NOW)
    assert remove_unused(now=NOW, limit=10) == {"removed": 1}


def test_approving_one_is_noted() -> None:
    sitting = new_sitting()
    assert sitting.client.registration_source == Client.RegistrationSource.MANUAL
    Client.objects.update(registration_source="dcr")
    App.objects.update(last_seen_at=NOW - DAY)
    sitting.client.refresh_from_db()
    with FakeOAuth2() as fake:
        upstream(sitting.resource, fake, "code", "repo", sign_in=True)
        sitting.whole()
    noted = Client.objects.get().last_used_at
    assert noted is not None
    assert timezone.now() - noted < timedelta(minutes=1)
    assert App.objects.get().last_seen_at == noted


def used(client_id: str, since: timedelta) -> Client:
    client: Client = make_client(client_id, registration_source="dcr")
    ago(client_id, created=400 * DAY, last_used_at=since)
    return client


def test_one_that_was_used_goes_after_90_days_without_a_session() -> None:
    used("old", 90 * DAY)
    used("young", 90 * DAY - timedelta(minutes=1))
    approve(client=used("open", 200 * DAY))
    closed = approve(client=used("closed", 200 * DAY), resource=make_resource("https://other.example/mcp"))
    TokenSession.objects.filter(tsid=closed.tsid).update(closed_at=NOW)
    assert remove_unused(now=NOW, limit=10) == {"removed": 2}
    assert left() == {"young", "open"}
    assert set(AuditEvent.objects.filter(event="client.deleted").values_list("reason", flat=True)) == {"unused"}


@pytest.mark.parametrize(
    "columns",
    [{"registration_source": "manual"}, {"registration_source": "cimd"}, {"disabled_at": NOW}],
    ids=["static", "by document", "disabled"],
)
def test_what_is_an_operators_word_stays(columns: dict[str, Any]) -> None:
    used("kept", 400 * DAY)
    Client.objects.update(**columns)
    assert remove_unused(now=NOW, limit=10) == {}


def test_no_more_than_the_limit_the_oldest_first() -> None:
    clients = [registered(client_name=name)["client_id"] for name in "abc"]
    for age, client_id in enumerate(clients):
        ago(client_id, created=(10 + age) * DAY)
    assert remove_unused(now=NOW, limit=2) == {"removed": 2}
    assert left() == {clients[0]}


def test_the_same_registration_from_the_same_place_does_not_pile_up() -> None:
    """As a client does that forgets its registration, and listens on another port each time."""
    clients = [register_at(f"http://127.0.0.1:{5000 + number}/callback") for number in range(LIKE_KEPT + 5)]
    for age, client_id in enumerate(clients):
        ago(client_id, created=(2 + age) * HOUR)
    assert remove_unused(now=NOW, limit=3) == {"removed": 3}
    assert remove_unused(now=NOW, limit=100) == {"removed": 2}
    assert left() == set(clients[:LIKE_KEPT])
    assert set(AuditEvent.objects.filter(event="client.deleted").values_list("reason", flat=True)) == {
        "registered_again"
    }


def test_what_was_registered_within_the_hour_may_be_on_its_way() -> None:
    for _ in range(LIKE_KEPT + 5):
        register_at(REDIRECT_URI)
    assert remove_unused(now=NOW, limit=100) == {}


def test_one_that_was_approved_is_not_counted_among_them() -> None:
    clients = [register_at(REDIRECT_URI) for _ in range(LIKE_KEPT + 1)]
    for client_id in clients:
        ago(client_id, created=2 * HOUR)
    ago(clients[0], created=3 * HOUR, last_used_at=HOUR)
    assert remove_unused(now=NOW, limit=100) == {}


@pytest.mark.parametrize(
    "other",
    [{"client_name": "Another"}, {"redirect_uri": "http://localhost/callback"}, {"address": "198.51.100.9"}],
    ids=str,
)
def test_others_are_not_touched(other: dict[str, Any]) -> None:
    first = register_at("http://127.0.0.1/callback")
    ago(first, created=DAY)
    for _ in range(LIKE_KEPT + 5):
        ago(register_at(**{"redirect_uri": "http://127.0.0.1/callback", **other}), created=2 * HOUR)
    assert remove_unused(now=NOW, limit=100) == {"removed": 5}
    assert first in left()


def register_at(redirect_uri: str, address: str = "198.51.100.1", **metadata: Any) -> str:
    body = {"client_name": "Forgetful", "redirect_uris": [redirect_uri], **metadata}
    answer = send(body, REMOTE_ADDR=address)
    assert answer.status_code == 201
    client_id: str = answer.json()["client_id"]
    return client_id


def test_a_document_that_nobody_approved_is_not_kept_for_ever() -> None:
    """Everybody can make us fetch one more, with one request."""
    kept_by = ["fresh", "approved", "in use", "on its way", "disabled"]
    for name in ["forgotten", *kept_by]:
        make_client(f"https://{name.replace(' ', '-')}.example/client.json", registration_source="cimd")
    Client.objects.update(created=NOW - 30 * DAY, cimd_fetched_at=NOW - 7 * DAY)
    client = {name: Client.objects.get(client_id__contains=name.replace(" ", "-")) for name in kept_by}
    resource = make_resource()
    Client.objects.filter(pk__in=[client["fresh"].pk]).update(cimd_fetched_at=NOW - 6 * DAY)
    Client.objects.filter(pk__in=[client["disabled"].pk]).update(disabled_at=NOW)
    approve(client=client["in use"], resource=resource)
    Consent.objects.create(user=make_user(), client=client["approved"], redirect_host="a.example", resource=resource,
                           granted_at=NOW)  # fmt: skip
    PendingAuthorization.objects.create(
        browser_hash="", client=client["on its way"], resource=resource, parameters={}, approved_at=NOW,
        expires_at=NOW + timedelta(minutes=1),
    )  # fmt: skip
    remove_unused(now=NOW, limit=10)
    assert left() == {one.client_id for one in client.values()}
    assert AuditEvent.objects.get(event="client.deleted").reason == "old_document"


def app_without_registrations(name: str) -> App:
    app = make_client(f"dcr-{name}", name=name, registration_source="dcr").app
    Client.objects.all().delete()
    App.objects.filter(pk=app.pk).update(created_at=NOW - 2 * HOUR)
    return App.objects.get(pk=app.pk)


def test_an_app_whose_registrations_are_all_gone_goes_unless_operators_noted_or_merged_something() -> None:
    apps = {name: app_without_registrations(name) for name in ("gone", "noted", "main", "other")}
    app_registry.note(apps["noted"], "theirs", actor="root", now=NOW)
    main, other = apps["main"], apps["other"]
    app_merging.merge(main.pk, [other.pk], seen={main.pk: "pending", other.pk: "pending"}, block="", actor="root",
                      reason="one", now=NOW)  # fmt: skip
    App.objects.update(decided_at=None)
    assert remove_unused(now=NOW, limit=10) == {"removed": 1}
    assert set(App.objects.values_list("name", flat=True)) == {"noted", "main", "other"}


def test_an_app_is_seen_when_it_registers_and_when_it_is_approved_once_a_minute_at_most() -> None:
    registered(client_name="Claude Code")
    App.objects.update(last_seen_at=NOW - HOUR)
    registered(client_name="Claude Code")
    seen = App.objects.get().last_seen_at
    assert seen > NOW - HOUR
    App.objects.get().seen(seen + timedelta(seconds=59))
    assert App.objects.get().last_seen_at == seen
    App.objects.get().seen(seen + timedelta(seconds=61))
    assert App.objects.get().last_seen_at == seen + timedelta(seconds=61)
