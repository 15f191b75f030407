"""The whole sign-in, once for each type, over HTTP: our URL, the provider, our callback, the vault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from social_django.models import UserSocialAuth

from accounts.models import AuditEvent, User
from accounts.vault import vault
from tests.fakes.oauth2 import CLIENT_SECRET, FakeNested, FakeOAuth2
from tests.fakes.oidc import FakeOidc
from tests.unit.upstream.journeys import Person, credential_of, provider_at, query_of
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db


@pytest.mark.postgres
def test_oidc_signs_in_a_new_person_and_keeps_the_tokens_sealed(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC, scopes=["openid", "email", "offline_access"])
    visit = person.sign_in(provider)
    assert visit.outcome == Visit.Outcome.DONE
    user = person.user
    assert user is not None
    assert (user.name, user.email, user.has_usable_password()) == ("Ada Example", "ada@example.com", False)
    assert person.client.session["signed_in_with"] == "fake"
    assert credential_of(person) == ("ada-1", ("openid", "email", "offline_access"), True)
    social = UserSocialAuth.objects.get()
    assert (social.provider, social.uid, social.extra_data) == ("fake", "ada-1", {})
    event = AuditEvent.objects.get(event="upstream.sign_in")
    assert (event.outcome, event.user_id, event.upstream) == ("ok", user.id, "fake")


def test_no_table_holds_a_token_a_secret_or_a_verifier_in_clear(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    url = person.begin(provider)
    state = query_of(url)["state"]
    person.come_back(person.at_provider(url))
    verifier = oidc.requests_to("/token")[0].form["code_verifier"]
    with connection.cursor() as cursor:
        stored = ""
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the names come from the database itself
            stored += json.dumps([[str(value) for value in row] for row in cursor.fetchall()])
    for secret in ("CANARY", state, verifier, query_of(url)["nonce"], CLIENT_SECRET):
        assert secret not in stored


def test_the_request_has_pkce_nonce_state_and_our_own_redirect_uri(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC, name="work")
    first, second = (query_of(person.begin(provider)) for _ in range(2))
    assert first["redirect_uri"] == "http://localhost:8000/oauth/callback/work"
    assert first["code_challenge_method"] == "S256"
    for fresh in ("state", "nonce", "code_challenge"):
        assert len(first[fresh]) == 43
        assert first[fresh] != second[fresh]


def test_a_hint_cannot_add_parameters(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    sent = query_of(person.begin(provider, login_hint="a@b.example&client_id=evil#x", prompt="login", max_age=0))
    assert sent["login_hint"] == "a@b.example&client_id=evil#x"
    assert sent["client_id"] != "evil"
    assert (sent["prompt"], sent["max_age"]) == ("login", "0")


def test_the_operators_parameters_cannot_touch_the_protocols_own(oidc: FakeOidc, person: Person) -> None:
    reserved = ("state", "nonce", "redirect_uri", "client_id", "scope", "response_mode", "request", "request_uri")
    params = {"audience": "https://api.example.com", **dict.fromkeys(reserved, "fixed")}
    sent = query_of(person.begin(provider_at(oidc, Provider.Type.OIDC, authorization_params=params)))
    assert sent["audience"] == "https://api.example.com"
    assert "fixed" not in sent.values()
    assert sent["redirect_uri"] == "http://localhost:8000/oauth/callback/fake"


def test_a_registration_with_the_shared_callback_only_is_served(oidc: FakeOidc, person: Person) -> None:
    shared = {"redirect_uri": "http://localhost:8000/oauth/callback"}
    provider = provider_at(oidc, Provider.Type.OIDC, authorization_params=shared)
    url = person.begin(provider)
    assert query_of(url)["redirect_uri"] == shared["redirect_uri"]
    assert person.come_back(person.at_provider(url)).status_code == 302
    assert person.user is not None


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
def test_oidc_takes_each_of_our_algorithms(oidc: FakeOidc, person: Person, algorithm: str) -> None:
    oidc.algorithm = algorithm
    assert person.sign_in(provider_at(oidc, Provider.Type.OIDC)).outcome == Visit.Outcome.DONE


def test_oidc_authenticates_by_what_discovery_offers(person: Person) -> None:
    with FakeOidc() as fake:
        fake.auth_method = "client_secret_post"
        assert person.sign_in(provider_at(fake, Provider.Type.OIDC)).outcome == Visit.Outcome.DONE
        assert "authorization" not in fake.requests_to("/token")[0].headers


def test_auth_time_is_when_the_provider_asked_the_person(oidc: FakeOidc, person: Person) -> None:
    long_ago = 1_700_000_000
    oidc.forge = lambda claims: claims.update(auth_time=long_ago)
    person.sign_in(provider_at(oidc, Provider.Type.OIDC))
    assert person.client.session["auth_time"] == long_ago


@pytest.mark.parametrize(("told", "least"), [(None, 1_700_000_000), (-1e300, 0), (-1, 0), (0.5, 0)])
def test_an_auth_time_that_says_nothing_or_nonsense_breaks_nothing(
    oidc: FakeOidc, person: Person, told: Any, least: int
) -> None:
    oidc.forge = lambda claims: claims.update(auth_time=told)
    assert person.sign_in(provider_at(oidc, Provider.Type.OIDC)).outcome == Visit.Outcome.DONE
    assert person.client.session["auth_time"] >= least


def test_plain_oauth2_finds_the_person_where_the_row_says(person: Person) -> None:
    with FakeOAuth2() as fake:
        fake.person = {"data": {"viewer": {"uid": 42, "label": "Barbara"}}, "mail": "b@example.com", "ok_mail": True}
        identity = {
            "subject": ["data.viewer.uid"],
            "name": ["data.viewer.label"],
            "email": ["mail"],
            "email_verified": ["ok_mail"],
        }
        visit = person.sign_in(provider_at(fake, Provider.Type.OAUTH2, identity=identity, scopes=["read"]))
        assert visit.outcome == Visit.Outcome.DONE
        assert credential_of(person) == ("42", ("read",), True)
        assert person.user is not None
        assert (person.user.name, person.user.email) == ("Barbara", "b@example.com")


def test_an_address_without_a_path_to_its_verification_does_not_count(person: Person) -> None:
    with FakeOAuth2() as fake:
        person.sign_in(provider_at(fake, Provider.Type.OAUTH2))
        assert person.user is not None
        assert person.user.email == ""


def test_a_nested_answer_gives_the_persons_own_token(person: Person) -> None:
    with FakeNested() as fake:
        fake.person = {"id": "U123"}
        row = provider_at(
            fake,
            Provider.Type.OAUTH2,
            userinfo_endpoint="",
            identity={"subject": ["authed_user.id"]},
            scopes=["a", "b"],
        )
        assert person.sign_in(row).outcome == Visit.Outcome.DONE
        assert credential_of(person) == ("U123", ("a", "b"), True)
        kept = vault().credentials
        assert person.user is not None
        assert kept.of_user(person.user.id)[0].expires_at is not None  # the person's token ends, the app's does not


@pytest.mark.parametrize("subject", [None, "", "None", "null", " 1", "a\x00b", "x" * 256, 1.5, True, ["1"]])
def test_what_is_no_subject_signs_nobody_in(person: Person, subject: object) -> None:
    with FakeOAuth2() as fake:
        fake.person = {"id": subject}
        visit = person.sign_in(provider_at(fake, Provider.Type.OAUTH2))
    assert visit.outcome == Visit.Outcome.FAILED
    assert not User.objects.exists()


def test_two_rows_of_one_type_are_two_providers(oidc: FakeOidc) -> None:
    """The same subject and address at another provider is another person (ASVS 6.8.1)."""
    with FakeOidc() as evil:
        first, second = Person(), Person()
        assert first.sign_in(provider_at(oidc, Provider.Type.OIDC, name="good")).outcome == Visit.Outcome.DONE
        assert second.sign_in(provider_at(evil, Provider.Type.OIDC, name="evil")).outcome == Visit.Outcome.DONE
    assert first.user != second.user
    assert first.user is not None
    assert second.user is not None
    assert first.user.email == second.user.email == "ada@example.com"


def test_name_and_address_follow_the_provider_but_an_unverified_address_does_not(
    oidc: FakeOidc, person: Person
) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    person.sign_in(provider)
    oidc.person |= {"name": "Ada\x00 King\n", "email": "king@example.com"}
    person.sign_in(provider)
    assert person.user is not None
    assert (person.user.name, person.user.email) == ("Ada King", "king@example.com")
    oidc.person |= {"email": "ceo@example.com", "email_verified": False}
    person.sign_in(provider)
    assert person.user.email == "king@example.com"
