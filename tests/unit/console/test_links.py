"""One-time links: for the first administrator, and for an operator who has lost a password or a phone."""

from __future__ import annotations

import io
import logging
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Http

from accounts.models import AuditEvent, User
from authserver import second_factor
from authserver.console import links
from authserver.logs import redact
from tests.unit.console.crawl import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
PASSWORD, ANOTHER = "a password nobody guesses", "another that nobody guesses"
CHOSEN = {"new_password1": ANOTHER, "new_password2": ANOTHER}


def admin_link(*arguments: str) -> str:
    printed = io.StringIO()
    call_command("admin_link", *arguments, stdout=printed)
    return urlsplit(printed.getvalue().strip()).path


def events() -> list[tuple[str, str]]:
    found = AuditEvent.objects.filter(event__startswith="console.").order_by("id")
    return [(event.event, event.actor) for event in found]


def test_where_there_is_no_administrator_the_link_makes_one_who_chooses_a_password() -> None:
    http, link = Http(), admin_link()
    user = User.objects.get()
    assert (user.username, user.is_superuser, user.has_usable_password()) == ("admin", True, False)
    assert "admin" in http.get(link).content.decode()
    assert http.post(link, CHOSEN)["Location"] == ROOT
    assert http.get(ROOT).status_code == 200
    assert events() == [("console.link_made", "admin_link"), ("console.link_used", "admin"), ("console.login", "admin")]
    user.refresh_from_db()
    assert user.check_password(ANOTHER)


def test_a_link_works_once_and_looking_at_it_uses_nothing_up() -> None:
    link = admin_link("ada")
    assert [Http().get(link).status_code for _ in range(3)] == [200] * 3
    assert Http().post(link, CHOSEN).status_code == 302
    for answer in (Http().get(link), Http().post(link, CHOSEN)):
        assert answer.status_code == 404
        assert "It works once" in answer.content.decode()


def test_of_two_who_follow_a_link_at_once_one_gets_in() -> None:
    token = admin_link().split("/")[-2]
    first, second = links.follow(token), links.follow(token)
    assert first is not None
    assert second is not None
    assert [links.use(first, ANOTHER), links.use(second, PASSWORD)] == [True, False]
    assert User.objects.get().check_password(ANOTHER)


@pytest.mark.parametrize(("later", "status"), [(890, 200), (910, 404)])
def test_a_link_is_over_after_fifteen_minutes(later: float, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    link, now = admin_link(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + later)
    assert Http().get(link).status_code == status


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"is_staff": False}, {"password": "x"}, {"last_login": "2026-01-01T00:00Z"}]
)
def test_whatever_changes_the_account_ends_its_link(change: dict[str, Any]) -> None:
    link = admin_link()
    User.objects.update(**change)
    assert Http().post(link, CHOSEN).status_code == 404


@pytest.mark.parametrize("token", ["x", "a:b:c", "x" * 5000, "%00", "é"])
def test_what_is_no_link_of_ours_opens_nothing(token: str) -> None:
    assert Http().get(f"{ROOT}link/{token}/").status_code in {400, 404}


def test_a_weak_password_leaves_the_link_as_it_is() -> None:
    link = admin_link()
    weak = Http().post(link, {"new_password1": "short", "new_password2": "short"})
    assert (weak.status_code, "too short" in weak.content.decode()) == (200, True)
    assert Http().post(link, CHOSEN).status_code == 302


def test_a_link_is_only_for_operators_and_has_to_be_somebodys() -> None:
    User.objects.create_superuser("root", password=PASSWORD)
    User.objects.create_user("person")
    for arguments in ([], ["person"], ["nobody"]):
        with pytest.raises(CommandError):
            admin_link(*arguments)
    assert User.objects.count() == 2


def test_a_name_that_a_person_has_is_not_made_an_administrator() -> None:
    User.objects.create_user("admin")
    with pytest.raises(CommandError, match="somebody else"):
        admin_link()
    assert not User.objects.filter(is_superuser=True).exists()


def test_a_link_replaces_the_password_and_not_the_second_factor(settings: Any) -> None:
    settings.REQUIRE_TOTP = True
    root = User.objects.create_superuser("root", password=PASSWORD)
    begun = second_factor.begun(root, None)
    begun.confirmed = True
    begun.save()
    http = Http()
    assert http.post(admin_link("root"), CHOSEN)["Location"] == f"{ROOT}second-step/"
    assert http.get(ROOT)["Location"].startswith(f"{ROOT}login/")
    http.post(admin_link("root", "--reset-second-factor"), CHOSEN)
    assert http.get(f"{ROOT}second-step/")["Location"] == f"{ROOT}authenticator/"
    assert ("console.authenticator_removed", "admin_link") in events()


def test_no_log_line_holds_a_link() -> None:
    link = admin_link()
    line = redact(logging.getLogger(), "warning", {"event": f"Not Found: {link}"})
    assert line["event"] == f"Not Found: {ROOT}link/[redacted]/"
