"""A provider's "Test sign-in": what it tells an operator, and that it keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent, Credential, TokenSession, User
from authserver import conf
from tests.fakes.atlassian import FakeAtlassian
from tests.fakes.github import FakeGithub
from tests.fakes.oauth2 import CLIENT_ID, CLIENT_SECRET, FakeOAuth2
from tests.fakes.oidc import FakeEntra, FakeOidc
from tests.fakes.server import Reply
from tests.unit.console.sign_in_tests import at_provider, begin, everything_kept, found, page, try_out
from tests.unit.upstream.journeys import Person, provider_at, query_of
from upstream import discovery, providers
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db


@pytest.fixture
def idp() -> Iterator[FakeOidc]:
    cache.clear()
    discovery.forget()
    with FakeOidc() as fake:
        yield fake


def signed_in_before(provider: Provider) -> Person:
    """A person who is known and connected at the provider."""
    person = Person()
    url = person.at_provider(person.begin(provider))
    assert person.come_back(url).status_code == 302
    return person


# --- What it tells ----------------------------------------------------------------------------------------------------


def test_it_ends_on_claims_scopes_lifetime_and_refresh_token(idp: FakeOidc, superuser: Http) -> None:
    idp.person |= {"groups": ["staff", "admins"], "email": "ada@example.com"}
    provider = provider_at(idp, Provider.Type.OIDC, scopes=["openid", "email", "offline_access"],
                           allow={"claims": {"groups": "admins"}})  # fmt: skip
    answer = try_out(superuser, provider)
    said = found(answer)
    assert {level for level, _ in said.values()} == {"ok"}
    assert said["identity"][1].startswith("Ada Example, by sub: ada-1. Somebody new here")
    assert said["email"][1] == "ada@example.com, verified by the provider."
    assert said["scopes"][1] == "Asked for: openid email offline_access. Given: openid email offline_access."
    assert said["lifetime"][1] == "The access token lasts 1 hour."
    assert said["refresh_token"][1].startswith("Yes.")
    claims = dict(answer.context["claims"])
    assert (claims["sub"], claims["groups"]) == ('"ada-1"', '["staff", "admins"]')
    assert "no-store" in answer["Cache-Control"]


def test_it_goes_the_way_that_peoples_sign_ins_go(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    url = begin(superuser, provider)
    asked, theirs = query_of(url), query_of(Person().begin(provider))
    assert asked["redirect_uri"] == providers.callback_url(provider)
    fresh = {"state", "nonce", "code_challenge"}
    assert {name: asked[name] for name in asked.keys() - fresh} == {
        name: theirs[name] for name in theirs.keys() - fresh
    }
    assert all(asked[name] and asked[name] != theirs[name] for name in fresh)
    superuser.get(at_provider(url))
    [exchange] = idp.requests_to("/token")
    assert exchange.form["code_verifier"]


def test_no_token_code_secret_or_nonce_is_on_the_page_or_in_the_trail(idp: FakeOidc, superuser: Http) -> None:
    """Not even where the provider repeats them as claims."""
    idp.forge = lambda claims: claims.update(
        access_token="CANARY-claim", nested={"id_token": "CANARY-deep"}, list=[{"api_key": "CANARY-listed"}]
    )
    provider = provider_at(idp, Provider.Type.OIDC)
    idp.profile = lambda grant: {  # type: ignore[method-assign]
        **grant.person, "echo": next(iter(idp.access_tokens)), "note": f"bearer {next(iter(idp.refresh_tokens))}",
        "theirs": CLIENT_SECRET, "challenge": grant.nonce,
    }  # fmt: skip
    url = at_provider(begin(superuser, provider))
    answer = superuser.get(url)
    nonce = (
        idp.seen[0].query.get("nonce") or next(seen for seen in idp.seen if seen.path == "/authorize").query["nonce"]
    )
    parameters = query_of(url)
    everywhere = answer.content.decode() + str(answer.cookies) + str(list(AuditEvent.objects.values()))
    assert {"echo", "note", "theirs", "challenge", "nested"} <= set(dict(answer.context["claims"]))
    for secret in ("CANARY", CLIENT_SECRET, nonce, parameters["code"], parameters["state"]):
        assert secret not in everywhere, secret


@pytest.mark.parametrize(("allow", "level"), [({"emails": ["ada@example.com"]}, "ok"), ({"subjects": ["x"]}, "failed"),
                                              ({}, "warning")])  # fmt: skip
def test_it_says_whether_allow_would_let_the_person_in(
    idp: FakeOidc, superuser: Http, allow: dict[str, Any], level: str
) -> None:
    assert found(try_out(superuser, provider_at(idp, Provider.Type.OIDC, allow=allow)))["allow"][0] == level


def test_it_says_whom_the_identity_belongs_to(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    user = signed_in_before(provider).user
    assert found(try_out(superuser, provider))["identity"][1] == f"Ada Example, by sub: ada-1. Known here as {user}."
    User.objects.filter(username=str(user and user.username)).update(is_active=False)
    assert found(try_out(superuser, provider))["identity"][0] == "failed"


def test_it_works_before_a_provider_is_switched_on_or_signs_anybody_in(idp: FakeOidc, superuser: Http) -> None:
    said = found(try_out(superuser, provider_at(idp, Provider.Type.OIDC, enabled=False, sign_in=False)))
    assert said["sign_in"][0] == "ok"
    assert (said["enabled"][0], said["only_connected"][0]) == ("warning", "ok")


def test_a_missing_address_and_a_missing_refresh_token_come_with_what_to_do(superuser: Http) -> None:
    with FakeEntra() as fake:
        fake.gives_refresh_token = False
        answer = try_out(superuser, provider_at(fake, Provider.Type.ENTRA, allow={"email_domains": ["example.com"]}))
    said, page = found(answer), answer.content.decode()
    assert (said["allow"][0], said["email"][0], said["refresh_token"][0]) == ("failed", "warning", "warning")
    assert "xms_edov" in page
    assert "Add offline_access" in page


def test_scopes_that_were_not_given_are_named(superuser: Http) -> None:
    with FakeOAuth2() as fake:
        fake.token_answer = lambda grant, tokens: {**tokens, "scope": "read"}  # type: ignore[method-assign]
        said = try_out(superuser, provider_at(fake, Provider.Type.OAUTH2, scopes=["read", "write"]))
        assert found(said)["scopes"][0] == "warning"
        assert "Not given: write." in said.content.decode()
        fake.token_answer = lambda grant, tokens: {n: v for n, v in tokens.items() if n != "scope"}  # type: ignore[method-assign]
        said = try_out(superuser, Provider.objects.get())
        assert "does not say which it gave" in found(said)["scopes"][1]


# --- What goes wrong, in words ----------------------------------------------------------------------------------------


def failure(answer: Any) -> tuple[str, str]:
    """What it means and what to do."""
    [one] = [one for one in answer.context["findings"] if one.check == "sign_in"]
    assert one.level == "failed"
    return one.meaning, one.remedy


def test_a_person_who_declines(idp: FakeOidc, superuser: Http) -> None:
    idp.params = {"code": None, "error": "access_denied", "error_description": "<b>their words</b>"}
    answer = try_out(superuser, provider_at(idp, Provider.Type.OIDC))
    assert failure(answer)[0] == "The person declined at the provider."
    assert "their words" not in answer.content.decode()
    event = AuditEvent.objects.get(event="console.sign_in_tested")
    assert (event.outcome, event.reason) == ("refused", "declined_at_provider")


@pytest.mark.parametrize("kind", [FakeOidc, FakeGithub, FakeAtlassian])
def test_a_wrong_secret(superuser: Http, kind: type[FakeOAuth2]) -> None:
    """A 401 from most, a 200 with an error from GitHub."""
    types = {FakeOidc: Provider.Type.OIDC, FakeGithub: Provider.Type.GITHUB, FakeAtlassian: Provider.Type.ATLASSIAN}
    discovery.forget()
    with kind() as fake:
        provider = provider_at(fake, types[kind])
        providers.set_client_secret(provider, "not-the-secret", "console")
        provider.save()
        meaning, remedy = failure(try_out(superuser, provider))
    assert meaning == "It refuses our client ID or our secret."
    assert remedy.startswith("Enter the secret again.")


def test_a_callback_that_the_provider_does_not_know(superuser: Http) -> None:
    with FakeGithub() as fake:
        fake.params = {"code": None, "error": "redirect_uri_mismatch"}
        provider = provider_at(fake, Provider.Type.GITHUB)
        meaning, remedy = failure(try_out(superuser, provider))
    assert meaning == "It does not know our callback."
    assert remedy.endswith(f"{conf.load().issuer}/oauth/callback/fake")


def test_an_answer_at_another_callback_than_the_one_that_was_given(idp: FakeOidc, superuser: Http) -> None:
    url = at_provider(begin(superuser, provider_at(idp, Provider.Type.OIDC)))
    answer = superuser.get(url.replace("/oauth/callback/fake?", "/oauth/callback?"))
    assert failure(answer)[0] == "It answered at another callback than the one that it was given."
    assert idp.requests_to("/token") == []  # the code goes to nobody
    assert superuser.get(url).context["is_over"]


def test_a_code_that_is_refused(idp: FakeOidc, superuser: Http) -> None:
    idp.params = {"code": "made-up"}
    meaning, remedy = failure(try_out(superuser, provider_at(idp, Provider.Type.OIDC)))
    assert meaning.startswith("It refuses the code that it gave")
    assert "/oauth/callback/fake" in remedy


@pytest.mark.parametrize(
    ("claims", "meaning"),
    [
        ({"aud": [CLIENT_ID, "somebody-else"]}, "Its ID token is for somebody else too, or only."),
        ({"iss": "https://other.example"}, "Its ID token names another issuer, or is for another client."),
        ({"nonce": "another"}, "Its ID token does not repeat our nonce: it belongs to another sign-in."),
    ],
)
def test_a_bad_id_token(idp: FakeOidc, superuser: Http, claims: dict[str, str], meaning: str) -> None:
    idp.forge = lambda made: made.update(claims)
    answer = try_out(superuser, provider_at(idp, Provider.Type.OIDC))
    assert failure(answer)[0] == meaning
    assert answer.context["claims"] == ()  # unchecked: nobody's


def test_an_outage_before_it_begins_is_said_on_the_same_page(idp: FakeOidc, superuser: Http) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    idp.down = {"/.well-known/openid-configuration"}
    answer = superuser.post(page(provider))
    assert failure(answer) == (
        "It answered with an error (HTTP 503).",
        "Run Test connection: it asks each of the provider's addresses.",
    )
    assert not Visit.objects.exists()


# --- What it keeps: nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goes_well", [True, False])
def test_it_stores_nothing_and_the_console_session_is_as_it_was(
    idp: FakeOidc, superuser: Http, goes_well: bool
) -> None:
    provider = provider_at(idp, Provider.Type.OIDC)
    if not goes_well:
        idp.userinfo = {"sub": "somebody-else"}
    url = at_provider(begin(superuser, provider))
    before, key = everything_kept(), superuser.session.session_key
    assert superuser.get(url).status_code == 200
    assert everything_kept() == before  # people, identities, credentials, and all browser sessions with their contents
    assert superuser.session.session_key == key
    assert superuser.get(page(provider)).wsgi_request.user.username == "root"
    visit = Visit.objects.get()
    assert (visit.purpose, visit.user_id) == ("test", User.objects.get().pk)
    assert "ada-1" not in str(Visit.objects.values().get())


def test_the_trail_says_who_tested_what_and_no_claim(idp: FakeOidc, superuser: Http) -> None:
    try_out(superuser, provider_at(idp, Provider.Type.OIDC))
    event = AuditEvent.objects.get()
    assert (event.event, event.outcome, event.actor, event.upstream) == ("console.sign_in_tested", "ok", "root", "fake")
    assert event.detail == {"revoked": "revoked"}
    assert "ada-1" not in str(AuditEvent.objects.values().get())


def test_the_tokens_are_revoked_where_the_provider_can(idp: FakeOidc, superuser: Http) -> None:
    said = found(try_out(superuser, provider_at(idp, Provider.Type.OIDC)))
    assert said["tokens"] == ("ok", "The provider was told to revoke them, and they were dropped here.")
    assert (idp.access_tokens, idp.refresh_tokens) == ({}, {})


def test_tokens_of_a_test_that_failed_later_are_revoked_too(idp: FakeOidc, superuser: Http) -> None:
    idp.userinfo = {"sub": "somebody-else"}
    said = found(try_out(superuser, provider_at(idp, Provider.Type.OIDC)))
    assert (said["sign_in"][0], said["tokens"][0]) == ("failed", "ok")
    assert idp.access_tokens == {}


def test_a_provider_that_cannot_revoke_is_named_as_such(superuser: Http) -> None:
    with FakeAtlassian() as fake:
        said = found(try_out(superuser, provider_at(fake, Provider.Type.ATLASSIAN)))
        assert "has no way to revoke them" in said["tokens"][1]
        assert fake.revoked == []


def test_a_provider_that_does_not_revoke_now_is_no_failure_of_the_sign_in(idp: FakeOidc, superuser: Http) -> None:
    idp.revocation_faults = [Reply(503), Reply(503)]
    said = found(try_out(superuser, provider_at(idp, Provider.Type.OIDC)))
    assert (said["sign_in"][0], said["tokens"][0]) == ("ok", "warning")


@pytest.mark.parametrize("goes_well", [True, False])
def test_nothing_is_revoked_where_somebody_is_connected_with_the_account(
    idp: FakeOidc, superuser: Http, goes_well: bool
) -> None:
    """Many providers end the whole grant with one of its tokens: the person's own would be over too."""
    provider = provider_at(idp, Provider.Type.OIDC)
    signed_in_before(provider)
    sealed = Credential.objects.get().sealed_tokens
    if not goes_well:
        idp.userinfo = {"sub": "somebody-else"}
    assert "somebody is connected" in found(try_out(superuser, provider))["tokens"][1]
    assert idp.revoked == []
    assert (Credential.objects.get().sealed_tokens, TokenSession.objects.count()) == (sealed, 0)


def test_a_test_is_over_after_ten_minutes(idp: FakeOidc, superuser: Http) -> None:
    url = at_provider(begin(superuser, provider_at(idp, Provider.Type.OIDC)))
    visit = Visit.objects.get()
    assert visit.expires_at <= visit.created_at + timedelta(minutes=10)
    Visit.objects.update(expires_at=timezone.now())
    assert superuser.get(url).context["is_over"]
    assert idp.requests_to("/token") == []
