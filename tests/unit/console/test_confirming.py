"""Who has been in for a while is asked again before secrets, keys and what ends a lot; and goes on where they were."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db.models import Model
from django.test import Client as Http

from accounts.models import AuditEvent, TokenSession, User
from authserver import second_factor
from authserver.console import threshold
from authserver.models import App, Client, InitialAccessToken, Resource, ResourceServer, SigningKey
from tests.unit.console.conftest import Everything, browser
from tests.unit.console.crawl import ROOT
from tests.unit.console.test_second_factor import Phone
from upstream.models import Provider

pytestmark = pytest.mark.django_db
CONFIRM = f"{ROOT}confirm/"
PASSWORD = "a password nobody guesses"


@pytest.fixture
def root(settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]  # quick
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def http(root: User) -> Http:
    """In for longer than ten minutes."""
    return later(browser(root))


def later(http: Http) -> Http:
    session = http.session
    session[threshold.PROVED] -= threshold.RECENT_SECONDS + 1
    session.save()
    return http


def of(model: type[Model]) -> str:
    return f"{ROOT}{model._meta.app_label}/{model._meta.model_name}/"


def action(model: type[Model], name: str) -> tuple[str, dict[str, str]]:
    return of(model), {"action": name, "confirmed": "1", "reason": "because"}


PAGES = [
    (SigningKey, "rotate/"),
    (SigningKey, "{}/revoke/"),
    (Client, "{}/new-secret/"),
    (ResourceServer, "{}/new-secret/"),
    (Client, "add/"),
    (ResourceServer, "add/"),
    (InitialAccessToken, "add/"),
    (Provider, "add/"),
    (Provider, "add/?type=github"),
    (Provider, "{}/test-sign-in/"),
    (User, "{}/revoke/"),
    (App, "{}/revoke/"),
    (Client, "{}/revoke/"),
    (Provider, "{}/revoke/"),
    (Resource, "{}/revoke/"),
]
ACTIONS = [(TokenSession, "revoke_selected"), (User, "forget"), (App, "block")]
SAVED = [(Client, {}), (ResourceServer, {}), (Provider, {}), (App, {"state": "blocked"})]


@pytest.mark.parametrize(("model", "page"), PAGES)
def test_pages_that_make_secrets_turn_keys_or_end_everything_ask_first(
    model: type[Model], page: str, http: Http, everything: Everything
) -> None:
    url = of(model) + page.format(everything.of(model).pk)
    before = list(model._default_manager.order_by("pk").values())
    for answer in (http.get(url), http.post(url, {"reason": "because", "_save": "1"})):
        assert answer["Location"] == f"{CONFIRM}?{urlencode({'next': url})}"
    assert list(model._default_manager.order_by("pk").values()) == before
    assert http.post(answer["Location"], {"password": PASSWORD})["Location"] == url
    assert http.get(url).status_code == 200


@pytest.mark.parametrize(("model", "name"), ACTIONS)
def test_what_ends_a_lot_asks_first(model: type[Model], name: str, http: Http, everything: Everything) -> None:
    url, form = action(model, name)
    answer = http.post(f"{url}?q=", {**form, "_selected_action": everything.of(model).pk})
    assert answer["Location"].startswith(CONFIRM)
    assert TokenSession.objects.get().closed_at is None
    assert http.post(answer["Location"], {"password": PASSWORD})["Location"] == f"{url}?q="


@pytest.mark.parametrize(("model", "form"), SAVED)
def test_looking_asks_nothing_and_saving_does(
    model: type[Model], form: dict[str, str], http: Http, everything: Everything
) -> None:
    url = f"{of(model)}{everything.of(model).pk}/change/"
    assert http.get(url).status_code == 200
    assert http.post(url, {**form, "_save": "1"})["Location"].startswith(CONFIRM)


def test_one_session_is_revoked_without_being_asked_again(http: Http, everything: Everything) -> None:
    url = f"{of(TokenSession)}{everything.of(TokenSession).pk}/revoke/"
    http.post(url, {"reason": "laptop stolen"})
    assert TokenSession.objects.get().closed_at is not None


def test_a_proof_counts_for_ten_minutes(http: Http, everything: Everything) -> None:
    http.post(CONFIRM, {"password": PASSWORD})
    assert http.get(f"{of(Client)}add/").status_code == 200
    assert later(http).get(f"{of(Client)}add/").status_code == 302


def test_a_wrong_password_proves_nothing_and_is_written_down(http: Http, root: User) -> None:
    assert http.post(CONFIRM, {"password": "wrong"}).status_code == 200
    assert http.get(f"{of(Client)}add/").status_code == 302
    assert AuditEvent.objects.get(event="console.login_failed").user_id == root.pk
    http.post(CONFIRM, {"password": PASSWORD})
    assert AuditEvent.objects.get(event="console.confirmed").actor == "root"


def test_who_has_an_authenticator_proves_it_with_that(http: Http, root: User) -> None:
    begun = second_factor.begun(root, None)
    begun.confirmed = True
    begun.save()
    session = http.session
    session["otp_device_id"] = begun.persistent_id
    session.save()
    assert http.post(CONFIRM, {"password": PASSWORD}).status_code == 200
    assert http.post(CONFIRM, {"code": "000000"}).status_code == 200
    type(begun).objects.update(throttling_failure_timestamp=None)  # a while later
    phone = Phone(second_factor.key_of(begun))
    assert http.post(CONFIRM, {"code": phone.shows()}).status_code == 302
    assert http.get(f"{of(Client)}add/").status_code == 200


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example", ""]
)
def test_the_page_leads_nowhere_but_back_into_the_console(elsewhere: str, http: Http) -> None:
    assert http.post(f"{CONFIRM}?next={quote(elsewhere)}", {"password": PASSWORD})["Location"] == ROOT


def test_who_may_not_do_it_is_refused_and_not_asked(everything: Everything, root: User) -> None:
    somebody = later(browser(User.objects.create_user("staff", is_staff=True)))
    assert somebody.get(f"{of(SigningKey)}rotate/").status_code == 403
    assert somebody.get(f"{of(Client)}add/").status_code == 403
    assert somebody.post(f"{of(App)}{everything.of(App).pk}/change/", {"state": "blocked"}).status_code == 403


def test_another_authenticator_is_not_set_up_by_whoever_finds_the_browser_open(http: Http) -> None:
    assert http.get(f"{ROOT}authenticator/")["Location"].startswith(CONFIRM)
