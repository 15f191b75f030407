"""A provider's "Test connection" button: what is wrong there is named, and nothing is told or changed by asking."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client as Http

from accounts.models import AuditEvent
from authserver import conf, shared_cache
from tests.fakes.oauth2 import CLIENT_SECRET
from tests.fakes.oidc import FakeOidc
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT
from tests.unit.upstream.journeys import provider_at
from upstream import discovery
from upstream.models import Provider

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def idp() -> Iterator[FakeOidc]:
    cache.clear()
    discovery.forget()
    with FakeOidc() as fake:
        yield fake


def page(provider: Provider) -> str:
    return f"{ROOT}upstream/provider/{provider.pk}/test-connection/"


def text(http: Http, provider: Provider) -> str:
    return http.post(page(provider)).content.decode()


def test_the_page_of_a_provider_leads_to_it_and_only_pressing_asks(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    assert page(provider) in superuser.get(f"{ROOT}upstream/provider/{provider.pk}/change/").content.decode()
    assert "Test now" in superuser.get(page(provider)).content.decode()
    assert idp.seen == []


def test_one_that_answers_is_well_also_before_it_is_switched_on(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC, enabled=False)
    before = AuditEvent.objects.count()
    said = text(superuser, provider)
    assert "Everything is well." in said
    assert "Its clock and ours agree." in said
    assert CLIENT_SECRET not in str([(seen.headers, seen.path) for seen in idp.seen]) + said
    assert (AuditEvent.objects.count(), Provider.objects.get().enabled) == (before, False)


def test_what_is_wrong_is_named_and_others_are_not_asked(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    with FakeOidc() as other:
        provider_at(other, Provider.Type.OIDC, name="other")
        idp.down.add("/jwks")
        said = text(superuser, provider)
        assert "Something does not work." in said
        assert "Its keys: The answer is 503" in said
        assert other.seen == []


def test_two_operators_do_not_test_it_at_once(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    assert shared_cache.claim(f"test-connection:{provider.pk}", seconds=15)
    assert "Somebody tests it right now." in text(superuser, provider)
    assert idp.seen == []
    shared_cache.let_go(f"test-connection:{provider.pk}")
    assert "Everything is well." in text(superuser, provider)


def test_it_is_for_whoever_may_see_the_provider(idp: FakeOidc, staff: Operator) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    assert staff("accounts.view_auditevent").post(page(provider)).status_code == 403
    assert idp.seen == []
    assert staff("upstream.view_provider").post(page(provider)).status_code == 200
    provider.pk = 999999
    assert staff("upstream.view_provider").post(page(provider)).status_code == 404


def test_the_callback_to_register_there_is_on_the_page(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC, name="corporate")
    said = superuser.get(f"{ROOT}upstream/provider/{provider.pk}/change/").content.decode()
    assert f"{conf.load().issuer}/oauth/callback/corporate" in said
