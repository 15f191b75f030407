"""In approval mode: the page that says who decides, the note, the queue, and the tab that goes on."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent
from authserver import limits
from authserver.authorize import approval
from authserver.models import App, ApprovalRequest, Client, Resource
from tests.harness.policies import in_force
from tests.unit.app_registry.conftest import decided
from tests.unit.authorize.answers import ticket_of
from tests.unit.authorize.conftest import Door

pytestmark = pytest.mark.django_db
CONTACT = "the service desk, desk@example.com"


@pytest.fixture
def waiting_room(door: Door) -> Any:
    with in_force(mode="approval", contact=CONTACT):
        yield door


def send(door: Door, page: Any, **fields: str) -> Any:
    return door.http.post(
        "/oauth/authorize/approval",
        data=urlencode({"ticket": ticket_of(page), **fields}),
        content_type="application/x-www-form-urlencoded",
    )


def asked(door: Door, **fields: str) -> str:
    """The waiting page's path."""
    answer = send(door, door.ask(), **fields)
    assert answer.status_code == 303, answer.content
    path: str = answer["Location"]
    return path


def state(http: Http, path: str) -> tuple[int, str]:
    answer = http.get(f"{path}/state")
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()["state"]


def test_the_page_says_who_decides_and_about_what(waiting_room: Door) -> None:
    page = waiting_room.ask()
    assert page.status_code == 403
    words = page.content.decode()
    for said in (CONTACT, "Claude Code", "Example MCP server", "Ask for approval"):
        assert said in words
    assert "“<bdi>Claude Code</bdi>”" in words, "a name that the app chose itself is quoted"


def test_looking_leaves_nothing_behind(waiting_room: Door) -> None:
    Http().get(f"/oauth/authorize?{urlencode(waiting_room.parameters())}")
    waiting_room.ask()
    assert not ApprovalRequest.objects.exists()


def test_whoever_asks_is_in_the_queue_with_what_they_wrote(waiting_room: Door) -> None:
    person = waiting_room.sign_in()
    asked(waiting_room, note="  I am Ada,\r\n and need it for <b>work</b> ")
    waiting = ApprovalRequest.objects.get()
    assert (waiting.note, waiting.user_id) == ("I am Ada, and need it for <b>work</b>", person.pk)
    assert (waiting.app, waiting.resource) == (App.objects.get(), waiting_room.resource)
    event = AuditEvent.objects.get(event="app.approval_requested")
    assert (event.client_id, event.user_id, event.resource) == ("dcr-1", person.pk, waiting_room.resource.identifier)
    assert "Ada" not in str(vars(event))


def test_the_waiting_page_shows_the_note_as_text(waiting_room: Door) -> None:
    page = waiting_room.http.get(asked(waiting_room, note="<script>alert(1)</script>")).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "Nobody has decided yet" in page


def test_once_it_is_approved_the_same_tab_goes_on_to_consent_and_the_code(waiting_room: Door) -> None:
    waiting_room.sign_in()
    path = asked(waiting_room)
    assert state(waiting_room.http, path) == (200, "waiting")
    assert waiting_room.http.get(path).status_code == 200
    decided("approved")
    assert state(waiting_room.http, path) == (200, "decided")
    answer = waiting_room.http.get(path)
    assert answer.status_code == 303
    consent = waiting_room.http.get(answer["Location"])
    assert consent.status_code == 200
    finished = re.search(r'href="(http://127[^"]+)"', waiting_room.answer(consent).content.decode())
    assert finished
    query = parse_qs(urlsplit(finished[1].replace("&amp;", "&")).query)
    assert query["state"] == ["st&te /+é"]
    assert "code" in query


def test_once_it_is_blocked_the_same_tab_says_so_in_the_operators_words(waiting_room: Door) -> None:
    path = asked(waiting_room)
    decided("blocked", told="Use the <i>other</i> one.")
    assert state(waiting_room.http, path) == (200, "decided")
    page = waiting_room.http.get(path)
    assert page.status_code == 403
    assert "Use the &lt;i&gt;other&lt;/i&gt; one." in page.content.decode()
    assert "127.0.0.1:7777" not in page.content.decode(), "nothing leads to a blocked app"


def test_another_browser_neither_sees_nor_learns_anything(waiting_room: Door) -> None:
    path = asked(waiting_room, note="private")
    for other in (Http(), Door(waiting_room.client, waiting_room.resource, waiting_room.provider).http):
        other.get(f"/oauth/authorize?{urlencode(waiting_room.parameters())}")
        page = other.get(path)
        assert page.status_code == 400
        assert b"private" not in page.content
        assert state(other, path) == (404, "unknown")


