"""Refreshes of each type of provider, and the ID tokens that come with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditEvent, Credential
from tests.fakes.atlassian import FakeAtlassian
from tests.fakes.github import FakeGithub
from tests.fakes.oauth2 import FakeNested
from tests.fakes.oidc import TENANT, FakeEntra, FakeGoogle, FakeOidc
from tests.fakes.server import Reply
from tests.unit.upstream.held import SCOPES, Clock, Held
from upstream.errors import NeedsReauthorization, TemporarilyUnavailable
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def claims(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda given: given.update(changed)


def test_a_refreshed_id_token_of_the_same_person_is_kept(clock: Clock) -> None:
    with FakeOidc() as fake:
        held = Held(fake, Provider.Type.OIDC, subject="ada-1")
        clock.to(hours=1)
        fresh = held.fresh(clock)
        assert fresh.entry.tokens.id_token == held.stored(clock).id_token != held.tokens.id_token


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (claims(sub="grace-2"), "id_token_subject_changed"),
        (claims(iss="https://evil.example"), "id_token_issuer"),
        (claims(aud="somebody-else"), "id_token_audience"),
        (claims(sub=None), "id_token_malformed"),
    ],
)
def test_another_persons_id_token_ends_the_credential_after_the_rotation_is_stored(
    clock: Clock, forge: Callable[[dict[str, Any]], None], reason: str
) -> None:
    with FakeOidc() as fake:
        held = Held(fake, Provider.Type.OIDC, subject="ada-1")
        fake.forge = forge
        clock.to(hours=1)
        with pytest.raises(NeedsReauthorization, match=reason):
            held.fresh(clock)
        assert held.row.state == Credential.State.DEAD
        assert list(fake.refresh_tokens) == [held.stored(clock).refresh_token]  # stored first, as ruled
        assert held.row.version == 2  # and dead in the same write: nobody who waited reads them alive
    assert AuditEvent.objects.get(event="upstream.credential_died").reason == reason


def test_an_id_token_that_is_none_ends_the_credential(clock: Clock) -> None:
    with FakeOidc() as fake:
        held = Held(fake, Provider.Type.OIDC, subject="ada-1")
        fake.sign = lambda given: "no token"
        clock.to(hours=1)
        with pytest.raises(NeedsReauthorization, match="id_token_malformed"):
            held.fresh(clock)


def test_a_github_app_is_refreshed_and_keeps_its_scopes(clock: Clock) -> None:
    with FakeGithub() as fake:
        fake.as_app()
        held = Held(fake, Provider.Type.GITHUB, subject="583231")
        clock.to(hours=8)
        fresh = held.fresh(clock, wanted_scopes=("read",))
        assert fresh.access_token.startswith("ghu_")
        assert fresh.scopes == SCOPES
        fake.refresh_tokens.clear()
        clock.to(hours=16)
        with pytest.raises(NeedsReauthorization):
            held.fresh(clock)


def test_atlassians_word_for_a_dead_refresh_token_is_understood(clock: Clock) -> None:
    with FakeAtlassian() as fake:
        held = Held(fake, Provider.Type.ATLASSIAN)
        clock.to(hours=1)
        held.fresh(clock)
        fake.refresh_tokens.clear()
        clock.to(hours=2)
        with pytest.raises(NeedsReauthorization):
            held.fresh(clock)


def test_atlassians_refusal_of_ourselves_kills_nothing(clock: Clock) -> None:
    with FakeAtlassian() as fake:
        held = Held(fake, Provider.Type.ATLASSIAN)
        fake.faults = [Reply(403, {"error": "unauthorized_client", "error_description": "the app is suspended"})]
        clock.to(hours=1)
        with pytest.raises(TemporarilyUnavailable, match="client_refused"):
            held.fresh(clock)


@pytest.mark.parametrize("tenant", [TENANT, "organizations"])
def test_entra_is_told_the_scopes(clock: Clock, tenant: str) -> None:
    with FakeEntra(tenant) as fake:
        oid = fake.person["oid"]
        held = Held(fake, Provider.Type.ENTRA, subject=oid if tenant == TENANT else f"{TENANT}.{oid}")
        clock.to(hours=1)
        held.fresh(clock)
        assert fake.requests_to("/token")[0].form["scope"] == "read write"


def test_google_keeps_its_one_refresh_token(clock: Clock) -> None:
    with FakeGoogle() as fake:
        held = Held(fake, Provider.Type.GOOGLE, subject=fake.person["sub"])
        for hour in (1, 2, 3):
            clock.to(hours=hour)
            held.fresh(clock)
        assert held.stored(clock).refresh_token == held.tokens.refresh_token


def test_a_nested_answer_is_refreshed(clock: Clock) -> None:
    with FakeNested() as fake:
        held = Held(fake)
        clock.to(hours=1)
        fresh = held.fresh(clock)
        assert fresh.access_token in fake.access_tokens
        assert (fresh.token_type, fresh.scopes) == ("user", SCOPES)


@pytest.mark.parametrize(("sub", "lives"), [("pairwise-for-this-app", True), ("somebody-else", False)])
def test_without_the_object_id_a_refresh_is_held_to_the_subject_before(clock: Clock, sub: str, lives: bool) -> None:
    """Entra leaves `oid` out where the scopes hold no `profile`."""
    with FakeEntra() as fake:
        held = Held(fake, Provider.Type.ENTRA, subject=fake.person["oid"])

        def terse(given: dict[str, Any]) -> None:
            del given["oid"]
            given["sub"] = sub

        fake.forge = terse
        clock.to(hours=1)
        if lives:
            assert held.fresh(clock).access_token != held.tokens.access_token
        else:
            with pytest.raises(NeedsReauthorization, match="id_token_subject_changed"):
                held.fresh(clock)
