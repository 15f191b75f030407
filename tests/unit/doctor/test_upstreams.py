"""Each provider is asked afresh, and what is wrong with it is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import timezone

from accounts import audit
from authserver.doctor import upstreams
from authserver.doctor.calls import Calls
from authserver.doctor.findings import Finding, Level
from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.oidc import FakeOidc
from tests.harness.processes import free_port
from tests.unit.doctor.conftest import by_check
from tests.unit.upstream.journeys import provider_at
from upstream.models import Provider

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def idp() -> Iterator[FakeOidc]:
    with FakeOidc() as fake:
        yield fake


def look() -> dict[str, Finding]:
    return by_check(list(upstreams.look(Calls(), timezone.now())))


def test_a_provider_that_answers_is_well_and_so_is_its_clock(idp: FakeOidc) -> None:
    provider_at(idp, Provider.Type.OIDC)
    found = look()
    assert {check: finding.level for check, finding in found.items()} == {
        "upstream.fake": Level.OK,
        "upstream.fake.clock": Level.OK,
    }
    assert all("authorization" not in seen.headers for seen in idp.seen)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/.well-known/openid-configuration", "Discovery document: The answer is 503"),
        ("/jwks", "Its keys: The answer is 503"),
        (FakeOidc.token_path, "Token endpoint: The answer is 503"),
    ],
)
def test_what_is_down_is_named(idp: FakeOidc, path: str, words: str) -> None:
    provider_at(idp, Provider.Type.OIDC)
    idp.down.add(path)
    found = look()["upstream.fake"]
    assert found.level is Level.FAILED
    assert words in found.meaning


def test_another_issuer_and_an_empty_key_set_are_named(idp: FakeOidc) -> None:
    provider_at(idp, Provider.Type.OIDC)
    idp.jwks = []
    assert "no ID token can be verified" in look()["upstream.fake"].meaning
    idp.document = {"issuer": "https://other.example"}
    assert "names another issuer" in look()["upstream.fake"].meaning


def test_one_without_discovery_is_asked_at_its_endpoints() -> None:
    with FakeOAuth2() as fake:
        provider_at(fake, Provider.Type.OAUTH2)
        assert look()["upstream.fake"].level is Level.OK
        asked = {seen.path for seen in fake.seen}
    assert asked == {fake.authorize_path, fake.token_path, fake.userinfo_path}
    Provider.objects.update(token_endpoint=f"http://127.0.0.1:{free_port()}/token")
    assert "Token endpoint: The connection was refused" in look()["upstream.fake"].meaning


def test_one_that_is_switched_off_is_not_asked(idp: FakeOidc) -> None:
    provider_at(idp, Provider.Type.OIDC, enabled=False)
    assert set(look()) == {"upstream"}
    assert idp.seen == []


def test_the_last_error_is_told_and_whether_it_is_over(idp: FakeOidc) -> None:
    provider_at(idp, Provider.Type.OIDC)
    audit.record("upstream.sign_in", outcome="failed", reason="id_token_expired", upstream="fake")
    found = look()["upstream.fake.last_error"]
    assert (found.level, "id_token_expired" in found.meaning) == (Level.WARNING, True)
    audit.record("upstream.sign_in", upstream="fake")
    assert look()["upstream.fake.last_error"].level is Level.OK


def test_after_the_time_for_all_a_provider_is_not_said_to_be_broken(idp: FakeOidc) -> None:
    provider_at(idp, Provider.Type.OIDC)
    found = by_check(list(upstreams.look(Calls(whole_seconds=0), timezone.now())))
    assert found["upstream.fake"].level is Level.WARNING