def test_asking_again_replaces_the_note_and_is_one_place_in_the_queue(waiting_room: Door) -> None:
    first = asked(waiting_room, note="one")
    assert asked(waiting_room, note="two") == first
    assert ApprovalRequest.objects.get().note == "two"
    assert AuditEvent.objects.filter(event="app.approval_requested").count() == 1


def test_a_note_is_bounded(waiting_room: Door) -> None:
    asked(waiting_room, note="x" * 5000)
    assert len(ApprovalRequest.objects.get().note) == approval.MAX_NOTE
    assert send(waiting_room, waiting_room.ask(), note="x" * 9000).status_code == 400


def test_a_form_of_nobodys_page_is_refused(waiting_room: Door) -> None:
    page = waiting_room.ask()
    waiting_room.http.cookies.clear()
    assert send(waiting_room, page, note="x").status_code == 400
    form = {"ticket": "made-up", "note": "x"}
    assert waiting_room.http.post("/oauth/authorize/approval", form).status_code == 400
    assert waiting_room.http.get("/oauth/authorize/approval").status_code == 405
    assert not ApprovalRequest.objects.exists()


def test_an_app_that_was_approved_meanwhile_need_not_be_asked_for(waiting_room: Door) -> None:
    page = waiting_room.ask()
    decided("approved")
    answer = send(waiting_room, page, note="x")
    assert answer.status_code == 303
    assert waiting_room.http.get(answer["Location"]).status_code == 200
    assert not ApprovalRequest.objects.exists()


def test_after_a_day_the_page_no_longer_goes_on_by_itself(waiting_room: Door) -> None:
    path = asked(waiting_room)
    ApprovalRequest.objects.update(requested_at=timezone.now() - timedelta(days=1))
    assert state(waiting_room.http, path) == (200, "decided")
    page = waiting_room.http.get(path)
    assert (page.status_code, b"Start again" in page.content) == (400, True)
    assert ApprovalRequest.objects.exists(), "the operator still sees that somebody asked"


def test_a_client_that_is_gone_is_said_to_be(waiting_room: Door) -> None:
    path = asked(waiting_room)
    Client.objects.all().delete()
    assert state(waiting_room.http, path) == (200, "decided")
    assert waiting_room.http.get(path).status_code == 400


def test_the_way_back_tells_the_client(waiting_room: Door) -> None:
    page = waiting_room.ask().content.decode()
    back = re.search(r'href="(http://127[^"]+error=access_denied[^"]+)"', page)
    assert back
    assert "iss=" in back[1]


def test_what_counts_for_nothing_is_not_kept(waiting_room: Door) -> None:
    """A form may hold 64 KiB, and a request for approval is kept for a month."""
    padding = dict.fromkeys(("display", "acr_values", "ui_locales"), "x" * 8000)
    form = waiting_room.parameters(**padding, claims='{"x": "' + "x" * 7000 + '"}')
    page = waiting_room.http.post("/oauth/authorize", urlencode(form), content_type="application/x-www-form-urlencoded")
    send(waiting_room, page)
    assert ApprovalRequest.objects.get().parameters == waiting_room.parameters()


def test_an_app_has_so_many_notes_and_no_more(waiting_room: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "MAX_REQUESTS", 2)
    for number in range(3):
        waiting_room.http = Http()
        asked(waiting_room, note=f"note {number}")
    kept = ApprovalRequest.objects.order_by("requested_at").values_list("note", flat=True)
    assert list(kept) == ["note 0", "note 1", ""]


def test_whoever_asks_too_often_waits(waiting_room: Door, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "approval": "2/minute", "approval_state": "2/minute"}
    limits._limiter.cache_clear()
    page = waiting_room.ask()
    answers = [send(waiting_room, page) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert int(answers[2]["Retry-After"]) >= 1
    path = answers[0]["Location"]
    assert [state(waiting_room.http, path) for _ in range(3)] == [(200, "waiting"), (200, "waiting"), (429, "waiting")]
    limits._limiter.cache_clear()


def test_without_a_contact_the_page_names_the_server(door: Door) -> None:
    Resource.objects.update(registration_mode="approval")
    assert 'The people who run <bdi dir="ltr">localhost</bdi>' in door.ask().content.decode()


def test_it_is_said_in_the_language_that_the_app_asked_for_until_the_end(waiting_room: Door) -> None:
    page = waiting_room.ask(ui_locales="de-AT")
    assert "Um Zulassung bitten" in page.content.decode()
    path = send(waiting_room, page)["Location"]
    assert "Noch wurde nicht entschieden" in waiting_room.http.get(path).content.decode()
    decided("blocked")
    assert "Diese App ist hier nicht zugelassen" in waiting_room.http.get(path).content.decode()
    assert state(waiting_room.http, path) == (200, "decided")
