"""A client known by its document: kept while fresh, served stale when its host fails, made once however many ask."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent
from authserver import client_registry, clients, limits, shared_cache
from authserver.cimd import document, flights, resolver
from authserver.models import App, Client, Consent
from tests.fakes.documents import Documents
from tests.fakes.server import Reply
from tests.harness.approval import approve, make_client, make_resource, make_user, post
from tests.harness.policies import in_force
from tests.harness.registration import resolved

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BROKEN = Reply(500, document={"error": "down"})


def test_a_fresh_document_is_not_fetched_again(documents: Documents, django_assert_num_queries: Any) -> None:
    first = clients.resolve(documents.client_id, now=NOW)
    with django_assert_num_queries(1):
        again = clients.resolve(documents.client_id, now=NOW + timedelta(minutes=59))
    assert again == first
    assert len(documents.seen) == 1


def test_a_changed_document_is_seen_once_the_old_one_has_expired(documents: Documents) -> None:
    documents.publish({"Cache-Control": "max-age=1800"})
    clients.resolve(documents.client_id, now=NOW)
    documents.publish(client_name="Another name", redirect_uris=["https://app.example/new"])
    assert clients.resolve(documents.client_id, now=NOW + timedelta(minutes=29)).name == "A published client"
    changed = clients.resolve(documents.client_id, now=NOW + timedelta(minutes=30))
    assert (changed.name, changed.redirect_uris) == ("Another name", "https://app.example/new")
    assert clients.known(documents.client_id) == changed
    assert Client.objects.count() == 1
    events = AuditEvent.objects.order_by("pk").values_list("event", flat=True)
    assert list(events) == ["client.registered", "client.changed"]


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({}, None),
        ({"client_name": "Another name"}, ["name"]),
        ({"contacts": ["a@b.example"]}, ["metadata"]),
        ({"grant_types": ["authorization_code"], "scope": "openid"}, ["grant_types", "registered_scope"]),
    ],
)
def test_whatever_changes_in_a_document_is_in_the_trail(
    documents: Documents, change: dict[str, Any], columns: list[str] | None
) -> None:
    clients.resolve(documents.client_id, now=NOW)
    documents.publish(**change)
    clients.resolve(documents.client_id, now=NOW + DAY)
    events = AuditEvent.objects.filter(event="client.changed", client_id=documents.client_id)
    assert [event.detail["changed"] for event in events] == ([columns] if columns else [])


@pytest.mark.parametrize(
    ("change", "asked_again"), [({"client_name": "Another name"}, True), ({"contacts": ["x"]}, False)]
)
def test_consents_given_to_another_name_are_asked_again(
    documents: Documents, change: dict[str, Any], asked_again: bool
) -> None:
    client = clients.resolve(documents.client_id, now=NOW)
    Consent.objects.create(
        user=make_user(), client=client, redirect_host="app.example", resource=make_resource(), granted_at=NOW
    )
    documents.publish(**change)
    clients.resolve(documents.client_id, now=NOW + DAY)
    assert Consent.objects.exists() != asked_again


@pytest.mark.parametrize(
    "reply",
    [
        BROKEN,
        Reply(404, document={}),
        Reply(body=b"<html>", headers={"Content-Type": "text/html"}),
        Reply(document={"client_id": "https://other.example/c"}),
    ],
)
def test_a_broken_document_does_not_end_a_known_client_for_seven_days(documents: Documents, reply: Reply) -> None:
    known = clients.resolve(documents.client_id, now=NOW)
    documents.reply = reply
    for later in (HOUR, DAY, 7 * DAY - HOUR):
        served = clients.resolve(documents.client_id, now=NOW + later)
        assert (served.name, served.redirect_uris) == (known.name, known.redirect_uris)
        assert served.cimd_fetched_at == NOW
    assert len(documents.seen) == 4
    assert resolved(documents.client_id, now=NOW + 7 * DAY) is None
    documents.reply = None
    assert resolved(documents.client_id, now=NOW + 8 * DAY) is not None


def test_a_failure_is_left_alone_for_a_minute_and_is_never_a_document(documents: Documents) -> None:
    documents.reply = BROKEN
    for seconds in (0, 30, 59):
        assert resolved(documents.client_id, now=NOW + timedelta(seconds=seconds)) is None
    assert len(documents.seen) == 1
    assert not Client.objects.exists()
    documents.reply = None
    assert resolved(documents.client_id, now=NOW + timedelta(seconds=60)) is not None


def test_one_urls_failure_is_not_anothers(documents: Documents) -> None:
    documents.reply = BROKEN
    assert resolved(documents.client_id, now=NOW) is None
    documents.reply = None
    assert resolved(f"{documents.url}/other.json", now=NOW) is not None


def test_a_client_that_an_operator_made_under_a_url_is_theirs(documents: Documents) -> None:
    static = make_client(documents.client_id, name="Theirs")
    assert clients.resolve(documents.client_id, now=NOW) == static
    assert documents.seen == []


def test_a_disabled_client_stays_disabled_whatever_its_document_says(documents: Documents) -> None:
    clients.resolve(documents.client_id, now=NOW)
    Client.objects.update(disabled_at=NOW)
    later = clients.resolve(documents.client_id, now=NOW + DAY)
    assert not later.is_usable(None)
    assert len(documents.seen) == 1


def test_documents_of_one_host_are_one_app_that_nobody_has_decided_about(documents: Documents) -> None:
    one = clients.resolve(documents.client_id, now=NOW)
    documents.reply = Reply(
        document={**documents.document(), "client_id": f"{documents.url}/other.json", "client_name": "B"}
    )
    other = clients.resolve(f"{documents.url}/other.json", now=NOW)
    assert (one.app, one.app.place, one.app.state) == (other.app, "localhost", App.State.PENDING)


def test_nothing_is_fetched_for_a_host_that_is_blocked(documents: Documents) -> None:
    first = clients.resolve(documents.client_id, now=NOW)
    App.objects.update(state=App.State.BLOCKED)
    assert not clients.resolve(documents.client_id, now=NOW + 30 * DAY).is_usable(None)
    with pytest.raises(clients.UnknownClient, match="blocked"):
        clients.resolve(f"{documents.url}/other.json", now=NOW)
    assert len(documents.seen) == 1
    assert first.app == App.objects.get()


@pytest.mark.parametrize("mode", ["token", "closed"])
def test_where_nobody_may_register_a_new_document_is_none_of_ours_unless_the_operator_let_it_in(
    mode: str, documents: Documents
) -> None:
    cimd = {"allow_private_network": True}
    with in_force(mode=mode, cimd=cimd), pytest.raises(clients.UnknownClient, match="operator can approve"):
        clients.resolve(documents.client_id, now=NOW)
    assert not documents.seen
    with in_force(mode=mode, cimd={**cimd, "allowed_hosts": ["localhost"]}):
        known = clients.resolve(documents.client_id, now=NOW)
    with in_force(mode=mode, cimd=cimd):
        assert clients.resolve(documents.client_id, now=NOW + DAY) == known, "who was let in goes on"
        other = f"{documents.url}/other.json"
        documents.reply = Reply(document={**documents.document(), "client_id": other})
        App.objects.update(state=App.State.APPROVED)
        assert clients.resolve(other, now=NOW).client_id == other


def test_new_documents_count_as_registrations_from_their_network(documents: Documents, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "register": "1/minute"}
    limits._limiter.cache_clear()
    clients.resolve(documents.client_id, now=NOW, network="198.51.100.1")
    clients.resolve(documents.client_id, now=NOW + DAY, network="198.51.100.1")  # no new one
    with pytest.raises(limits.TooMany):
        clients.resolve(f"{documents.url}/other.json", now=NOW, network="198.51.100.1")
    limits._limiter.cache_clear()


def test_the_token_endpoint_fetches_nothing(documents: Documents) -> None:
    stale = clients.resolve(documents.client_id, now=timezone.now() - 30 * DAY)
    approval = approve(client=stale)
    documents.reply = BROKEN
    tokens = approval.redeem()
    assert post(approval.refresh_form(tokens["refresh_token"])).status_code == 200
    unknown = {**approval.form, "client_id": f"{documents.url}/unknown.json"}
    assert post(unknown).json()["error"] == "invalid_client"
    assert len(documents.seen) == 1


@pytest.mark.django_db(transaction=True)
def test_a_client_met_by_many_at_once_is_fetched_and_made_once(documents: Documents) -> None:
    gate = threading.Event()
    documents.reply = Reply(document=documents.document(), delay=gate)

    def meet() -> str:
        try:
            return clients.resolve(documents.client_id, now=NOW).client_id
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(meet) for _ in range(8)]
        gate.set()
        found = [future.result(timeout=30) for future in waiting]
    assert found == [documents.client_id] * 8
    assert Client.objects.count() == 1
    assert len(documents.seen) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_processes_that_meet_a_client_first_one_makes_it(documents: Documents) -> None:
    """Two processes share no lock, so here the second has its row in before the first one writes."""
    good = document.fetch(documents.client_id, allow_private_network=True, now=NOW)
    winner = clients.resolve(documents.client_id, now=NOW)
    loser = resolver._keep(documents.client_id, None, good, NOW)
    assert loser == winner
    assert Client.objects.count() == 1
    assert AuditEvent.objects.filter(event="client.registered").count() == 1


def test_slow_documents_do_not_take_every_thread(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "SLOT_WAIT_SECONDS", 0.01)
    with flights.slot(), flights.slot(), pytest.raises(clients.UnknownClient, match="moment"):
        clients.resolve(documents.client_id, now=NOW)
    assert documents.seen == []
    assert resolved(documents.client_id, now=NOW) is not None  # being busy is not the document's failure


def test_who_waits_for_a_slow_document_is_let_go_as_well(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or four requests for one slow URL would hold all threads of a worker."""
    monkeypatch.setattr(flights, "WAIT_SECONDS", 0.01)
    with flights.only_one(documents.client_id), pytest.raises(clients.UnknownClient, match="moment"):
        clients.resolve(documents.client_id, now=NOW)
    assert documents.seen == []


