"""A `connect_url` is short-lived, works once, in one browser, for one person, while its session lives."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core import signing
from django.db import connections
from django.test import Client as Http
from django.utils import timezone
from structlog.stdlib import ProcessorFormatter

from accounts.models import AuditEvent, Credential, TokenSession, User
from accounts.vault import vault
from authserver import connections as links
from authserver.models import Client, PendingConnection, Resource, ResourceUpstream
from tests.unit.authorize.sitting import FORM, new_sitting
from tests.unit.connect.conftest import Scene, heading
from upstream.models import Provider, Visit

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_a_link_works_once(scene: Scene) -> None:
    path = scene.link("notes")
    scene.connect(path)
    for answer in (scene.http.get(path), scene.http.post(path), Http().get(path)):
        assert (answer.status_code, heading(answer)) == (400, "This link has been used")
    assert AuditEvent.objects.filter(event="session.connected").count() == 1


def test_each_refusal_makes_a_link_of_its_own(scene: Scene) -> None:
    assert scene.link("notes") != scene.link("notes")


def test_looking_uses_nothing_up_and_writes_nothing(scene: Scene) -> None:
    path = scene.link("notes")
    for http in (scene.http, Http()):
        for method in ("get", "head"):
            for _ in range(3):
                assert getattr(http, method)(path).status_code == 200
    assert not PendingConnection.objects.exists()
    assert not Visit.objects.filter(purpose=Visit.Purpose.CONNECT, provider__name="notes").exists()
    assert heading(scene.connect(path)) == "Notes is connected"


def test_the_first_browser_that_uses_it_owns_it(scene: Scene) -> None:
    path = scene.link("notes")
    scene.press(path)
    other = Http()
    for answer in (other.get(path), other.post(path), other.get(f"{path}/back?visit={'a' * 64}")):
        assert (answer.status_code, heading(answer)) == (400, "This link has been used")
    assert heading(scene.connect(path)) == "Notes is connected"


def test_somebody_else_at_the_browser_is_refused_and_can_make_room(scene: Scene) -> None:
    scene.code.person, scene.mail.person = {"id": 2002, "name": "Eve"}, {"id": 2003}
    eve = new_sitting(scene.sitting.resource, scene.sitting.client)
    assert "code" in eve.whole("notes")
    path = scene.link("notes")
    for answer in (eve.http.get(path), eve.http.post(path)):
        assert (answer.status_code, heading(answer)) == (403, "This link is for another person")
    assert not PendingConnection.objects.exists()
    scene.code.person = {"id": 1001, "name": "Ada Example"}
    page = eve.http.post(f"{path}/switch")
    assert (page.status_code, page["Location"]) == (303, path)
    assert heading(scene.connect(path, eve.http)) == "Notes is connected"


def test_a_stranger_who_signs_in_by_it_is_refused_and_gets_no_account(scene: Scene) -> None:
    scene.code.person = {"id": 31337, "name": "Stranger"}
    page = scene.connect(scene.link("notes"), Http())
    assert (page.status_code, heading(page)) == (403, "This link is for another person")
    assert User.objects.count() == 1
    assert scene.exchange("notes").json()["state"] == "not_connected"


def test_another_known_person_who_signs_in_by_it_is_refused_too(scene: Scene) -> None:
    scene.code.person, scene.mail.person = {"id": 2002, "name": "Eve"}, {"id": 2003}
    assert "code" in new_sitting(scene.sitting.resource, scene.sitting.client).whole("notes")
    phone = Http()
    page = scene.connect(scene.link("notes"), phone)
    assert (page.status_code, heading(page)) == (403, "This link is for another person")
    assert "_auth_user_id" not in phone.session, "the sign-in did not happen"


@pytest.mark.parametrize("what", ["session", "user", "client", "resource", "provider", "entry"])
@pytest.mark.parametrize("when", ["before", "on the way"])
def test_it_ends_with_whatever_it_stands_on(scene: Scene, what: str, when: str) -> None:
    path = scene.link("notes")
    answer = scene.press(path) if when == "on the way" else None
    if what == "session":
        vault().sessions.close(scene.session.tsid, reason="admin", now=timezone.now())
    if what == "user":
        User.objects.update(is_active=False)
    if what == "client":
        Client.objects.update(disabled_at=timezone.now())
    if what == "resource":
        Resource.objects.update(enabled=False)
    if what == "provider":
        Provider.objects.filter(name="notes").update(enabled=False)
    if what == "entry":
        ResourceUpstream.objects.filter(provider__name="notes").delete()
    page = scene.sitting.go_on(answer) if answer is not None else scene.http.get(path)
    assert (page.status_code, heading(page)) == (400, "This link is no longer good")
    assert not AuditEvent.objects.filter(event="session.connected").exists()


def test_it_is_good_for_fifteen_minutes(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene.link("notes")
    unverified = path.rpartition("/")[2]
    assert links.read_ticket(unverified) is not None
    assert links.read_ticket(unverified, max_age_seconds=-1) is None
    assert links.LIFETIME_SECONDS == 900
    scene.press(path)
    PendingConnection.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    page = scene.http.get(f"{path}/back?visit={'a' * 64}")
    assert (page.status_code, heading(page)) == (400, "This link is no longer good")


SIGNED_FOR_ANOTHER_PURPOSE = pytest.param(signing.dumps(["x"] * 5, salt="other"), id="signed for another purpose")


@pytest.mark.parametrize("made_up", ["x", "a:b:c", "%00", "é", "x" * 5000, SIGNED_FOR_ANOTHER_PURPOSE])
def test_a_made_up_link_leads_nowhere(scene: Scene, made_up: str) -> None:
    for ending in ("", "/back", "/switch"):
        path = f"/oauth/connect/{made_up if made_up == '%00' else quote(made_up)}{ending}"
        for answer in (scene.http.get(path), scene.http.post(path)):
            assert answer.status_code in {303, 400, 404, 405}


def test_a_real_visit_of_another_journey_does_not_count_for_it(scene: Scene) -> None:
    path = scene.link("notes")
    scene.press(path)
    elsewhere = Visit.objects.filter(outcome=Visit.Outcome.DONE).first()
    assert elsewhere
    for visit in (elsewhere.state_hash, "%00", "x" * 64, "A" * 64, ""):
        assert scene.http.get(f"{path}/back?visit={visit}").status_code == 502
    assert scene.exchange("notes").json()["state"] == "not_connected"


def test_pages_and_redirects_are_kept_by_nobody(scene: Scene) -> None:
    path = scene.link("notes")
    for answer in (scene.http.get(path), scene.press(path), scene.http.get(f"{path}/back")):
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("method", ["put", "delete", "patch", "trace", "options"])
def test_other_methods_are_refused(scene: Scene, method: str) -> None:
    assert getattr(scene.http, method)(scene.link("notes")).status_code == 405


def test_nobody_elses_page_can_press_the_button(scene: Scene) -> None:
    strict = Http(enforce_csrf_checks=True, cookies=None)
    strict.cookies = scene.http.cookies
    path = scene.link("notes")
    assert strict.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
    assert strict.post(f"{path}/switch", headers={"Origin": "https://evil.example"}).status_code == 403
    assert not PendingConnection.objects.exists()


def test_the_scopes_in_a_link_are_bounded(scene: Scene) -> None:
    many = [f"scope-{number}-{'x' * 100}" for number in range(50)]
    ResourceUpstream.objects.filter(provider__name="mail").update(scopes=[*many, "y" * 300, 'q"uote', "ünïcode"])
    path = scene.link("mail")
    assert len(path) < 4000
    assert scene.http.get(path).status_code == 200


def test_a_link_is_in_no_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="django.request")
    path = scene.link("notes")
    scene.connect(path)
    scene.http.get(path)
    said = [record for record in caplog.records if path in record.getMessage()]
    assert said, "Django does log the path of what was refused"
    [ours] = [handler for handler in logging.getLogger().handlers if isinstance(handler.formatter, ProcessorFormatter)]
    for record in said:
        line = ours.format(record)
        assert "/oauth/connect/[redacted]" in line
        assert path.rpartition("/")[2] not in line


@pytest.mark.django_db(transaction=True)
def test_of_many_that_finish_it_at_once_one_did(scene: Scene) -> None:
    """The person pressed reload: the same answer of the provider comes in many times, and more than one button at once."""
    path = scene.link("notes")
    assert scene.http.get(path).status_code == 200
    sitting = scene.sitting
    answers = [scene.http.post(path, urlencode({}), content_type=FORM) for _ in range(4)]

    def finish(answer: Any) -> str:
        try:
            browser = Http()
            browser.cookies = sitting.http.cookies
            page = type(sitting)(sitting.client, sitting.resource, browser).go_on(answer)
            return heading(page)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        ends = sorted(threads.map(finish, answers))
    assert ends == ["Notes is connected", *["This link has been used"] * 3]
    assert Credential.objects.filter(provider="notes").count() == 1
    assert AuditEvent.objects.filter(event="session.connected").count() == 1
    assert TokenSession.objects.get().closed_at is None
