"""GitHub, Google, Atlassian and Entra: each one's quirks, through whole sign-ins."""

from __future__ import annotations

import pytest

from accounts.models import AuditEvent
from tests.fakes.atlassian import FakeAtlassian
from tests.fakes.github import FakeGithub
from tests.fakes.oidc import TENANT, FakeEntra, FakeGoogle, public_jwk
from tests.fakes.server import Reply
from tests.unit.upstream.journeys import Person, credential_of, provider_at, query_of
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db


def test_github_is_known_by_its_number_and_by_its_verified_primary_address(person: Person) -> None:
    with FakeGithub() as fake:
        visit = person.sign_in(provider_at(fake, Provider.Type.GITHUB), scopes=("repo",))
        assert visit.outcome == Visit.Outcome.DONE
        assert credential_of(person) == ("583231", ("read:user", "user:email", "repo"), False)
        assert person.user is not None
        assert (person.user.name, person.user.email) == ("Mona Octocat", "mona@example.com")


@pytest.mark.parametrize("verified", [False, None])
def test_githubs_unverified_address_does_not_count(person: Person, verified: bool | None) -> None:
    with FakeGithub() as fake:
        fake.emails = [{"email": "mona@example.com", "primary": True, "verified": verified}]
        person.sign_in(provider_at(fake, Provider.Type.GITHUB))
        assert person.user is not None
        assert person.user.email == ""


def test_githubs_addresses_are_not_asked_for_without_the_scope(person: Person) -> None:
    with FakeGithub() as fake:
        person.sign_in(provider_at(fake, Provider.Type.GITHUB, scopes=["read:user"]))
        assert person.user is not None
        assert person.user.email == ""
        assert fake.requests_to("/user/emails") == []


def test_a_github_app_has_no_scopes_and_can_be_refreshed(person: Person) -> None:
    with FakeGithub() as fake:
        fake.as_app()
        assert person.sign_in(provider_at(fake, Provider.Type.GITHUB, scopes=["repo"])).outcome == Visit.Outcome.DONE
        assert credential_of(person) == ("583231", ("repo",), True)


def test_githubs_error_with_200_is_an_error(person: Person) -> None:
    with FakeGithub() as fake:
        fake.faults = [Reply(200, {"error": "bad_verification_code", "error_description": "nope"})]
        visit = person.sign_in(provider_at(fake, Provider.Type.GITHUB))
    assert visit.outcome == Visit.Outcome.FAILED
    assert AuditEvent.objects.get().reason == "token_exchange_refused"
    assert person.user is None


def test_a_recycled_github_login_is_another_person(person: Person) -> None:
    with FakeGithub() as fake:
        provider = provider_at(fake, Provider.Type.GITHUB)
        person.sign_in(provider)
        fake.person["id"] = 999999
        somebody = Person()
        somebody.sign_in(provider)
        assert somebody.user != person.user


def test_google_is_asked_for_consent_only_while_a_refresh_token_is_missing(person: Person) -> None:
    drive = "https://www.googleapis.com/auth/drive.readonly"
    with FakeGoogle() as fake:
        provider = provider_at(fake, Provider.Type.GOOGLE)
        assert "prompt" not in query_of(person.begin(provider))
        first = query_of(person.begin(provider, scopes=(drive,)))
        assert (first["access_type"], first["prompt"]) == ("offline", "consent")
        person.sign_in(provider, scopes=(drive,))
        subject, scopes, refreshable = credential_of(person)
        assert (subject, refreshable) == ("110169484474386276334", True)
        assert {"openid", "email", "profile", drive} <= set(scopes)
        assert person.user is not None
        again = query_of(person.begin(provider, Visit.Purpose.CONNECT, (drive,), user_id=person.user.id))
        assert "prompt" not in again


def test_google_gives_its_refresh_token_once_and_the_old_one_is_kept(person: Person) -> None:
    with FakeGoogle() as fake:
        provider = provider_at(fake, Provider.Type.GOOGLE)
        person.sign_in(provider)
        person.sign_in(provider)
        assert len(fake.refresh_tokens) == 1
        assert credential_of(person)[2] is True


