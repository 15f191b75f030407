"""What operators who come through an upstream prove beside it: a second factor, here or there, and again that it is they."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client as Http

from accounts.models import AuditEvent, User
from authserver import second_factor
from authserver.console import threshold
from tests.fakes.oidc import FakeOidc
from tests.unit.console.crawl import ROOT
from tests.unit.console.test_confirming import later
from tests.unit.console.test_second_factor import CODE, ENROL, Phone, enrol
from tests.unit.console.upstream_operators import Browser, change, let_in_by
from tests.unit.upstream.journeys import provider_at
from upstream import discovery
from upstream.models import Provider

pytestmark = pytest.mark.django_db
COSTLY = f"{ROOT}authserver/client/add/"


@pytest.fixture
def oidc() -> Iterator[FakeOidc]:
    discovery.forget()
    with FakeOidc() as fake:
        fake.person |= {"groups": ["admins"]}
        yield fake
    discovery.forget()


@pytest.fixture(autouse=True)
def provider(oidc: FakeOidc, settings: Any) -> Iterator[Provider]:
    settings.REQUIRE_TOTP = True
    row = provider_at(oidc, Provider.Type.OIDC)
    with let_in_by():
        yield row


def said(oidc: FakeOidc, **claims: Any) -> None:
    """What the ID tokens from now on say beside the rest; UserInfo does not."""
    oidc.forge = lambda token: token.update(claims)


# --- The second factor --------------------------------------------------------------------------------------------


def test_our_own_second_factor_is_asked_and_until_then_nobody_is_in() -> None:
    browser = Browser()
    assert browser.sign_in()["Location"] == CODE
    assert browser.http.get(CODE)["Location"] == ENROL
    assert not browser.is_in
    assert "_auth_user_id" not in browser.http.session
    phone, _codes = enrol(browser.http)
    assert browser.is_in
    assert AuditEvent.objects.get(event="console.login").reason == "upstream fake and new authenticator"
    again = Browser()
    again.sign_in()
    assert not again.is_in
    assert again.http.post(CODE, {"code": "000000"}).status_code == 200
    type(second_factor.of(browser.user)).objects.update(throttling_failure_timestamp=None, last_step=-1)
    assert again.http.post(CODE, {"code": phone.shows()}).status_code == 302
    assert again.is_in


def test_what_the_upstream_says_of_a_second_factor_counts_only_where_the_operator_says_so(oidc: FakeOidc) -> None:
    said(oidc, amr=["pwd", "mfa"], acr="gold")
    browser = Browser()
    assert browser.sign_in()["Location"] == CODE
    assert not browser.is_in


@pytest.mark.parametrize(
    ("wanted", "claims"),
    [
        ({"amr": ["mfa", "hwk"]}, {"amr": ["pwd", "hwk"]}),
        ({"acr": ["gold"]}, {"acr": "gold"}),
        ({"amr": ["mfa"], "acr": ["gold"]}, {"amr": ["mfa"], "acr": "gold"}),
    ],
)
def test_the_upstreams_own_takes_its_place_where_it_says_so(
    wanted: dict[str, list[str]], claims: dict[str, Any], oidc: FakeOidc
) -> None:
    change(second_factor=wanted)
    said(oidc, **claims)
    browser = Browser()
    browser.sign_in()
    assert browser.is_in
    assert browser.asked.get("acr_values") == (" ".join(wanted["acr"]) if "acr" in wanted else None)
    change(second_factor={})
    assert not browser.is_in


@pytest.mark.parametrize(
    ("wanted", "claims"),
    [
        ({"amr": ["mfa"]}, {}),
        ({"amr": ["mfa"]}, {"amr": "mfa"}),
        ({"amr": ["mfa"]}, {"amr": ["MFA", "pwd", "mfa "]}),
        ({"amr": ["mfa"]}, {"amr": [["mfa"]]}),
        ({"amr": ["mfa"]}, {"amr": {"mfa": True}}),
        ({"amr": ["mfa"]}, {"acr": "mfa"}),
        ({"acr": ["gold"]}, {"acr": ["gold"]}),
        ({"acr": ["gold"]}, {"acr": "golden"}),
        ({"amr": ["mfa"], "acr": ["gold"]}, {"amr": ["mfa"]}),
    ],
)
def test_where_it_does_not_say_so_nobody_comes_in(
    wanted: dict[str, list[str]], claims: dict[str, Any], oidc: FakeOidc
) -> None:
    change(second_factor=wanted)
    said(oidc, **claims)
    answer = Browser().sign_in()
    assert (answer.status_code, "did not say that you gave a second factor" in answer.content.decode()) == (403, True)
    assert AuditEvent.objects.get(event="console.login_failed").reason == "no_second_factor"
    assert not User.objects.exists()


def test_only_the_signed_token_says_it(oidc: FakeOidc) -> None:
    change(second_factor={"amr": ["mfa"]})
    oidc.userinfo = {"amr": ["mfa"]}
    assert Browser().sign_in().status_code == 403


# --- Asked again ------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(oidc: FakeOidc) -> Browser:
    """In, without an authenticator, for longer than ten minutes."""
    change(second_factor={"amr": ["mfa"]})
    said(oidc, amr=["mfa"], auth_time=int(time.time()))
    browser = Browser()
    browser.sign_in()
    assert browser.http.get(COSTLY).status_code == 200
    later(browser.http)
    assert browser.http.get(COSTLY)["Location"].startswith(f"{ROOT}confirm/")
    return browser


def test_a_new_sign_in_there_confirms_it_and_they_go_on_where_they_were(browser: Browser, oidc: FakeOidc) -> None:
    said(oidc, amr=["mfa"], auth_time=int(time.time()))
    key = browser.http.session.session_key
    assert browser.prove(COSTLY)["Location"] == COSTLY
    assert (browser.asked["prompt"], browser.asked["max_age"]) == ("login", "0")
    page = browser.http.get(COSTLY)
    assert (page.status_code, "has not been done yet" in page.content.decode()) == (200, True)
    assert browser.http.session.session_key == key
    assert AuditEvent.objects.get(event="console.confirmed").reason == "upstream fake"


@pytest.mark.parametrize("auth_time", [None, "now", True, 0, -3600, 1.5])
def test_a_sign_in_that_nobody_was_asked_for_confirms_nothing(auth_time: Any, browser: Browser, oidc: FakeOidc) -> None:
    earlier = int(time.time()) - 3600 if auth_time == -3600 else auth_time
    said(oidc, amr=["mfa"], auth_time=earlier)
    answer = browser.prove(COSTLY)
    assert answer["Location"].startswith(f"{ROOT}confirm/?next=")
    assert browser.http.get(COSTLY).status_code == 302
    assert browser.is_in
    assert not AuditEvent.objects.filter(event="console.confirmed").exists()


def test_somebody_else_who_signs_in_there_confirms_nothing(browser: Browser, oidc: FakeOidc) -> None:
    oidc.person["sub"] = "somebody-else"
    said(oidc, amr=["mfa"], auth_time=int(time.time()))
    assert browser.prove(COSTLY)["Location"].startswith(f"{ROOT}confirm/")
    assert "Somebody else" in browser.http.get(f"{ROOT}confirm/").content.decode()
    assert browser.http.get(COSTLY).status_code == 302
    assert User.objects.count() == 1


def test_a_group_lost_meanwhile_confirms_nothing_and_ends_it(browser: Browser, oidc: FakeOidc) -> None:
    oidc.person["groups"] = []
    said(oidc, amr=["mfa"], auth_time=int(time.time()))
    answer = browser.http.get(browser.at_provider(browser.press(f"{ROOT}confirm/")))
    assert browser.http.get(answer["Location"])["Location"].startswith(f"{ROOT}login/")
    assert not browser.is_in


def test_a_confirmation_that_comes_back_too_late_lets_nobody_in(browser: Browser, oidc: FakeOidc) -> None:
    said(oidc, amr=["mfa"], auth_time=int(time.time()))
    callback = browser.at_provider(browser.press(f"{ROOT}confirm/"))
    browser.http.post(f"{ROOT}logout/")
    browser.http.get(callback)
    assert not browser.is_in


def test_who_is_still_signed_in_there_has_proved_nothing_by_coming_in(oidc: FakeOidc) -> None:
    """Else whoever finds the browser open signs out and in again, and is asked for nothing."""
    change(second_factor={"amr": ["mfa"]})
    for auth_time in (None, int(time.time()) - 3600):
        said(oidc, amr=["mfa"], **({} if auth_time is None else {"auth_time": auth_time}))
        browser = Browser()
        browser.sign_in()
        assert browser.is_in
        assert browser.http.get(COSTLY)["Location"].startswith(f"{ROOT}confirm/")


def test_who_has_an_authenticator_confirms_with_that(oidc: FakeOidc) -> None:
    browser = Browser()
    browser.sign_in()
    phone, codes = enrol(browser.http)
    assert browser.http.get(COSTLY).status_code == 200
    later(browser.http)
    confirm = browser.http.get(COSTLY)["Location"]
    assert "authenticator app" in browser.http.get(confirm).content.decode()
    assert browser.http.post(confirm, {"code": codes[0]})["Location"] == COSTLY
    assert isinstance(phone, Phone)


def test_an_upstream_that_is_away_is_said_and_confirms_nothing(browser: Browser, oidc: FakeOidc) -> None:
    oidc.down = {"/.well-known/openid-configuration"}
    discovery.forget()
    page = browser.press(f"{ROOT}confirm/")
    assert (page.status_code, "cannot be reached" in page.content.decode()) == (200, True)
    assert browser.http.get(COSTLY).status_code == 302


# --- Passwords of people whom groups make operators ---------------------------------------------------------------------


def test_no_password_opens_the_console_to_whom_groups_make_an_operator(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.REQUIRE_TOTP = False
    browser = Browser()
    browser.sign_in()
    user = browser.user
    user.set_password("a password nobody guesses")  # as a superuser may have done before
    user.save()
    form = {"username": user.username, "password": "a password nobody guesses", "next": ROOT}
    http = Http()
    assert http.post(f"{ROOT}login/", form).status_code == 200
    assert http.get(ROOT).status_code == 302
    assert threshold.ENTERED not in http.session
