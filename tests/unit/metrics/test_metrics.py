"""`/metrics`: who may read it, what it says, and what it never says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts import metrics
from accounts.models import Revocation
from authserver import conf, limits
from authserver.grant_types import TOKEN_EXCHANGE
from authserver.metrics.readings import readings
from authserver.models import MaintenanceRun, SigningKey
from tests.harness.approval import RESOURCE_SERVER_SECRET, approve, make_provider, make_resource_server, post

pytestmark = pytest.mark.django_db
TOKEN = "a-token-for-the-scraper-0123456789abcdef"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    readings.forget()
    yield
    readings.forget()
    conf.load.cache_clear()


def scrape(**extra: Any) -> dict[tuple[str, ...], float]:
    """Name and label values, in the labels' alphabetical order, to the value."""
    readings.forget()
    answer = Http().get("/metrics", **extra)
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def counted(before: dict[tuple[str, ...], float]) -> Callable[..., float]:
    after = scrape()
    return lambda *key: after.get(key, 0) - before.get(key, 0)


# --- Who may read ---------------------------------------------------------------------------------------------------
def test_this_machine_may_read_whatever_it_calls_us() -> None:
    answer = Http().get("/metrics", headers={"Host": "10.0.3.7:8000"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
def test_what_a_proxy_forwards_is_not_this_machine(header: str) -> None:
    assert Http().get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_nobody_else_may(settings: Settings) -> None:
    assert Http(REMOTE_ADDR="10.1.2.3").get("/metrics").status_code == 404
    assert Http(REMOTE_ADDR="").get("/metrics").status_code == 404
    assert Http().post("/metrics").status_code == 404


def test_our_public_name_leads_through_a_proxy(settings: Settings) -> None:
    settings.AUTHSERVER = {**settings.AUTHSERVER, "issuer": "https://auth.example.com"}
    settings.ALLOWED_HOSTS = ["auth.example.com"]
    conf.load.cache_clear()
    assert Http().get("/metrics", headers={"Host": "auth.example.com"}).status_code == 404
    assert Http().get("/metrics", headers={"Host": "127.0.0.1:8000"}).status_code == 200


@pytest.mark.parametrize(("given", "status"), [(TOKEN, 200), (TOKEN[:-1], 404), ("", 404)])
def test_the_token_opens_it_from_anywhere(settings: Settings, given: str, status: int) -> None:
    settings.METRICS_TOKEN = TOKEN
    http = Http(REMOTE_ADDR="203.0.113.9")
    headers = {"Authorization": f"Bearer {given}", "X-Forwarded-For": "203.0.113.9"}
    assert http.get("/metrics", headers=headers).status_code == status


def test_without_a_token_set_an_empty_one_opens_nothing() -> None:
    assert Http(REMOTE_ADDR="203.0.113.9").get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


# --- What it says ---------------------------------------------------------------------------------------------------
def test_codes_refreshes_and_replays_are_counted() -> None:
    before = scrape()
    approval = approve()
    form = approval.refresh_form(approval.redeem()["refresh_token"])
    for _ in range(3):
        post(form)
    post({**form, "refresh_token": "asr_made-up"})
    post({"grant_type": "no such grant"})
    more = counted(before)
    assert more("authserver_token_requests_total", "authorization_code", "ok") == 1
    assert more("authserver_token_requests_total", "refresh_token", "ok") == 3
    assert more("authserver_token_requests_total", "refresh_token", "invalid_grant") == 1
    assert more("authserver_token_requests_total", "other", "unsupported_grant_type") == 1
    assert more("authserver_replays_total", "answered", "refresh_token") == 2
    assert more("authserver_http_request_seconds_count", "token", "2xx") == 4


def test_a_stolen_refresh_token_is_counted_with_the_end_of_its_session() -> None:
    before = scrape()
    approval = approve()
    form = approval.refresh_form(approval.redeem()["refresh_token"])
    newer = post(form).json()["refresh_token"]
    post(approval.refresh_form(newer))
    post(form)
    assert counted(before)("authserver_replays_total", "session_ended", "refresh_token") == 1


def test_exchanges_are_counted_by_upstream_and_state() -> None:
    approval = approve(provider=make_provider())
    before = scrape()
    make_resource_server(approval.resource)
    exchange(approval.redeem()["access_token"])
    exchange("no token")
    more = counted(before)
    [upstream] = {key[2] for key in scrape() if key[0] == "authserver_exchanges_total" and more(*key)}
    assert (
        more("authserver_exchanges_total", "not_connected", upstream)
        + more("authserver_exchanges_total", "ok", upstream)
        == 1
    )
    assert more("authserver_token_requests_total", "token_exchange", "invalid_request") == 1


def exchange(token: str) -> None:
    post(
        {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "client_id": "rs-a",
            "client_secret": RESOURCE_SERVER_SECRET,
        }
    )


def test_a_rate_limit_that_refuses_is_counted_by_name(settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "approval": "1/minute"}
    before = scrape()
    for _ in range(3):
        limits.hit("approval", f"somebody at {timezone.now().date()}")
    assert counted(before)("authserver_rate_limited_total", "approval") >= 2


def test_the_queue_the_key_and_maintenance_are_read() -> None:
    approve().redeem()
    now = timezone.now()
    MaintenanceRun.objects.create(at=now - timedelta(hours=3), failed_steps=["renewal"])
    SigningKey.objects.update(created_at=now - timedelta(days=100), activated_at=now - timedelta(days=100))
    Revocation.objects.create(**queued(now - timedelta(hours=2)))
    Revocation.objects.create(**queued(now + timedelta(hours=2)))
    said = scrape()
    assert said["authserver_revocations_queued",] == 2
    assert said["authserver_revocations_late_seconds",] == pytest.approx(7200, abs=60)
    assert said["authserver_maintenance_timestamp_seconds",] == pytest.approx(now.timestamp() - 3 * 3600, abs=60)
    assert said["authserver_maintenance_failed_steps",] == 1
    assert said["authserver_signing_key_age_seconds",] == pytest.approx(100 * 86400, abs=60)
    assert said["authserver_signing_key_turn_seconds",] < -9 * 86400
    assert said["authserver_vault_keys", "configured"] == 1
    assert said["authserver_ready", "database"] == said["authserver_ready", "signing"] == 1


def queued(due_at: datetime) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "user_id": uuid4(),
        "provider": "github",
        "subject": "1",
        "queued_at": due_at,
        "due_at": due_at,
    }


def test_a_scrape_takes_few_statements_and_a_second_one_none() -> None:
    approve().redeem()
    with CaptureQueriesContext(connection) as first:
        scrape()
    assert len(first) <= 12
    with CaptureQueriesContext(connection) as second:
        Http().get("/metrics")
    assert len(second) == 0


def test_with_the_database_away_it_says_so_and_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        said = scrape()
    assert said["authserver_ready", "database"] == 0
    assert ("authserver_ready", "vault") not in said
    assert ("authserver_revocations_queued",) not in said
    assert scrape()["authserver_scrape_errors_total", "revocations"] >= 1


def test_no_label_names_a_client_a_person_or_a_session() -> None:
    approval = approve()
    tokens = approval.redeem()
    post(approval.refresh_form(tokens["refresh_token"]))
    text = Http().get("/metrics").content.decode()
    for secret in (approval.client.client_id, approval.tsid, str(approval.user.pk), tokens["refresh_token"]):
        assert secret not in text


def test_a_label_that_gets_out_of_hand_is_other() -> None:
    counter = metrics.Counter("test_out_of_hand_total", "For a test.", "what")
    try:
        for number in range(metrics.MOST_CHILDREN + 50):
            counter.count(str(number))
        said = scrape()
        assert sum(key[0] == "authserver_test_out_of_hand_total" for key in said) == metrics.MOST_CHILDREN + 1
        assert said["authserver_test_out_of_hand_total", "other"] == 50
    finally:
        metrics.FAMILIES.remove(counter.family)
        metrics.REGISTRY.unregister(counter._metric)


def test_every_family_that_is_shown_is_in_the_catalogue() -> None:
    approve().redeem()
    known = {re.sub("_total$", "", family.name) for family in metrics.FAMILIES}
    shown = Http().get("/metrics").content.decode()
    assert {family.name for family in text_string_to_metric_families(shown)} <= known