@pytest.mark.parametrize(
    ("domain", "outcome"), [("example.com", Visit.Outcome.DONE), ("example.org", Visit.Outcome.NOT_ALLOWED)]
)
def test_googles_hosted_domain_can_be_required(person: Person, domain: str, outcome: str) -> None:
    with FakeGoogle() as fake:
        visit = person.sign_in(provider_at(fake, Provider.Type.GOOGLE, allow={"claims": {"hd": domain}}))
    assert visit.outcome == outcome


def test_atlassian_needs_no_jira_site(person: Person) -> None:
    with FakeAtlassian() as fake:
        visit = person.sign_in(provider_at(fake, Provider.Type.ATLASSIAN), scopes=("read:jira-work",))
        assert visit.outcome == Visit.Outcome.DONE
        assert credential_of(person) == ("557058:0a1b2c3d", ("read:me", "offline_access", "read:jira-work"), True)
        assert person.user is not None
        assert person.user.email == "grace@example.com"
        assert {seen.path for seen in fake.seen} == {"/authorize", "/oauth/token", "/me"}


def test_entra_is_known_by_the_object_id_and_its_address_does_not_count(person: Person) -> None:
    with FakeEntra() as fake:
        visit = person.sign_in(provider_at(fake, Provider.Type.ENTRA))
        assert visit.outcome == Visit.Outcome.DONE
        assert credential_of(person)[0] == "99999999-8888-4777-8666-555555555555"
        assert "offline_access" in credential_of(person)[1]
        assert person.user is not None
        assert (person.user.name, person.user.email) == ("Edsger Example", "")


def test_entra_vouches_for_an_address_by_xms_edov(person: Person) -> None:
    with FakeEntra() as fake:
        fake.person["xms_edov"] = True
        person.sign_in(provider_at(fake, Provider.Type.ENTRA))
        assert person.user is not None
        assert person.user.email == "edsger@example.com"


def test_entras_shared_tenant_identifies_by_tenant_and_object(person: Person) -> None:
    with FakeEntra("organizations") as fake:
        assert person.sign_in(provider_at(fake, Provider.Type.ENTRA)).outcome == Visit.Outcome.DONE
        assert credential_of(person)[0] == f"{TENANT}.99999999-8888-4777-8666-555555555555"


OTHER_TENANT = "66666666-2222-4333-8444-555555555555"


def test_entras_issuer_must_be_the_tokens_own_tenants(person: Person) -> None:
    with FakeEntra("common") as fake:
        fake.forge = lambda claims: claims.update(tid=OTHER_TENANT)
        assert person.sign_in(provider_at(fake, Provider.Type.ENTRA)).outcome == Visit.Outcome.FAILED
    assert AuditEvent.objects.get().reason == "invalid_claim"


@pytest.mark.parametrize("tid", [None, "", "{tenantid}", "../evil", "common", "A" * 36, TENANT + "x", 7])
def test_entras_issuer_template_is_filled_with_a_tenant_id_only(person: Person, tid: object) -> None:
    """Also where the issuer says the same."""
    with FakeEntra("common") as fake:
        fake.forge = lambda claims: claims.update(tid=tid, iss=f"{fake.url}/{tid}/v2.0")
        assert person.sign_in(provider_at(fake, Provider.Type.ENTRA)).outcome == Visit.Outcome.FAILED
    assert AuditEvent.objects.get().reason == "id_token_tenant"


def test_entras_key_of_one_tenant_does_not_sign_for_another(person: Person) -> None:
    with FakeEntra("common") as fake:
        fake.jwks = [{**public_jwk("RS256", "key-1"), "issuer": f"{fake.url}/{OTHER_TENANT}/v2.0"}]
        assert person.sign_in(provider_at(fake, Provider.Type.ENTRA)).outcome == Visit.Outcome.FAILED
