"""Who is let in, and which identity belongs to whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from social_django.models import UserSocialAuth

from accounts.models import AuditEvent, Credential, User
from accounts.vault import vault
from tests.fakes.github import FakeGithub
from tests.fakes.oidc import FakeOidc
from tests.unit.upstream.journeys import Person, ended, provider_at
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db


def test_a_stranger_is_told_apart_and_leaves_nothing(oidc: FakeOidc, person: Person) -> None:
    visit = person.sign_in(provider_at(oidc, Provider.Type.OIDC, allow={"email_domains": ["example.org"]}))
    assert visit.outcome == Visit.Outcome.NOT_ALLOWED
    assert person.user is None
    assert not User.objects.exists()
    assert not Credential.objects.exists()
    event = AuditEvent.objects.get()
    assert (event.outcome, event.reason) == ("refused", "not_on_the_allow_list")


@pytest.mark.parametrize("verified", [False, None, "yes", 1])
def test_an_unverified_address_opens_nothing(oidc: FakeOidc, person: Person, verified: object) -> None:
    oidc.person["email_verified"] = verified
    visit = person.sign_in(provider_at(oidc, Provider.Type.OIDC, allow={"email_domains": ["example.com"]}))
    assert visit.outcome == Visit.Outcome.NOT_ALLOWED


@pytest.mark.parametrize(
    "address",
    [
        "Ada@example.com",
        "ada+x@example.com",
        "ada@ex\N{CYRILLIC SMALL LETTER A}mple.com",
        "ada@example.com.",
        "ada@example.com ",
        "ada@example.com",
    ],
)
@pytest.mark.parametrize("verified", [True, False, None])
def test_nobody_is_found_by_an_address(oidc: FakeOidc, person: Person, address: str, verified: bool | None) -> None:
    local = User.objects.create_user(username="ada", email="ada@example.com")
    oidc.person |= {"email": address, "email_verified": verified}
    assert person.sign_in(provider_at(oidc, Provider.Type.OIDC)).outcome == Visit.Outcome.DONE
    assert person.user is not None
    assert person.user != local
    assert not UserSocialAuth.objects.filter(user=local).exists()


def test_the_same_person_comes_back_as_the_same_user(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    person.sign_in(provider)
    elsewhere = Person()
    elsewhere.sign_in(provider)
    assert elsewhere.user == person.user
    assert User.objects.count() == 1
    assert Credential.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_first_sign_ins_in_parallel_make_one_user(oidc: FakeOidc) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)

    def sign_in(_: int) -> str:
        try:
            return Person().sign_in(provider).outcome
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(sign_in, range(6))) == {Visit.Outcome.DONE}
    assert User.objects.count() == UserSocialAuth.objects.count() == Credential.objects.count() == 1


def test_a_deactivated_person_stays_out(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    person.sign_in(provider)
    User.objects.update(is_active=False)
    visit = Person().sign_in(provider)
    assert visit.outcome == Visit.Outcome.NOT_ALLOWED
    assert AuditEvent.objects.get(outcome="refused").reason == "user_inactive"


def test_signing_in_while_somebody_is_signed_in_links_nothing(oidc: FakeOidc, person: Person) -> None:
    with FakeGithub() as github:
        person.sign_in(provider_at(oidc, Provider.Type.OIDC))
        ada = person.user
        person.sign_in(provider_at(github, Provider.Type.GITHUB, name="github"))
        assert person.user != ada
        assert UserSocialAuth.objects.filter(user=ada).count() == 1


def test_connecting_links_the_identity_to_the_visiting_user(oidc: FakeOidc, person: Person) -> None:
    with FakeGithub() as github:
        row = provider_at(github, Provider.Type.GITHUB, name="github", sign_in=False)
        person.sign_in(provider_at(oidc, Provider.Type.OIDC))
        before = person.client.session.session_key
        assert person.connect(row, scopes=("repo",)).outcome == Visit.Outcome.DONE
        assert person.client.session.session_key == before  # another tab is not signed out by it
        user = person.user
        assert user is not None
        assert (user.name, user.email) == ("Ada Example", "ada@example.com")
        assert {held.provider for held in vault().credentials.of_user(user.id)} == {"fake", "github"}


def test_somebody_elses_identity_cannot_be_connected(oidc: FakeOidc, person: Person) -> None:
    with FakeGithub() as github:
        row = provider_at(github, Provider.Type.GITHUB, name="github")
        owner = Person()
        owner.sign_in(row)
        person.sign_in(provider_at(oidc, Provider.Type.OIDC))
        assert person.connect(row).outcome == Visit.Outcome.IN_USE
        assert UserSocialAuth.objects.get(provider="github").user == owner.user
        assert Credential.objects.get(provider="github").user == owner.user
    assert AuditEvent.objects.get(outcome="refused").reason == "identity_in_use"


def test_a_second_account_of_one_provider_is_not_mixed_in(oidc: FakeOidc, person: Person) -> None:
    """More scopes are asked for, and the person signs in at the provider as somebody else: the old token stays."""
    provider = provider_at(oidc, Provider.Type.OIDC)
    person.sign_in(provider)
    version = Credential.objects.get().version
    oidc.person["sub"] = "ada-at-home"
    assert person.connect(provider, scopes=("more",)).outcome == Visit.Outcome.ANOTHER
    held = Credential.objects.get()
    assert (held.subject, held.version) == ("ada-1", version)


def test_a_connection_ends_with_whoever_began_it(oidc: FakeOidc, person: Person) -> None:
    with FakeGithub() as github:
        row = provider_at(github, Provider.Type.GITHUB, name="github")
        first = provider_at(oidc, Provider.Type.OIDC)
        person.sign_in(first)
        assert person.user is not None
        url = person.at_provider(person.begin(row, Visit.Purpose.CONNECT, user_id=person.user.id))
        oidc.person["sub"] = "grace-2"
        person.sign_in(first)  # somebody else signs in in the same browser meanwhile
        assert ended(person.come_back(url)).outcome == Visit.Outcome.NOT_ALLOWED
        assert github.requests_to(github.token_path) == []


def test_more_scopes_are_asked_for_beside_those_granted(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC, scopes=["openid"])
    person.sign_in(provider, scopes=("a",))
    person.connect(provider, scopes=("b",))
    assert person.user is not None
    assert vault().credentials.of_user(person.user.id)[0].scopes == ("openid", "b", "a")


def test_a_sign_in_with_fewer_scopes_takes_none_away(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC, scopes=["openid"])
    person.sign_in(provider, scopes=("write",))
    version = Credential.objects.get().version
    Person().sign_in(provider)
    held = Credential.objects.get()
    assert (held.scope, held.version) == ("openid write", version)


def test_a_sign_in_brings_a_dead_credential_back(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC, scopes=["openid"])
    person.sign_in(provider, scopes=("write",))
    Credential.objects.update(state=Credential.State.DEAD, dead_reason="refused_by_provider")
    person.sign_in(provider)
    assert Credential.objects.get().state == Credential.State.LIVE


def test_a_changed_subject_claim_never_meets_the_old_ones_values(oidc: FakeOidc, person: Person) -> None:
    """The operator moves from `sub` to a name people choose; somebody chose another's old subject."""
    provider = provider_at(oidc, Provider.Type.OIDC)
    person.sign_in(provider)
    provider.subject_claim = "nick"
    provider.save()
    oidc.person |= {"sub": "mallory", "nick": "ada-1"}
    mallory = Person()
    assert mallory.sign_in(provider).outcome == Visit.Outcome.IN_USE
    assert mallory.user is None
    assert User.objects.count() == 1