@pytest.mark.django_db(transaction=True)
def test_while_another_process_fetches_it_nobody_else_does(documents: Documents) -> None:
    """What that process has found is there when it lets go."""
    claim = f"cimd-fetching:{hashlib.sha256(documents.client_id.encode()).hexdigest()}"
    assert shared_cache.claim(claim, seconds=60)

    def elsewhere() -> None:
        client_registry.create(
            documents.client_id, document.read(json.dumps(documents.document()).encode(), documents.client_id),
            source="cimd", cimd_fetched_at=NOW, cimd_expires_at=NOW + DAY,
        )  # fmt: skip
        connection.close()
        shared_cache.let_go(claim)

    with ThreadPoolExecutor(1) as threads:
        finished = threads.submit(elsewhere)
        assert clients.resolve(documents.client_id, now=NOW).name == "A published client"
        finished.result()
    assert documents.seen == []


def test_who_waits_for_another_process_is_let_go_as_well(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "WAIT_SECONDS", 0.1)
    claim = f"cimd-fetching:{hashlib.sha256(documents.client_id.encode()).hexdigest()}"
    assert shared_cache.claim(claim, seconds=60)
    with pytest.raises(clients.UnknownClient, match="moment"):
        clients.resolve(documents.client_id, now=NOW)
    assert documents.seen == []
    shared_cache.let_go(claim)
    assert clients.resolve(documents.client_id, now=NOW).is_usable(None)
