"""Who gets where in the console: every page and every action, from its own URL patterns."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.test import Client as Http

from accounts.models import BrowserSession, TokenSession, User
from authserver.console import threshold
from authserver.models import Client, IDToken, ResourceServer
from tests.unit.console.conftest import Everything, Operator, browser
from tests.unit.console.crawl import OPEN, OWN, ROOT, model_urls, site_urls
from upstream.models import Provider

pytestmark = pytest.mark.django_db

ACTIONS = {"action": "revoke_selected", "confirmed": "1", "reason": "because", "is_active": "", "_save": "1"}


def test_every_model_of_ours_is_there_but_cookies_and_the_one_that_nothing_is_stored_in(everything: Everything) -> None:
    models = [m for app in ("accounts", "upstream", "authserver") for m in apps.get_app_config(app).get_models()]
    assert [model for model in models if model not in admin.site._registry] == [BrowserSession, IDToken]
    assert not [model for model in admin.site._registry if model not in everything.rows]


@pytest.mark.parametrize("who", ["nobody", "somebody"])
def test_without_being_staff_every_page_and_post_leads_to_the_login(everything: Everything, who: str) -> None:
    http = browser(None if who == "nobody" else everything.of(User))
    before = snapshot()
    for url in set(model_urls(everything) + site_urls(everything)) - OPEN:
        for answer in (http.get(url), http.post(url, ACTIONS)):
            assert answer.status_code == 302, (url, answer.status_code)
            assert answer["Location"].startswith(ROOT), url
    assert snapshot() == before


def test_staff_without_permissions_are_refused_everything_but_their_own_pages(
    everything: Everything, staff: Operator
) -> None:
    http, before = staff(), snapshot()
    for url in model_urls(everything):
        keys = {"_selected_action": everything.of(TokenSession).pk}
        for answer in (http.get(url), http.post(url, ACTIONS | keys)):
            assert turned_away(answer), (url, answer.status_code)
    for url in set(site_urls(everything)) - OWN - OPEN:
        assert http.get(url).status_code in {403, 404}, url
    for url in OWN - {f"{ROOT}logout/"}:
        assert http.get(url).status_code == 200, url
    assert snapshot() == before


def test_staff_limited_to_clients_see_clients_and_nothing_else(everything: Everything, staff: Operator) -> None:
    http = staff("authserver.view_client", "authserver.change_client")
    allowed = [url for url in model_urls(everything) if url.startswith(f"{ROOT}authserver/client/")]
    assert http.get(f"{ROOT}authserver/client/").status_code == 200
    for url in set(model_urls(everything)) - set(allowed):
        assert turned_away(http.get(url)), url


def test_seeing_sessions_is_not_revoking_them(everything: Everything, staff: Operator) -> None:
    http = staff("accounts.view_tokensession")
    key = everything.of(TokenSession).pk
    page = http.get(f"{ROOT}accounts/tokensession/{key}/change/")
    assert page.status_code == 200
    assert "/revoke/" not in page.content.decode()
    assert http.post(f"{ROOT}accounts/tokensession/{key}/revoke/", {"reason": "x"}).status_code == 403
    http.post(f"{ROOT}accounts/tokensession/", {**ACTIONS, "_selected_action": key})
    assert TokenSession.objects.get().closed_at is None


def test_whether_a_row_exists_is_nobodys_business(everything: Everything, staff: Operator) -> None:
    http = staff()
    for page in ("accounts/tokensession/{}/revoke/", "authserver/client/{}/new-secret/"):
        assert http.get(ROOT + page.format("999")).status_code == 403


def test_what_is_read_only_is_so_for_superusers_too(everything: Everything, superuser: Http) -> None:
    added = {"user", "group", "provider", "resource", "resourceserver", "client", "initialaccesstoken"}
    editable = added - {"initialaccesstoken"} | {"app"}
    deletable = {"group", "authenticator"}
    for model in admin.site._registry:
        name = f"{ROOT}{model._meta.app_label}/{model._meta.model_name}"
        key = everything.of(model).pk
        assert superuser.get(f"{name}/add/").status_code == (200 if model._meta.model_name in added else 403), name
        posted = superuser.post(f"{name}/{key}/change/", {"_save": "1"})
        assert (posted.status_code == 403) == (model._meta.model_name not in editable), name
        deleted = superuser.get(f"{name}/{key}/delete/")
        assert deleted.status_code == (200 if model._meta.model_name in deletable else 403), name


def test_staff_cannot_make_themselves_more_than_they_are(everything: Everything, staff: Operator) -> None:
    http = staff(
        "accounts.view_user", "accounts.change_user", "accounts.add_user", "auth.change_group", "auth.view_group"
    )
    person, root = everything.of(User), User.objects.create_superuser("root")
    form = {"username": "renamed", "is_active": "on", "is_staff": "on", "is_superuser": "on", "_save": "1"}
    assert http.post(f"{ROOT}accounts/user/{person.pk}/change/", form).status_code == 302
    person.refresh_from_db()
    assert (person.username, person.is_staff, person.is_superuser) == ("renamed", False, False)
    for target in (root, User.objects.get(username__startswith="staff")):
        assert http.post(f"{ROOT}accounts/user/{target.pk}/change/", form).status_code == 403
        answer = http.post(f"{ROOT}accounts/user/{target.pk}/password/", {"password1": "x" * 20, "password2": "x" * 20})
        assert answer.status_code == 403
    assert http.post(f"{ROOT}auth/group/1/change/", {"name": "x"}).status_code == 403


def test_the_session_cookie_stays_out_of_reach() -> None:
    User.objects.create_superuser("root", password="a password nobody guesses")
    http = Http()
    answer = http.post(f"{ROOT}login/", {"username": "root", "password": "a password nobody guesses", "next": ROOT})
    assert answer["Location"] == ROOT
    cookie = http.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_nobody_stays_in_for_longer_than_twelve_hours(superuser: Http) -> None:
    session = superuser.session
    session.set_expiry(30 * 86400)  # as long as the policy lets people stay signed in for apps
    session[threshold.ENTERED] -= threshold.LONGEST_SECONDS + 1
    session.save()
    assert superuser.get(ROOT)["Location"].startswith(f"{ROOT}login/")


def turned_away(answer: Any) -> bool:
    """Refused; or sent on, unread, from an address of old Django's to today's, which refuses."""
    return bool(answer.status_code == 403 or answer.get("Location", "").endswith("/change/"))


def snapshot() -> list[object]:
    """What none of those requests may have changed."""
    return [list(model.objects.order_by("pk").values()) for model in (TokenSession, Client, Provider, ResourceServer)]
