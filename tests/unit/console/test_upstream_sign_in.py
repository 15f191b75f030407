"""Into the console through an upstream whose groups are roles: who may, as what, and what never leads there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client as Http
from social_django.models import UserSocialAuth

from accounts import browser_sessions
from accounts.models import AuditEvent, BrowserSession, Credential, TokenSession, User
from authserver.console import mapped
from authserver.console.roles import Role, permissions_of
from tests.fakes.oidc import FakeOidc
from tests.harness.approval import approve
from tests.unit.console.crawl import ROOT
from tests.unit.console.upstream_operators import BEGIN, Browser, change, let_in_by
from tests.unit.upstream.journeys import Person, provider_at
from tests.unit.upstream.test_refresh_races import in_parallel
from upstream import discovery, visits
from upstream.models import Provider, Visit

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
LIST = f"{ROOT}accounts/tokensession/"


@pytest.fixture
def oidc() -> Iterator[FakeOidc]:
    discovery.forget()
    with FakeOidc() as fake:
        fake.person |= {"groups": ["staff", "on-call"]}
        yield fake
    discovery.forget()


@pytest.fixture
def provider(oidc: FakeOidc, settings: Any) -> Iterator[Provider]:
    settings.REQUIRE_TOTP = False  # test_upstream_proofs has the second factor
    row = provider_at(oidc, Provider.Type.OIDC, scopes=["openid", "email", "offline_access", "repo"])
    with let_in_by():
        yield row


def operator() -> Browser:
    browser = Browser()
    browser.sign_in()
    return browser


def roles_of(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def failed() -> AuditEvent:
    return AuditEvent.objects.get(event="console.login_failed")


def test_a_mapped_group_lets_a_new_person_in_with_its_role_and_no_more(provider: Provider) -> None:
    browser = Browser()
    assert "Sign in with Fake" in browser.http.get(ROOT, follow=True).content.decode()
    assert browser.sign_in(next=LIST)["Location"] == LIST
    assert browser.http.get(LIST).status_code == 200
    user = browser.user
    assert (user.is_staff, user.is_superuser, user.staff_from_upstream) == (True, False, "fake")
    assert (roles_of(user), user.has_usable_password()) == ([Role.OPERATOR], False)
    assert user.get_all_permissions() == permissions_of(Role.OPERATOR)
    assert AuditEvent.objects.get(event="console.login").reason == "upstream fake"
    assert AuditEvent.objects.get(event="console.roles_changed").detail == {"before": [], "after": ["operator"]}


def test_several_groups_give_several_roles(provider: Provider, oidc: FakeOidc) -> None:
    oidc.person["groups"] = ["everybody", "admins"]
    assert roles_of(operator().user) == [Role.SECURITY_ADMINISTRATOR, Role.VIEWER]


def test_such_a_sign_in_is_none_for_apps_and_keeps_no_token(provider: Provider) -> None:
    browser = operator()
    assert not Credential.objects.exists()
    assert browser.asked["scope"] == "openid email repo"
    assert "signed_in_with" not in browser.http.session
    assert "Sign out" not in browser.http.get("/account/").content.decode()


def test_the_account_is_the_one_that_the_identity_has_for_apps(provider: Provider) -> None:
    person = Person()
    person.sign_in(provider)
    assert operator().user == person.user
    assert User.objects.count() == 1


@pytest.mark.parametrize("totp", [True, False])
def test_who_signed_in_for_an_app_is_not_in_the_console(provider: Provider, settings: Any, totp: bool) -> None:
    settings.REQUIRE_TOTP = totp
    operator()  # so that the account is an operator's
    for_an_app = Person()
    for_an_app.sign_in(provider)
    assert for_an_app.user is not None
    assert for_an_app.user.is_staff
    assert for_an_app.client.get(ROOT)["Location"].startswith(f"{ROOT}login/")
    assert for_an_app.client.get(LIST).status_code == 302


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"groups": None},
        {"groups": []},
        {"groups": "on-call"},
        {"groups": "x on-call y"},
        {"groups": "on-call,sre"},
        {"groups": ["On-Call", "ON-CALL", " on-call", "on-call ", "on-call-not", "on"]},
        {"groups": [["on-call"]]},
        {"groups": [{"name": "on-call"}]},
        {"groups": {"on-call": True}},
        {"groups": {"groups": ["on-call"]}},
        {"groups": True},
        {"groups": [1, None, True]},
        {"Groups": ["on-call"], "roles": ["on-call"], "group": ["on-call"]},
    ],
)
def test_what_is_not_exactly_a_mapped_group_lets_nobody_in_and_makes_nobody(
    claims: dict[str, Any], provider: Provider, oidc: FakeOidc
) -> None:
    del oidc.person["groups"]
    oidc.person |= claims
    browser = Browser()
    answer = browser.sign_in()
    assert answer.status_code == 403
    assert "in none of the groups that open this console" in answer.content.decode()
    assert not browser.is_in
    assert not User.objects.exists()
    assert not UserSocialAuth.objects.exists()
    assert (failed().reason, failed().upstream, failed().outcome) == ("no_mapped_group", "fake", "refused")


def test_a_claim_may_be_named_by_its_path(provider: Provider, oidc: FakeOidc) -> None:
    change(groups_claim="realm_access.roles")
    assert Browser().sign_in().status_code == 403
    oidc.person["realm_access"] = {"roles": ["admins"]}
    assert roles_of(operator().user) == [Role.SECURITY_ADMINISTRATOR]


def test_each_sign_in_sets_the_roles_to_what_the_groups_say(provider: Provider, oidc: FakeOidc) -> None:
    first = operator()
    by_hand = Group.objects.create(name="more")
    by_hand.permissions.add(Permission.objects.get(codename="change_client", content_type__app_label="authserver"))
    only_a_name = Group.objects.create(name="finance")  # a resource's `allow` may name it
    first.user.groups.add(by_hand, only_a_name)
    first.user.user_permissions.add(Permission.objects.get(codename="delete_user"))
    oidc.person["groups"] = ["everybody"]
    again = operator()
    assert roles_of(again.user) == ["finance", Role.VIEWER]
    assert again.user.get_all_permissions() == permissions_of(Role.VIEWER)
    assert first.http.get(LIST).status_code == 200  # the other browser, as a viewer
    assert "Revoke selected" not in first.http.get(LIST).content.decode()


def test_a_lost_group_takes_the_role_away_everywhere_and_nothing_else(provider: Provider, oidc: FakeOidc) -> None:
    first, for_an_app = operator(), Person()
    for_an_app.sign_in(provider)
    user = first.user
    TokenSession.objects.update(user=user) if approve() else None
    oidc.person["groups"] = ["staff"]
    assert Browser().sign_in().status_code == 403
    user.refresh_from_db()
    assert (user.is_staff, user.staff_from_upstream, roles_of(user), user.is_active) == (False, "", [], True)
    assert not first.is_in
    assert for_an_app.user == user
    assert TokenSession.objects.get().closed_at is None
    changed = AuditEvent.objects.filter(event="console.roles_changed").latest("id")
    assert (changed.user_id, changed.detail) == (user.pk, {"before": ["operator"], "after": []})
    oidc.person["groups"] = ["sre"]
    assert operator().user == user


def test_an_operator_of_ours_with_the_same_address_is_somebody_else(provider: Provider) -> None:
    root = User.objects.create_superuser("root", email="ada@example.com", password="a password nobody guesses")
    browser = operator()
    assert browser.user != root
    root.refresh_from_db()
    assert (root.staff_from_upstream, root.is_superuser, roles_of(root)) == ("", True, [])
    assert not UserSocialAuth.objects.filter(user=root).exists()


@pytest.mark.parametrize("power", ["is_staff", "is_superuser"])
def test_an_account_that_was_made_an_operator_here_is_not_reached_through_an_upstream(
    power: str, provider: Provider
) -> None:
    person = Person()
    person.sign_in(provider)
    User.objects.update(**{"is_staff": True, power: True})
    browser = Browser()
    answer = browser.sign_in()
    assert (answer.status_code, "made an operator here" in answer.content.decode()) == (403, True)
    assert not browser.is_in
    user = User.objects.get()
    assert (user.is_staff, user.staff_from_upstream, roles_of(user)) == (True, "", [])


def test_who_is_made_a_superuser_later_does_not_come_in_as_one(provider: Provider) -> None:
    browser = operator()
    User.objects.update(is_superuser=True)
    assert Browser().sign_in().status_code == 403
    assert User.objects.get(pk=browser.user.pk).is_superuser


def test_no_group_of_any_name_makes_a_superuser(provider: Provider, oidc: FakeOidc) -> None:
    oidc.person |= {"groups": ["admins", "superuser", "is_superuser"], "is_superuser": True}
    change(roles={"superuser": ["superuser"], "security_administrator": ["admins"]})
    assert not operator().user.is_superuser


def test_a_deactivated_operator_stays_out(provider: Provider) -> None:
    browser = operator()
    User.objects.update(is_active=False)
    answer = Browser().sign_in()
    assert (answer.status_code, "deactivated" in answer.content.decode()) == (403, True)
    assert not browser.is_in


def test_another_upstream_gives_no_role(provider: Provider) -> None:
    """Its button is not there; and a visit to it, however it was begun, leads nowhere."""
    with FakeOidc() as other:
        other.person |= {"sub": "mallory", "groups": ["admins"]}
        elsewhere = provider_at(other, Provider.Type.OIDC, name="other")
        browser = Browser()
        page = browser.press(provider="other")
        assert "other" not in page.context["target_url"]
        session = Person(client=browser.http)
        url = session.begin(elsewhere, Visit.Purpose.CONSOLE)
        answer = session.come_back(session.at_provider(url))
    assert Visit.objects.get(pk=answer["Location"].rpartition("=")[2]).outcome == Visit.Outcome.NOT_ALLOWED
    assert failed().reason == "not_for_the_console"
    assert not browser.is_in
    assert not User.objects.exists()


def test_the_policy_counts_when_they_come_back(provider: Provider) -> None:
    browser = Browser()
    callback = browser.at_provider(browser.press())
    change(upstream="other")
    assert browser.come_back(callback).status_code == 403
    assert not User.objects.exists()


@pytest.mark.parametrize("how", ["section gone", "another upstream", "disabled"])
def test_what_no_longer_leads_in_keeps_nobody_in(how: str, provider: Provider) -> None:
    browser = operator()
    if how == "disabled":
        Provider.objects.update(enabled=False)
    else:
        change(**({} if how == "section gone" else {"upstream": "other"}))
    assert not browser.is_in
    assert "Sign in with" not in browser.http.get(f"{ROOT}login/").content.decode()
    assert browser.press().status_code == 403


def test_an_upstream_need_not_be_for_everybody(provider: Provider) -> None:
    Provider.objects.update(sign_in=False)
    assert operator().is_in


def test_its_allow_counts_here_as_well(provider: Provider) -> None:
    Provider.objects.update(allow={"subjects": ["somebody-else"]})
    assert Browser().sign_in().status_code == 403
    assert not User.objects.exists()


def test_signing_out_there_ends_it_here(provider: Provider, oidc: FakeOidc) -> None:
    oidc.forge = lambda claims: claims.update(sid="there-1")
    browser = operator()
    row = BrowserSession.objects.get(user_id=browser.user.pk)
    assert (row.signed_in_with, row.upstream_sid) == ("fake", "there-1")
    assert browser_sessions.end("fake", browser.user.pk, sid="there-1") == 1
    assert not browser.is_in


def test_a_callback_is_one_browsers_and_works_once(provider: Provider) -> None:
    browser, stranger = Browser(), Browser()
    stranger.press()
    callback = browser.at_provider(browser.press())
    assert stranger.http.get(callback).status_code == 400
    assert browser.come_back(callback).status_code == 302
    assert browser.is_in
    done = Visit.objects.get(outcome=Visit.Outcome.DONE)
    back = f"{BEGIN}back/?visit={done.pk}"
    browser.http.post(f"{ROOT}logout/")
    assert not browser.is_in
    for http in (browser.http, stranger.http, Http()):
        assert http.get(callback).status_code == 400
        http.get(back)
        assert http.get(ROOT).status_code == 302


@pytest.mark.parametrize("unverified", ["https://evil.example/", "//evil.example", "/\\evil.example", "x" * 5000])
def test_nobody_is_sent_elsewhere_afterwards(unverified: str, provider: Provider) -> None:
    assert Browser().sign_in(next=unverified)["Location"] == ROOT


def test_declining_there_and_a_provider_that_is_away_are_said_in_words(provider: Provider, oidc: FakeOidc) -> None:
    oidc.params = {"code": None, "error": "access_denied"}
    assert "You did not agree at Fake" in Browser().sign_in().content.decode()
    oidc.params, oidc.down = {}, {"/token"}
    assert "did not work" in Browser().sign_in().content.decode()
    assert not User.objects.exists()


def test_beginning_is_limited_by_network(provider: Provider, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "admin_login": "2/minute"}
    browser = Browser(Http(REMOTE_ADDR="192.0.2.77"))
    answers = [browser.press() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1]["Retry-After"]
    assert Visit.objects.count() == 2


@pytest.mark.parametrize("address", ["upstream-sign-in/", "upstream-sign-in/back/", "confirm/back/"])
def test_its_pages_take_one_method_and_break_at_nothing(address: str, provider: Provider) -> None:
    http, url = operator().http, ROOT + address
    for answer in (http.get(url), http.get(f"{url}?visit=%00"), http.get(f"{url}?visit={'0' * 64}"), http.post(url)):
        assert answer.status_code in {200, 302, 403, 405}


def test_nothing_is_kept_of_a_visit_beyond_a_reason(provider: Provider, oidc: FakeOidc) -> None:
    oidc.person["groups"] = ["secret-group"]
    Browser().sign_in()
    assert Visit.objects.get().reason == "no_mapped_group"
    assert "secret-group" not in str(list(Visit.objects.values()) + list(AuditEvent.objects.values()))
    assert visits.find("x") is None


@pytest.mark.django_db(transaction=True)
def test_of_a_persons_first_sign_ins_at_once_all_come_in_as_one_operator(provider: Provider) -> None:
    browsers = [Browser() for _ in range(6)]
    callbacks = [browser.at_provider(browser.press()) for browser in browsers]
    waiting = iter(zip(browsers, callbacks, strict=True))
    lock = threading.Lock()

    def come_back() -> int:
        with lock:
            browser, callback = next(waiting)
        return int(browser.come_back(callback).status_code)

    assert in_parallel(len(browsers), come_back) == [302] * len(browsers)
    assert all(browser.is_in for browser in browsers)
    user = User.objects.get()
    assert (roles_of(user), user.staff_from_upstream) == ([Role.OPERATOR], "fake")


@pytest.mark.django_db(transaction=True)
def test_a_role_given_and_a_role_lost_at_once_leave_one_of_the_two(provider: Provider) -> None:
    user = operator().user
    steps = iter([(Role.OPERATOR,), (), (Role.VIEWER,)] * 3)
    lock = threading.Lock()

    def hold() -> None:
        with lock:
            roles = next(steps)
        mapped.hold_to(User.objects.get(pk=user.pk), roles, upstream="fake", address=None)

    assert in_parallel(9, hold) == [None] * 9
    user.refresh_from_db()
    held = roles_of(user)
    assert len(held) == int(user.is_staff)
    assert bool(held) == bool(user.staff_from_upstream)
