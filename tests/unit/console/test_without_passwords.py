"""`AUTHSERVER_ADMIN_PASSWORD_SIGN_IN=0`: no password opens the console or confirms anything; a one-time link still does."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Http

from accounts.models import AuditEvent, User
from authserver import second_factor
from tests.harness.approval import make_provider
from tests.unit.console.conftest import browser
from tests.unit.console.crawl import ROOT
from tests.unit.console.test_confirming import later
from tests.unit.console.test_links import admin_link
from tests.unit.console.test_second_factor import enrol
from tests.unit.console.upstream_operators import let_in_by

pytestmark = pytest.mark.django_db
LOGIN, CONFIRM = f"{ROOT}login/", f"{ROOT}confirm/"
PASSWORD = "a password nobody guesses"


@pytest.fixture(autouse=True)
def root(settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ADMIN_PASSWORD_SIGN_IN = False
    return User.objects.create_superuser("root", password=PASSWORD)


def test_the_form_is_gone_and_what_is_posted_to_it_is_refused() -> None:
    http = Http()
    page = http.get(LOGIN).content.decode()
    assert 'type="password"' not in page
    assert "Whoever runs the server can make a one-time link" in page
    answer = http.post(LOGIN, {"username": "root", "password": PASSWORD, "next": ROOT})
    assert (answer.status_code, "Nobody comes in here with a password" in answer.content.decode()) == (403, True)
    assert http.get(ROOT).status_code == 302
    assert not AuditEvent.objects.filter(event="console.login").exists()


def test_the_upstreams_button_stands_alone() -> None:
    make_provider("corp", display_name="Corp")
    with let_in_by("corp"):
        page = Http().get(LOGIN).content.decode()
    assert "Sign in with Corp" in page
    assert 'type="password"' not in page
    assert "one-time link" not in page


def test_a_link_lets_in_once_and_leaves_no_password(root: User) -> None:
    link, http = admin_link("root"), Http()
    page = http.get(link).content.decode()
    assert 'type="password"' not in page
    assert "takes no password" in page
    assert http.post(link)["Location"] == ROOT
    assert http.get(ROOT).status_code == 200
    root.refresh_from_db()
    assert not root.has_usable_password()
    for answer in (Http().get(link), Http().post(link)):
        assert answer.status_code == 404
    assert AuditEvent.objects.get(event="console.login").reason == "link"


def test_a_link_is_followed_by_the_second_factor(settings: Any) -> None:
    settings.REQUIRE_TOTP = True
    http = Http()
    assert http.post(admin_link("root"))["Location"] == f"{ROOT}second-step/"
    assert http.get(ROOT).status_code == 302
    enrol(http)
    assert http.get(ROOT).status_code == 200


def test_no_password_confirms_anything(root: User) -> None:
    http = later(browser(root))
    page = http.get(CONFIRM)
    assert 'type="password"' not in page.content.decode()
    assert "Sign in with another link" in page.content.decode()
    http.post(CONFIRM, {"password": PASSWORD})
    assert http.get(f"{ROOT}authserver/client/add/").status_code == 302
    assert not AuditEvent.objects.filter(event="console.confirmed").exists()


def test_a_code_still_does(root: User) -> None:
    http = browser(root)
    _phone, codes = enrol(http)
    later(http)
    assert http.post(CONFIRM, {"code": codes[0]})["Location"] == ROOT
    assert second_factor.recovery_codes_left(root) == len(codes) - 1


def test_nobody_changes_a_password_that_opens_nothing(root: User) -> None:
    http = browser(root)
    assert "password_change" not in http.get(ROOT).content.decode()
    form = {"old_password": PASSWORD, "new_password1": "x" * 20, "new_password2": "x" * 20}
    assert http.post(f"{ROOT}password_change/", form).status_code == 403
    root.refresh_from_db()
    assert root.check_password(PASSWORD)


def test_where_passwords_are_taken_the_page_offers_both(settings: Any) -> None:
    settings.ADMIN_PASSWORD_SIGN_IN = True
    make_provider("corp", display_name="Corp")
    with let_in_by("corp"):
        page = Http().get(LOGIN).content.decode()
    assert "Sign in with Corp" in page
    assert 'type="password"' in page
