"""OpenID Connect RP-Initiated Logout 1.0: who is signed out at once, who is asked, and where they go afterwards."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Http
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEvent, BrowserSession, TokenSession, User
from authserver import limits, mint
from authserver.models import App, Client
from tests.conformance.oidc.scene import Scene
from tests.harness.approval import make_client, make_user
from tests.harness.registration import register, registered

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"
AFTERWARDS = "https://app.example/signed-out?from=here"


@pytest.fixture
def here(scene: Scene) -> Scene:
    """Ada has signed in and approved; her app has registered where people go after signing out."""
    Client.objects.update(metadata={"post_logout_redirect_uris": [AFTERWARDS, "http://127.0.0.1/bye", "com.app:/bye"]})
    scene.ask()
    return scene


def hint(here: Scene, **changed: Any) -> str:
    """An ID token that the app was given an hour ago, and that has ended since."""
    said: dict[str, Any] = {
        "client_id": here.sitting.client.client_id,
        "nonce": "",
        "auth_time": None,
        "access_token": "x",
    }
    said |= {"subject": here.sitting.person.pk, "now": timezone.now() - timedelta(hours=1)}
    return mint.id_token(**{**said, **changed})


def logout(here: Scene, method: str = "GET", **parameters: str) -> Any:
    """From the browser where Ada is."""
    if method == "GET":
        return here.sitting.http.get(f"/oauth/logout?{urlencode(parameters)}")
    return here.sitting.http.post("/oauth/logout", urlencode(parameters), FORM)


def press(here: Scene, page: Any) -> Any:
    return here.sitting.http.post("/oauth/logout", urlencode({"ticket": ticket(page)}), FORM)


def ticket(page: Any) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page.content.decode())
    assert found, page.content
    return unescape(found[1])


def is_signed_in(here: Scene) -> bool:
    return here.silently().get("error") != "login_required"


def asks(page: Any) -> bool:
    return page.status_code == 200 and "Sign out?" in page.content.decode() and "Location" not in page


def test_with_an_id_token_of_the_person_it_is_done_at_once(here: Scene) -> None:
    answer = logout(here, id_token_hint=hint(here), post_logout_redirect_uri=AFTERWARDS, state="a b&c")
    assert (answer.status_code, answer["Location"]) == (302, f"{AFTERWARDS}&state=a+b%26c")
    assert answer["Cache-Control"] == "no-store"
    assert not is_signed_in(here)


def test_a_second_time_nothing_is_left_to_do_and_the_app_hears_the_same(here: Scene) -> None:
    asked = {"id_token_hint": hint(here), "post_logout_redirect_uri": AFTERWARDS, "state": "s"}
    first, second = logout(here, **asked), logout(here, **asked)
    assert first["Location"] == second["Location"]


def test_the_old_cookie_opens_nothing(here: Scene) -> None:
    http, old = here.sitting.http, here.sitting.http.cookies["authserver-session"].value
    answer = logout(here, id_token_hint=hint(here))
    assert answer.cookies["authserver-session"].value == ""
    assert not BrowserSession.objects.filter(session_key=old).exists()
    http.cookies["authserver-session"] = old
    assert not is_signed_in(here)


def test_token_sessions_live_on_and_the_page_says_what_to_do_about_them(here: Scene) -> None:
    page = logout(here, id_token_hint=hint(here))
    assert page.status_code == 200
    text = page.content.decode()
    assert "You are signed out" in text
    assert "Apps that you have allowed keep their access" in text
    assert "remove the connection in the app itself" in text
    assert TokenSession.objects.filter(closed_at=None).exists()
    [event] = AuditEvent.objects.filter(event="browser_session.ended")
    assert (event.reason, event.client_id) == ("logout", here.sitting.client.client_id)


def test_without_a_hint_the_person_is_asked_and_one_button_does_it(here: Scene) -> None:
    page = logout(here)
    assert asks(page)
    assert is_signed_in(here)
    done = press(here, page)
    assert "You are signed out" in done.content.decode()
    assert 'http-equiv="refresh"' not in done.content.decode()
    assert not is_signed_in(here)


def test_with_a_client_id_the_person_is_told_where_they_go_and_goes_there(here: Scene) -> None:
    client_id = here.sitting.client.client_id
    page = logout(here, client_id=client_id, post_logout_redirect_uri=AFTERWARDS, state="s")
    assert asks(page)
    assert "app.example" in page.content.decode()
    done = press(here, page).content.decode()
    assert f'content="0; url={AFTERWARDS}&amp;state=s"' in done
    assert not is_signed_in(here)


def test_a_post_is_as_good_as_a_get_and_comes_back_as_one_that_has_the_cookies(here: Scene) -> None:
    asked = {"id_token_hint": hint(here), "post_logout_redirect_uri": AFTERWARDS, "state": "s"}
    there = Http().post("/oauth/logout", urlencode(asked), FORM)  # SameSite=Lax: from another site, without cookies
    assert there.status_code == 303
    answer = here.sitting.http.get(there["Location"])
    assert answer["Location"] == f"{AFTERWARDS}&state=s"
    assert not is_signed_in(here)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "https://app.example/signed-out",  # its query is missing
        f"{AFTERWARDS}&more=1",
        f"{AFTERWARDS}#fragment",
        "https://app.example/signed-out/?from=here",
        "HTTPS://app.example/signed-out?from=here",
        "//evil.example",
        "/oauth/authorize",
        "javascript:alert(1)",
        "http://localhost/bye",
        "http://127.0.0.1:99999/bye",
        "https://app.example/callback",
    ],
)
@pytest.mark.parametrize("with_hint", [True, False])
def test_an_address_that_is_not_registered_leads_nowhere(here: Scene, uri: str, with_hint: bool) -> None:
    who = {"id_token_hint": hint(here)} if with_hint else {"client_id": here.sitting.client.client_id}
    page = logout(here, post_logout_redirect_uri=uri, **who)
    assert asks(page)
    done = press(here, page)
    for answer in (page, done, logout(here, post_logout_redirect_uri=uri, **who)):
        text = answer.content.decode()
        assert answer.status_code == 200
        assert not [link for link in re.findall(r'(?:href|url|action)="?([^"]*)"', text) if not link.startswith("/")]
        assert "http-equiv" not in text


@pytest.mark.parametrize("uri", ["http://127.0.0.1:51234/bye", "com.app:/bye"])
def test_native_apps_are_returned_to_as_they_are_after_signing_in(here: Scene, uri: str) -> None:
    answer = logout(here, id_token_hint=hint(here), post_logout_redirect_uri=uri)
    assert answer["Location"] == uri


def test_an_address_without_a_client_leads_nowhere(here: Scene) -> None:
    page = logout(here, post_logout_redirect_uri=AFTERWARDS)
    assert asks(page)
    assert AFTERWARDS not in unescape(press(here, page).content.decode())


def test_a_redirect_uri_is_no_post_logout_redirect_uri(here: Scene) -> None:
    Client.objects.update(metadata={})
    page = logout(here, id_token_hint=hint(here), post_logout_redirect_uri="http://127.0.0.1:7777/callback")
    assert asks(page)


@pytest.mark.parametrize("what", ["unusable", "blocked"])
def test_an_app_that_is_let_in_no_more_gets_nobody_back(here: Scene, what: str) -> None:
    if what == "unusable":
        Client.objects.update(disabled_at=timezone.now())
    else:
        App.objects.update(state=App.State.BLOCKED)
    page = logout(here, id_token_hint=hint(here), post_logout_redirect_uri=AFTERWARDS)
    assert asks(page)


@pytest.mark.parametrize("what", ["somebody else's", "unsigned", "garbage", "access token", "other client_id", "gone"])
def test_a_hint_that_is_not_the_persons_own_signs_nobody_out(here: Scene, what: str) -> None:
    person, client_id = here.sitting.person, here.sitting.client.client_id
    parameters = {
        "somebody else's": lambda: {"id_token_hint": hint(here, subject=make_user().pk)},
        "unsigned": lambda: {"id_token_hint": hint(here).rpartition(".")[0] + "."},
        "garbage": lambda: {"id_token_hint": "a.b.c"},
        "access token": lambda: {"id_token_hint": access_token(person, client_id)},
        "other client_id": lambda: {"id_token_hint": hint(here), "client_id": make_client("another").client_id},
        "gone": lambda: {"id_token_hint": hint(here, client_id="no-such-client")},
    }[what]()
    assert asks(logout(here, **parameters, post_logout_redirect_uri=AFTERWARDS))
    assert is_signed_in(here)


def access_token(person: User, client_id: str) -> str:
    return mint.access_token(
        subject=person.pk,
        audience=client_id,
        client_id=client_id,
        scope="openid",
        tsid="t",
        lifetime_seconds=60,
        now=timezone.now(),
    )


def test_where_nobody_is_signed_in_a_link_without_a_hint_takes_nobody_anywhere_by_itself(here: Scene) -> None:
    """Anybody may register an address: a link of theirs to us must not be a way round a filter of addresses."""
    query = urlencode({"client_id": here.sitting.client.client_id, "post_logout_redirect_uri": AFTERWARDS})
    page = Http().get(f"/oauth/logout?{query}")
    text = page.content.decode()
    assert page.status_code == 200
    assert "http-equiv" not in text
    assert "app.example" in text
    assert f'href="{AFTERWARDS}"' in unescape(text)


@pytest.mark.parametrize("tampered", ["another browser", "another person", "garbage", "none"])
def test_the_button_works_on_the_page_that_this_browser_was_shown(here: Scene, tampered: str) -> None:
    sent, http = ticket(logout(here)), here.sitting.http
    if tampered == "another browser":
        other = Http()
        other.get("/oauth/logout")
        answer = other.post("/oauth/logout", urlencode({"ticket": sent}), FORM)
    elif tampered == "another person":
        here.idp.person = {"sub": "grace-2"}
        here.ask(prompt="login")
        answer = http.post("/oauth/logout", urlencode({"ticket": sent}), FORM)
    else:
        sent = {"garbage": "x.y.z", "none": ""}[tampered]
        answer = http.post("/oauth/logout", urlencode({"ticket": sent}), FORM)
    assert (answer.status_code, answer["Location"]) == (303, "/oauth/logout")
    assert is_signed_in(here)


def test_pressing_twice_is_no_error(here: Scene) -> None:
    page = logout(here)
    first, second = press(here, page), press(here, page)
    assert first.status_code == second.status_code == 200
    assert "You are signed out" in second.content.decode()


def test_an_operators_own_session_of_the_console_is_left_alone(here: Scene) -> None:
    http = Http()
    http.force_login(make_user(is_staff=True))
    assert "You are signed out" in http.get("/oauth/logout").content.decode()
    assert http.session["_auth_user_id"]


def test_ui_locales_decides_the_language_of_both_pages(here: Scene) -> None:
    page = logout(here, ui_locales="de")
    assert "Abmelden" in page.content.decode()
    assert page["Content-Language"] == press(here, page)["Content-Language"] == "de"


@pytest.mark.parametrize(
    "query", ["state=%zz", "state=%00", "id_token_hint=%ff%fe", "state=a&state=b", "state=" + "x" * 9000, "a&" * 100]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_cannot_be_read_is_a_page_and_signs_nobody_out(here: Scene, query: str, method: str) -> None:
    http = here.sitting.http
    answer = http.get(f"/oauth/logout?{query}") if method == "GET" else http.post("/oauth/logout", query, FORM)
    assert answer.status_code == 400
    assert "Nobody was signed out" in answer.content.decode()
    assert is_signed_in(here)


@pytest.mark.parametrize("name", ["id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state"])
@pytest.mark.parametrize("value", ["'; DROP TABLE", "{{ 7*7 }}", "<script>", "\r\nSet-Cookie: a=b", "\u202e", "\uffff"])
def test_whatever_a_parameter_says_is_said_back_nowhere_unescaped(here: Scene, name: str, value: str) -> None:
    page = logout(here, **{name: value})
    assert page.status_code == 200
    assert "<script>" not in page.content.decode()
    assert "Set-Cookie" not in page
    assert is_signed_in(here)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
def test_other_methods_sign_nobody_out(here: Scene, method: str) -> None:
    path = f"/oauth/logout?{urlencode({'id_token_hint': hint(here)})}"
    assert here.sitting.http.generic(method, path).status_code == 405
    assert is_signed_in(here)


def test_an_address_that_asks_too_often_waits(here: Scene, settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "logout": "1/minute"}
    limits._limiter.cache_clear()
    logout(here)
    answer = logout(here, id_token_hint=hint(here))
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def test_the_addresses_are_registered_under_the_rules_of_redirect_uris() -> None:
    """RP-Initiated Logout 1.0 section 3.1."""
    answer = registered(post_logout_redirect_uris=[AFTERWARDS, AFTERWARDS])
    assert answer["post_logout_redirect_uris"] == [AFTERWARDS]
    assert "post_logout_redirect_uris" not in registered(post_logout_redirect_uris=None)
    for wrong in (["http://app.example/"], ["https://app.example/#x"], [7], "https://app.example/", [AFTERWARDS] * 11):
        refused = register(post_logout_redirect_uris=wrong)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
        assert "post_logout_redirect_uris" in refused.json()["error_description"]
