"""Which language a person reads: `ui_locales` of the request, else `Accept-Language`, else English."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client as Http
from django.utils import timezone, translation
from pytest_django.fixtures import Settings

from authserver.models import PendingAuthorization
from tests.harness.approval import make_user
from tests.unit.authorize.answers import sent_to, ticket_of
from tests.unit.authorize.conftest import Door
from tests.unit.authorize.sitting import FORM
from tests.unit.authorize.town import Town
from upstream.models import Visit

pytestmark = pytest.mark.django_db


def language(answer: Any) -> str:
    """Of a page, which says it in three places."""
    found = re.search(r'<html lang="([^"]+)" dir="ltr">', answer.content.decode())
    assert found, answer.content.decode()[:500]
    assert answer["Content-Language"] == found[1]
    assert "Accept-Language" in answer["Vary"].split(", ")
    return found[1]


@pytest.fixture
def german(door: Door) -> Door:
    door.http = Http(headers={"accept-language": "de-AT,de;q=0.9,en;q=0.8"})
    return door


def test_a_browser_that_asks_for_german_gets_it(german: Door) -> None:
    page = german.ask()
    assert language(page) == "de"
    words = page.content.decode()
    for expected in ("möchte <bdi>Example MCP server</bdi> in Ihrem Namen nutzen", "Ablehnen", "use its tools"):
        assert expected in words


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        (None, "en"),
        ("", "en"),
        ("fr, it;q=0.5", "en"),
        ("fr, de;q=0.5", "de"),
        ("en;q=0.5, de", "de"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("DE-CH-1996", "de"),
        ("nonsense;;q=", "en"),
        ("x" * 5000, "en"),
    ],
)
def test_a_browser_gets_the_first_language_that_there_is(door: Door, asked: str | None, read: str) -> None:
    door.http = Http(headers={"accept-language": asked} if asked is not None else {})
    assert language(door.ask()) == read


def test_what_the_app_asks_for_comes_before_what_the_browser_asks_for(german: Door) -> None:
    assert language(german.ask(ui_locales="en")) == "en"
    german.http = Http()
    assert language(german.ask(ui_locales="de")) == "de"


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("de-AT", "de"),
        ("DE", "de"),
        ("de-Latn-CH-1996", "de"),
        ("fr-CA fr de en", "de"),
        ("en de", "en"),
        ("  de ", "de"),
        ("fr", "en"),
        ("det", "en"),
        ("de_AT", "en"),
        ("-", "en"),
        ("-- \u202e é <b>", "en"),
        ("../../de", "en"),
        ("en-" * 40 + "de", "en"),
        ("fr " * 33 + "d", "en"),
        ("fr " * 32 + "  de", "de"),
        ("fr " * 33 + "de", "en"),  # 101 characters: as good as nothing
        ("de " * 2000, "en"),
    ],
)
def test_the_first_of_its_languages_that_there_is_counts_and_none_is_an_error(
    door: Door, asked: str, read: str
) -> None:
    page = door.ask(ui_locales=asked)
    assert (page.status_code, language(page)) == (200, read)


def test_an_unknown_language_of_the_app_leaves_it_to_the_browser(german: Door) -> None:
    assert language(german.ask(ui_locales="fr")) == "de"


def test_the_next_request_of_the_same_worker_is_in_english(door: Door) -> None:
    assert language(door.ask(ui_locales="de")) == "de"
    assert translation.get_language() == "en"
    assert language(Http().get("/")) == "en"
    assert language(door.ask()) == "en"


def test_a_cookie_says_nothing(door: Door) -> None:
    door.http.cookies[configured.LANGUAGE_COOKIE_NAME] = "de"
    assert language(door.ask()) == "en"


def test_the_whole_journey_stays_in_the_apps_language(town: Town) -> None:
    """A page after the consent form, the way back from a provider, and what is read where it brought nothing."""
    town.notes.params = {"code": None, "error": "access_denied"}
    leaving = town.sitting.approve(town.sitting.begin(ui_locales="de"))
    assert language(leaving) == "de"
    page = town.sitting.go_on(leaving)
    assert language(page) == "de"
    assert "Notes wurde nicht verbunden" in page.content.decode()
    assert language(town.sitting.choose(page, "try_again")) == "de"


def test_a_visit_to_a_provider_remembers_it_for_the_way_back(town: Town) -> None:
    town.sitting.approve(town.sitting.begin(ui_locales="de-AT"))
    assert Visit.objects.get().language == "de"


def test_a_callback_that_cannot_go_on_is_still_in_the_apps_language(town: Town) -> None:
    _, query = sent_to(town.sitting.approve(town.sitting.begin(ui_locales="de")))
    callback = f"/oauth/callback?code=x&state={query['state']}"
    elsewhere = Http().get(callback)
    assert (elsewhere.status_code, language(elsewhere)) == (400, "de")
    assert "Diese Anmeldung kann nicht weitergehen" in elsewhere.content.decode()
    assert language(Http().get("/oauth/callback?code=x&state=unknown")) == "en"


def test_another_browser_and_a_second_answer_are_told_in_the_apps_language(door: Door) -> None:
    door.sign_in()
    page = door.ask(ui_locales="de")
    stranger = Http().post("/oauth/authorize", f"ticket={ticket_of(page)}&decision=approve", content_type=FORM)
    assert (stranger.status_code, language(stranger)) == (400, "de")
    assert "nicht in diesem Browser begonnen" in stranger.content.decode()
    door.answer(page)
    again = door.answer(page)
    assert (again.status_code, language(again)) == (400, "de")
    assert "schon beantwortet" in again.content.decode()


def test_what_came_too_late_is_told_in_the_apps_language_and_starts_again_in_it(town: Town, settings: Settings) -> None:
    town.sitting.approve(town.sitting.begin(ui_locales="de"))
    PendingAuthorization.objects.update(expires_at=timezone.now())
    page = town.sitting.http.get(Visit.objects.get().return_path)
    assert (page.status_code, language(page)) == (400, "de")
    assert "ui_locales=de" in page.content.decode()


def test_errors_of_the_request_itself_are_told_in_the_apps_language(door: Door, settings: Settings) -> None:
    for changed in ({"client_id": "unknown"}, {"redirect_uri": "http://127.0.0.1:7777/other"}):
        page = door.ask(ui_locales="de", **changed)
        assert (page.status_code, language(page)) == (400, "de")
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "authorize": "1/minute"}
    for _ in range(2):
        page = door.ask(ui_locales="de")
    assert (page.status_code, language(page)) == (429, "de")
    assert re.search(r"Warten Sie \d+ Sekunden und laden", page.content.decode())


def test_a_request_that_cannot_be_read_is_told_in_the_browsers(german: Door) -> None:
    page = german.raw("client_id=a&client_id=b&ui_locales=en")
    assert (page.status_code, language(page)) == (400, "de")
    words = page.content.decode()
    assert "Die Anfrage der App ist nicht lesbar" in words
    assert "is repeated" in words  # for whoever makes the app


def test_whoever_signs_out_on_the_way_comes_back_in_the_apps_language(door: Door) -> None:
    door.sign_in()
    ticket = ticket_of(door.ask(ui_locales="de"))
    answer = door.http.post("/oauth/authorize/switch", f"ticket={ticket}", content_type=FORM)
    assert sent_to(answer)[1]["ui_locales"] == "de"


def test_identity_scopes_are_in_the_persons_language_and_a_resources_are_as_configured(german: Door) -> None:
    words = german.ask(scope="mcp:tools openid email").content.decode()
    for expected in ("use its tools", "wissen, wer Sie sind", "Ihre E-Mail-Adresse sehen"):
        assert expected in words


def test_the_client_hears_english_whatever_the_person_reads(german: Door) -> None:
    german.sign_in(make_user())
    assert sent_to(german.answer(german.ask(), "deny"))[1]["error_description"] == "The person did not approve."


def test_programs_hear_english_and_no_cache_keeps_two_of_anything(german: Door) -> None:
    http = german.http
    for answer in (
        http.post("/oauth/token", "grant_type=nonsense", content_type=FORM),
        http.get("/.well-known/oauth-authorization-server"),
        http.get("/api/v1/sessions/x/upstream-tokens"),
    ):
        assert "Content-Language" not in answer
        assert "Accept-Language" not in answer.get("Vary", "")


@pytest.mark.parametrize("path", ["/api/v1/docs", "/demo/"])
def test_pages_for_developers_are_in_english(german: Door, path: str) -> None:
    page = german.http.get(path)
    assert (page["Content-Language"], "Accept-Language" in page.get("Vary", "")) == ("en", False)
    assert '<html lang="en"' in page.content.decode()


def test_the_metadata_lists_exactly_the_languages_there_are(door: Door) -> None:
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"):
        assert door.http.get(path).json()["ui_locales_supported"] == ["en", "de"]


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("/", 200, "Dieser Server übernimmt die Anmeldung für MCP-Apps"),
        ("/nowhere", 404, "Diese Seite gibt es nicht"),
        ("/oauth/connect/nonsense", 400, "Dieser Link gilt nicht mehr"),
    ],
)
def test_every_other_page_is_in_the_browsers_language(german: Door, path: str, status: int, heading: str) -> None:
    page = german.http.get(path)
    assert (page.status_code, language(page)) == (status, "de")
    assert heading in page.content.decode()


@pytest.mark.urls("tests.browser.gallery")
@pytest.mark.parametrize(("path", "status", "words"), [("/fail", 500, "schiefgegangen"), ("/away", 503, "im Moment")])
def test_failures_of_ours_are_in_the_persons_language(path: str, status: int, words: str) -> None:
    page = Http(raise_request_exception=False, headers={"accept-language": "de"}).get(path)
    assert (page.status_code, language(page)) == (status, "de")
    assert words in page.content.decode()


def test_what_is_refused_at_the_edge_is_in_the_persons_language(german: Door) -> None:
    answer = german.http.get("/", headers={"host": "other.example"})
    assert (answer.status_code, answer["Content-Language"]) == (400, "de")
    assert answer.content.decode() == "Dieser Server antwortet unter diesem Namen nicht.\n"
    machine = german.http.get("/api/v1/docs", headers={"host": "other.example"})
    assert machine.json()["error_description"] == "This server does not answer to that host name."
