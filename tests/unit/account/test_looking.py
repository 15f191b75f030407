"""What a person sees of their own, that it is nobody else's, and that looking changes and keeps nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, Credential, Link, TokenSession, User
from accounts.vault import vault
from accounts.vault.base import Approved, NewSession, TokenSet
from authserver import cascade
from authserver.account import overview, trail
from authserver.models import Client
from tests.harness.approval import make_client, make_provider, make_resource, register_themselves
from tests.unit.account.conftest import PAGE, eve_of, read
from tests.unit.connect.conftest import Scene, heading
from upstream.models import Visit

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_it_shows_connections_apps_the_browser_and_what_happened(scene: Scene) -> None:
    assert scene.exchange("mail").status_code == 200
    scene.http.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    words = read(scene.http.get(PAGE))
    for said in (
        "Signed in as Ada Example",
        "Mail connected",
        "who , inbox",
        "Claude through Example MCP server last used",
        "Disconnect Mail",
        "Connect Mail again",
        "It may use Example MCP server",
        "use its tools",
        "Remove access to Example MCP server",
        "Firefox on Linux (this browser) signed in with Code",
        "Example MCP server used your Mail account, for Claude.",
        "You let Claude use Example MCP server.",
        "You signed in with Code.",
    ):
        assert said in words, words


def test_a_name_that_nobody_checked_is_quoted(scene: Scene) -> None:
    register_themselves()
    words = read(scene.http.get(PAGE))
    assert "“Claude” through Example MCP server" in words
    assert "You let “Claude” use Example MCP server." in words


def test_it_is_in_the_language_of_the_persons_browser(scene: Scene) -> None:
    scene.http.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    words = read(scene.http.get(PAGE))
    assert "Ihre Verbindungen" in words
    assert "Sie haben Claude erlaubt, Example MCP server zu nutzen." in words


def test_a_connection_that_ended_there_says_so(scene: Scene) -> None:
    scene.bury("mail")
    assert "Mail needs a new sign-in" in read(scene.http.get(PAGE))


def test_a_session_that_has_run_out_is_not_shown(scene: Scene) -> None:
    TokenSession.objects.update(idle_expires_at=timezone.now() - timedelta(seconds=1))
    words = read(scene.http.get(PAGE))
    assert "No app has access." in words
    assert "No app. What no app uses is removed" in words


def test_nobody_signed_in_chooses_a_sign_in_and_sees_nothing(scene: Scene) -> None:
    page = Http().get(PAGE)
    assert heading(page) == "Sign in to see what has access"
    assert "Sign in with Code" in read(page)
    assert "Mail" not in read(page), "people cannot sign in with it"
    for path in (
        "activity",
        "sign-out",
        "connections/mail/disconnect",
        f"receipts/{'0' * 8}-0000-0000-0000-{'0' * 12}",
    ):
        answer = Http().get(PAGE + path)
        assert (answer.status_code, answer["Location"]) == (303, PAGE)


def test_a_password_session_of_the_console_is_nobody_here(scene: Scene) -> None:
    http = Http()
    http.force_login(scene.sitting.person)
    assert heading(http.get(PAGE)) == "Sign in to see what has access"


def test_without_the_slash_it_is_found_too(scene: Scene) -> None:
    assert scene.http.get("/account")["Location"] == PAGE


def test_somebody_else_sees_only_their_own(scene: Scene) -> None:
    scene.exchange("mail")
    eve = eve_of(scene)
    words = read(eve.get(PAGE))
    assert "Ada" not in words
    assert words.count("Remove access to") == 1
    assert "used your" not in read(eve.get(f"{PAGE}activity"))


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_somebody_elses_is_as_little_there_as_what_is_nowhere(scene: Scene, method: str) -> None:
    eve = eve_of(scene)
    theirs = TokenSession.objects.get(user=scene.sitting.person)
    other = make_client("other", name="Other")
    Credential.objects.exclude(user=scene.sitting.person).filter(provider="mail").delete()
    paths = [
        f"sessions/{theirs.tsid}/remove",
        "sessions/nobody-has-this-one/remove",
        f"apps/{other.pk}/remove",
        f"apps/{10**30}/remove",
        "connections/mail/disconnect",
        "connections/nowhere/disconnect",
    ]
    answers = [getattr(eve, method)(PAGE + path) for path in paths]
    assert {(answer.status_code, heading(answer)) for answer in answers} == {(404, "There is no such page")}
    assert TokenSession.objects.filter(closed_at=None).count() == 2


def test_somebody_elses_receipt_is_not_there(scene: Scene) -> None:
    eve = eve_of(scene)
    done = scene.http.post(f"{PAGE}connections/mail/disconnect")
    assert scene.http.get(done["Location"]).status_code == 200
    assert eve.get(done["Location"]).status_code == 404


def test_looking_changes_nothing_and_is_kept_nowhere(scene: Scene) -> None:
    def state() -> Any:
        kept = (TokenSession, Credential, Link, AuditEvent, Visit, User)
        return [list(model.objects.order_by("pk").values()) for model in kept]

    client = scene.sitting.client
    before = state()
    for path in (
        "",
        "activity",
        "sign-out",
        "connections/mail/disconnect",
        f"sessions/{scene.session.tsid}/remove",
        f"apps/{client.pk}/remove",
    ):
        answer = scene.http.get(PAGE + path)
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store"
        assert scene.http.head(PAGE + path).status_code == 200
    for path in ("sign-in", "connections/mail/reconnect"):
        assert scene.http.get(PAGE + path).status_code == 405
    assert state() == before


@pytest.mark.parametrize("many", [1, 30])
def test_it_costs_the_same_for_many_as_for_one(scene: Scene, many: int) -> None:
    """The person's session and row, their browsers, seven for what they have, nothing for each of it."""
    person, now = scene.sitting.person, timezone.now()
    TokenSession.objects.all().delete()
    Credential.objects.all().delete()
    resource = make_resource("https://many.example.com/mcp", name="Many")
    held = []
    for number in range(min(many, 5)):
        make_provider(f"up-{number}")
        held.append(vault().credentials.keep(person.pk, f"up-{number}", "me", TokenSet("x", scopes=("s",)), now=now))
    for number in range(many):
        client = make_client(f"client-{number}", name=f"Client {number}")
        vault().sessions.open(
            NewSession(person.pk, client.client_id, "127.0.0.1", resource.identifier, ("mcp:tools",),
                       idle_expires_at=now + timedelta(days=1), expires_at=now + timedelta(days=1),
                       approved=tuple(Approved(one.id, one.provider, ("s",)) for one in held)),
            now=now,
        )  # fmt: skip
    with CaptureQueriesContext(connection) as captured:
        page = scene.http.get(PAGE)
    assert read(page).count("Remove access to Many") == many
    assert len(captured) == 10, [query["sql"] for query in captured]
    with CaptureQueriesContext(connection) as captured:
        scene.http.get(f"{PAGE}activity")
    assert len(captured) == 6, [query["sql"] for query in captured]


