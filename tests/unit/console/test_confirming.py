"""Who has been in for a while is asked again before secrets, keys and what ends a lot; and goes on where they were."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client as Http

from accounts.models import AuditEvent, TokenSession, User
from authserver import second_factor
from authserver.console import threshold
from authserver.models import App, Authenticator, Client, InitialAccessToken, Resource, ResourceServer, SigningKey
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


def name(model: type[Model], page: str) -> str:
    """Of the address, as Django has it."""
    last = page.partition("?")[0].rstrip("/").rpartition("/")[2].replace("-", "_")
    return "auth_user_password_change" if last == "password" else f"{stem(model)}_{last}"


def stem(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def action(model: type[Model], name: str) -> tuple[str, dict[str, str]]:
    return of(model), {"action": name, "confirmed": "1", "reason": "because"}


PAGES: list[tuple[type[Model], str]] = [
    (User, "add/"),
    (User, "{}/password/"),
    (Group, "add/"),
    (Authenticator, "{}/delete/"),
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
    (App, "merge/"),
    (App, "{}/split/"),
]
ACTIONS = [(TokenSession, "revoke_selected"), (User, "forget"), (App, "block")]
SAVED: list[tuple[type[Model], dict[str, str]]] = [
    (Client, {}),
    (ResourceServer, {}),
    (Provider, {}),
    (App, {"state": "blocked"}),
    (User, {}),
    (Group, {}),
    (InitialAccessToken, {}),
]
EXPORT: tuple[type[Model], str] = (AuditEvent, "export/")
UNASKED = {
    "accounts_tokensession_revoke": "one session: that has to be quick",
    "authserver_app_note": "words for other operators",
    "authserver_resource_connect": "it is only looked at",
    "upstream_provider_test_connection": "it changes nothing",
    "auth_group_delete": "powers go, and none is given",
    "authserver_resource_add": "no secret is in it",
    "authserver_resource_change": "no secret is in it",
}
"""Everything else that an operator can post to, with the reason why it asks nothing."""
UNASKED_ACTIONS = {
    (App, "approve"): "it can be taken back",
    (App, "verify"): "it can be taken back",
    (Client, "disable"): "an emergency's",
    (Client, "enable"): "it can be taken back",
    (InitialAccessToken, "revoke"): "one token, and nothing that was registered with it",
    (Group, "delete_selected"): "powers go, and none is given",
    (App, "merge"): "it leads to the page that asks",
}


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


def test_whatever_is_posted_to_asks_first_or_is_known_not_to(http: Http, everything: Everything) -> None:
    """A page or an action that is added is to be put down above, in one list or the other."""
    forms: list[tuple[type[Model], str]] = [(model, "{}/change/") for model, _form in SAVED]
    asked = {name(model, page) for model, page in [*PAGES, EXPORT, *forms]}
    request = http.get(ROOT).wsgi_request
    asks: set[str] = set()
    asks_not: set[str] = set()
    for model, model_admin in admin.site._registry.items():
        key = str(everything.of(model).pk)
        for pattern in model_admin.get_urls():
            url_name = getattr(pattern, "name", None)
            if url_name is None or url_name.endswith(("_changelist", "_history")):
                continue
            if url_name.endswith("_add") and not model_admin.has_add_permission(request):
                continue
            route = str(pattern.pattern).replace("<path:object_id>", key).replace("<id>", key)
            answer = http.post(of(model) + route, {"format": "csv", "state": "blocked"})
            if answer.status_code in {403, 404}:
                continue  # nobody's
            (asks if answer.get("Location", "").startswith(CONFIRM) else asks_not).add(url_name)
    assert asks == asked
    assert asks_not == set(UNASKED)


def test_every_action_of_a_list_asks_first_or_is_known_not_to(http: Http, everything: Everything) -> None:
    request = http.get(ROOT).wsgi_request
    offered = {(model, name) for model, one in admin.site._registry.items() for name in one.get_actions(request)}
    assert offered == set(ACTIONS) | set(UNASKED_ACTIONS), "say in one of them whether it asks"


def test_exporting_asks_first_and_comes_back_to_the_list_with_its_filters(http: Http, everything: Everything) -> None:
    page = f"{of(AuditEvent)}?event=tests.happened"
    answer = http.post(f"{of(AuditEvent)}export/?event=tests.happened", {"format": "csv"})
    assert answer["Location"] == f"{CONFIRM}?{urlencode({'next': page})}"
    assert not AuditEvent.objects.filter(event__startswith="audit.export").exists()
    assert http.post(answer["Location"], {"password": PASSWORD})["Location"] == page
    listed = http.get(page).content.decode()
    assert "What you wanted to do has not been done yet" in listed
    assert f'action="{of(AuditEvent)}export/?event=tests.happened"' in listed
    exported = http.post(f"{of(AuditEvent)}export/?event=tests.happened", {"format": "csv"})
    assert b"tests.happened" in b"".join(exported.streaming_content)  # type: ignore[attr-defined]  # it streams


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
