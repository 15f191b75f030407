"""Operators' notes on an app: added, never changed, in their order."""

from __future__ import annotations

import pytest
from django.test import Client as Http

from accounts.models import AuditEvent
from authserver.models import MAX_NOTE, App, AppNote
from tests.unit.console.conftest import Operator
from tests.unit.console.test_apps import APPS, app_of
from tests.unit.console.test_merging import said, send

pytestmark = pytest.mark.django_db


def add(http: Http, app: App, text: str) -> str:
    return said(http.post(f"{APPS}{app.pk}/note/", {"text": text}, follow=True))


def test_notes_are_a_history_with_who_and_when_and_are_in_the_trail(superuser: Http) -> None:
    app = app_of("Claude Code")
    add(superuser, app, "asked their support")
    page = add(superuser, app, "they <b>answered</b>\nand it is fine")
    assert page.index("they &lt;b&gt;answered&lt;/b&gt;\nand it is fine") < page.index("asked their support")
    first = AppNote.objects.earliest("pk")
    assert f"{first.at:%Y-%m-%d %H:%M}" in page
    assert (first.by, first.text) == ("root", "asked their support")
    events = AuditEvent.objects.filter(event="app.noted").order_by("pk")
    assert [(event.actor, event.detail["app"]) for event in events] == [("root", str(app.pk))] * 2
    assert events[0].detail["note"] == "asked their support"


@pytest.mark.parametrize("text", ["", "  ", "x" * (MAX_NOTE + 1), "a\x00b"])
def test_what_is_no_note_is_refused_in_words(text: str, superuser: Http) -> None:
    app = app_of("Claude Code")
    assert "The note was not added" in add(superuser, app, text)
    assert not AppNote.objects.exists()


def test_the_page_shows_the_newest_and_leads_to_all(superuser: Http) -> None:
    app, other = app_of("Claude Code"), app_of("Other")
    now = app.created_at
    AppNote.objects.bulk_create(AppNote(app=app, at=now, by="root", text=f"note {n}.") for n in range(60))
    AppNote.objects.create(app=other, at=now, by="root", text="not this one")
    page = said(superuser.get(f"{APPS}{app.pk}/change/"))
    assert page.count('class="app-note"') == 50
    assert "note 59." in page
    assert "note 3." not in page
    every = f"/admin/authserver/appnote/?app={app.pk}"
    assert every in page
    listed = said(superuser.get(every))
    assert "60 notes on apps" in listed
    assert "not this one" not in listed


def test_the_notes_of_a_merged_app_stand_on_the_page_of_the_one_that_stays(superuser: Http) -> None:
    main, other = app_of("Claude Code"), app_of("Other")
    add(superuser, other, "seen at a customer's")
    send(superuser, main, other)
    assert "seen at a customer&#x27;s" in said(superuser.get(f"{APPS}{main.pk}/change/"))
    assert "and again" in add(superuser, other, "and again")


def test_whoever_may_only_look_reads_notes_and_writes_none(staff: Operator, superuser: Http) -> None:
    app = app_of("Claude Code")
    add(superuser, app, "asked their support")
    viewer = staff("authserver.view_app")
    page = said(viewer.get(f"{APPS}{app.pk}/change/"))
    assert "asked their support" in page
    assert "Add note" not in page
    assert viewer.post(f"{APPS}{app.pk}/note/", {"text": "x"}).status_code == 403
    assert AppNote.objects.count() == 1


@pytest.mark.parametrize("key", ["x", "9" * 30, "0"])
def test_a_note_on_no_app_is_not_found(key: str, superuser: Http) -> None:
    assert superuser.post(f"{APPS}{key}/note/", {"text": "x"}).status_code == 404