def test_more_than_a_page_can_show_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MAX_SESSIONS", 1)
    assert "There are more" not in read(scene.http.get(PAGE))
    assert "code" in scene.sitting.whole("notes", prompt="consent")
    words = read(scene.http.get(PAGE))
    assert "There are more" in words
    assert words.count("Remove access to") == 1


def test_the_trail_is_read_along_its_index(scene: Scene) -> None:
    newest = trail.newest(scene.sitting.person.pk, limit=3, before=10**6)
    assert newest
    own = AuditEvent.objects.filter(user_id=scene.sitting.person.pk, pk__lt=10**6).order_by("-id")[:3]
    plan = own.explain()
    if connection.vendor == "sqlite":  # PostgreSQL plans by the size of the table, and this one is empty
        assert "audit_user" in plan
        assert "TEMP B-TREE" not in plan


def test_what_happened_goes_on_page_by_page_and_the_same_in_a_row_is_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        scene.exchange("mail")
    page = scene.http.get(f"{PAGE}activity")
    assert "used your Mail account, for Claude. (3 times)" in read(page)
    assert "Older" not in read(page)
    monkeypatch.setattr(trail, "PAGE", 2)
    seen, path = [], f"{PAGE}activity"
    for _ in range(10):
        page = scene.http.get(path)
        seen.append(read(page))
        if "Older" not in seen[-1]:
            break
        path = f"{PAGE}activity?before={page.context['page'].older_than}"
    assert "You signed in with Code." in seen[-1]
    assert "Newest" in seen[-1]
    assert len(seen) > 2


@pytest.mark.parametrize("before", ["x", "-1", "9" * 19, "9" * 400, "٣", "0", "%00"])
def test_a_made_up_place_in_it_is_harmless(scene: Scene, before: str) -> None:
    assert scene.http.get(f"{PAGE}activity?before={before}").status_code == 200


def test_what_operators_and_clients_end_is_told_too(scene: Scene) -> None:
    cascade.revoke_sessions(
        [scene.session.tsid], reason="admin", actor="root", address="198.51.100.9", words="laptop stolen"
    )
    words = read(scene.http.get(f"{PAGE}activity"))
    assert "The access of Claude to Example MCP server was ended." in words
    for theirs in ("root", "198.51.100.9", "laptop"):
        assert theirs not in words


def test_a_name_cannot_turn_the_sentence_around_it(scene: Scene) -> None:
    Client.objects.update(name="\u202eedualC\u2069\u2069")
    assert "You let \u2068edualC\u2069 use" in scene.http.get(PAGE).content.decode()


def test_other_pages_lead_here(scene: Scene) -> None:
    assert f'href="{PAGE}"' in Http().get("/").content.decode()
