"""Into the console with a password: how often it may be tried, what is said of it, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client as Http

from accounts.models import AuditEvent, User
from authserver import limits
from tests.unit.console.crawl import ROOT

pytestmark = pytest.mark.django_db
LOGIN = f"{ROOT}login/"
PASSWORD, WRONG = "a password nobody guesses", "one that somebody guessed"


@pytest.fixture(autouse=True)
def fresh_windows(settings: Any) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # how slow it is matters elsewhere
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "admin_login": "3/minute"}
    limits._limiter.cache_clear()
    yield
    limits._limiter.cache_clear()


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


def attempt(username: str, password: str = WRONG, address: str = "192.0.2.1") -> Any:
    return Http(REMOTE_ADDR=address).post(LOGIN, {"username": username, "password": password, "next": ROOT})


def events(event: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(event=event).order_by("id"))


def test_what_is_said_does_not_depend_on_whether_there_is_such_an_account(root: User) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    User.objects.create_superuser("gone", password=PASSWORD, is_active=False)
    pages = [
        attempt("root", address="192.0.2.1"),
        attempt("nobody", address="192.0.2.2"),
        attempt("ada", PASSWORD, address="192.0.2.3"),  # right, and no operator's
        attempt("gone", PASSWORD, address="192.0.2.4"),
    ]
    said = {tuple(page.context["form"].non_field_errors()) for page in pages}
    assert len(said) == 1
    assert [page.status_code for page in pages] == [200] * 4


@pytest.mark.parametrize("username", ["root", "nobody"])
def test_an_account_is_guessed_at_from_many_places_only_so_often(username: str, root: User) -> None:
    answers = [attempt(username, address=f"192.0.2.{number}") for number in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    stopped = attempt(f" {username.upper()}", PASSWORD, address="192.0.2.9")
    assert stopped.status_code == 429
    assert 0 < int(stopped["Retry-After"]) <= 60
    assert "Too many attempts" in stopped.content.decode()


def test_one_network_tries_many_accounts_only_so_often(root: User) -> None:
    places = [f"2001:db8:1:2::{number}" for number in range(1, 6)]  # one /64
    codes = [attempt(f"name-{number}", address=place).status_code for number, place in enumerate(places)]
    assert codes == [200, 200, 200, 429, 429]
    assert attempt("root", PASSWORD, address="2001:db8:1:3::1").status_code == 302


def test_beyond_the_limit_a_right_password_is_no_help(root: User) -> None:
    for _ in range(3):
        attempt("root")
    assert attempt("root", PASSWORD).status_code == 429
    assert not events("console.login")


def test_a_network_that_is_stopped_does_not_lock_others_out(root: User) -> None:
    for number in range(3):
        attempt(f"name-{number}", address="192.0.2.66")
    for _ in range(5):
        attempt("root", address="192.0.2.66")
    assert attempt("root", PASSWORD).status_code == 302


def test_the_trail_says_who_came_in_and_who_did_not_and_from_where(root: User) -> None:
    attempt("root")
    attempt("root", PASSWORD)
    [failed], [entered] = events("console.login_failed"), events("console.login")
    assert (failed.outcome, failed.actor, failed.user_id, failed.address) == ("refused", "root", root.pk, "192.0.2.1")
    assert (entered.outcome, entered.actor, entered.user_id, entered.address) == ("ok", "root", root.pk, "192.0.2.1")


def test_a_name_that_nobody_has_is_not_written_down(root: User) -> None:
    attempt(PASSWORD)
    [failed] = events("console.login_failed")
    assert (failed.actor, failed.user_id, failed.detail) == ("", None, {})


@pytest.mark.parametrize("form", [{}, {"username": "\x00"}, {"username": "x" * 5000, "password": "\x00"}])
def test_a_broken_form_is_no_server_error(form: dict[str, str], root: User) -> None:
    assert Http().post(LOGIN, form).status_code == 200


def test_nobody_is_sent_elsewhere_after_signing_in(root: User) -> None:
    answer = Http().post(LOGIN, {"username": "root", "password": PASSWORD, "next": "https://evil.example/"})
    assert answer["Location"] == ROOT
