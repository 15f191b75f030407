"""Whose a test sign-in is: one operator's, in one browser and one console session, once. For everybody else it is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client as Http

from accounts.browser import cookie_name
from accounts.models import AuditEvent, User
from authserver.console import threshold
from tests.fakes.oidc import FakeOidc
from tests.unit.console.conftest import Operator, browser
from tests.unit.console.crawl import ROOT
from tests.unit.console.sign_in_tests import at_provider, begin, everything_kept, page
from tests.unit.upstream.journeys import Person, ended, provider_at
from upstream import discovery
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db


@pytest.fixture
def idp() -> Iterator[FakeOidc]:
    cache.clear()
    discovery.forget()
    with FakeOidc() as fake:
        yield fake


@pytest.fixture
def provider(idp: FakeOidc) -> Provider:
    return provider_at(idp, Provider.Type.OIDC)


def refused(answer: Any) -> bool:
    return bool(answer.status_code == 400 and "an operator’s test of a provider" in answer.content.decode())


def test_a_visitor_gets_an_error_page_and_no_effect(idp: FakeOidc, provider: Provider, superuser: Http) -> None:
    """Whoever is lured to the callback of an operator's test (login CSRF) is not signed in, as nobody."""
    url = at_provider(begin(superuser, provider))
    somebody, person = Http(), Person()
    before = everything_kept()
    for visitor in (somebody, person.client):
        assert refused(visitor.get(url))
    assert everything_kept() == before
    assert (person.user, "_auth_user_id" in somebody.session) == (None, False)
    assert idp.requests_to("/token") == []
    assert superuser.get(url).status_code == 200  # and the operator's test is as good as before


def test_somebody_who_is_signed_in_stays_who_they_are(provider: Provider, superuser: Http) -> None:
    person = Person()
    ended_sign_in(person, provider)
    user, key = person.user, person.client.session.session_key
    assert refused(person.client.get(at_provider(begin(superuser, provider))))
    assert (person.user, person.client.session.session_key) == (user, key)


def ended_sign_in(person: Person, provider: Provider) -> None:
    assert ended(person.come_back(person.at_provider(person.begin(provider)))).outcome == Visit.Outcome.DONE


def test_another_operator_cannot_finish_it(provider: Provider, superuser: Http, staff: Operator) -> None:
    """Not even one who may test, and has somehow the first one's browser cookie."""
    url = at_provider(begin(superuser, provider))
    other = staff("upstream.change_provider", "upstream.view_provider")
    other.cookies[cookie_name()] = superuser.cookies[cookie_name()].value
    assert refused(other.get(url))
    assert not AuditEvent.objects.exists()


def test_another_session_of_the_same_operator_cannot_finish_it(provider: Provider, superuser: Http) -> None:
    url = at_provider(begin(superuser, provider))
    again = browser(User.objects.get(username="root"))
    assert refused(again.get(url))
    again.cookies[cookie_name()] = superuser.cookies[cookie_name()].value
    assert refused(again.get(url))


def test_signing_out_ends_it(provider: Provider, superuser: Http) -> None:
    url = at_provider(begin(superuser, provider))
    superuser.post(f"{ROOT}logout/")
    assert refused(superuser.get(url))


def test_a_permission_that_was_taken_away_meanwhile_ends_it(idp: FakeOidc, provider: Provider, staff: Operator) -> None:
    http = staff("upstream.change_provider", "upstream.view_provider")
    url = at_provider(begin(http, provider))
    User.objects.get(username="staff-0").user_permissions.remove(Permission.objects.get(codename="change_provider"))
    assert refused(http.get(url))
    User.objects.update(is_staff=False)
    assert refused(http.get(url))
    assert idp.requests_to("/token") == []


def test_a_second_factor_that_is_asked_for_meanwhile_ends_it(
    provider: Provider, superuser: Http, settings: Any
) -> None:
    url = at_provider(begin(superuser, provider))
    settings.REQUIRE_TOTP = True
    assert refused(superuser.get(url))


def test_it_works_once(idp: FakeOidc, provider: Provider, superuser: Http) -> None:
    url = at_provider(begin(superuser, provider))
    assert superuser.get(url).context["claims"]
    again = superuser.get(url)
    assert again.context["is_over"]
    assert "ada-1" not in again.content.decode()
    assert len(idp.requests_to("/token")) == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_parallel_callbacks_one_goes_on(idp: FakeOidc, provider: Provider, superuser: Http) -> None:
    url = at_provider(begin(superuser, provider))

    def come_back(_: int) -> bool:
        http = Http()
        http.cookies = superuser.cookies
        try:
            return "This test is over" in http.get(url).content.decode()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(come_back, range(8))) == [False] + [True] * 7
    assert len(idp.requests_to("/token")) == 1
    assert AuditEvent.objects.filter(event="console.sign_in_tested").count() == 1


def test_a_test_is_no_sign_in_and_a_sign_in_is_no_test(idp: FakeOidc, provider: Provider, superuser: Http) -> None:
    """The state decides which it is, and nothing of the callback's can change that: the operator's own sign-in as a person,
    in the same browser, still signs them in."""
    person = Person(client=superuser)
    ended_sign_in(person, provider)
    assert person.user is not None
    assert person.user.username != "root"


def test_it_is_begun_by_a_button_only(provider: Provider) -> None:
    root = User.objects.create_superuser("root")
    careful = Http(enforce_csrf_checks=True)
    careful.cookies = browser(root).cookies
    assert careful.get(page(provider)).status_code == 200
    assert careful.post(page(provider)).status_code == 403
    assert not Visit.objects.exists()


def test_its_button_opens_a_tab_that_knows_nothing_of_the_first(provider: Provider, superuser: Http) -> None:
    there = superuser.get(f"{ROOT}upstream/provider/{provider.pk}/change/").content.decode()
    assert f'method="post" target="_blank" rel="noopener" action="{page(provider)}"' in there


def test_it_is_for_whoever_may_change_the_provider(provider: Provider, staff: Operator) -> None:
    viewer = staff("upstream.view_provider")
    assert (viewer.get(page(provider)).status_code, viewer.post(page(provider)).status_code) == (403, 403)
    assert page(provider) not in viewer.get(f"{ROOT}upstream/provider/{provider.pk}/change/").content.decode()
    provider.pk = 999999
    assert staff("upstream.change_provider").post(page(provider)).status_code == 404


def test_it_asks_for_a_fresh_proof(provider: Provider, superuser: Http) -> None:
    session = superuser.session
    session[threshold.PROVED] -= threshold.RECENT_SECONDS + 1
    session.save()
    for answer in (superuser.get(page(provider)), superuser.post(page(provider))):
        assert answer["Location"].startswith(f"{ROOT}confirm/")
    assert not Visit.objects.exists()


def test_the_address_with_the_code_is_told_to_nobody(provider: Provider, superuser: Http) -> None:
    answer = superuser.get(at_provider(begin(superuser, provider)))
    assert answer["Referrer-Policy"] == "strict-origin"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
