"""GitHub leaves out of its answer what another scope includes; it is granted all the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.github import FakeGithub
from tests.fakes.oauth2 import Grant
from tests.unit.upstream.held import Clock, Held
from tests.unit.upstream.journeys import Person, credential_of, provider_at
from upstream.errors import MissingScope
from upstream.github_scopes import INCLUDES, with_included
from upstream.models import Provider

pytestmark = pytest.mark.django_db


class Normalising(FakeGithub):
    """As the real one: a scope that another one includes is not named."""

    leaves_out = ("public_repo", "repo:status", "user:email", "read:user", "read:org", "write:org")

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        given = super().token_answer(grant, tokens)
        return given | {"scope": ",".join(scope for scope in grant.scopes if scope not in self.leaves_out)}


def test_what_was_asked_for_and_is_included_is_granted_and_nothing_besides(person: Person) -> None:
    asked = ("repo", "public_repo", "repo:status", "admin:org", "read:org")
    with Normalising() as fake:
        person.sign_in(provider_at(fake, Provider.Type.GITHUB, scopes=["user"]), scopes=asked)
    _, scopes, _ = credential_of(person)
    assert set(scopes) == {"user", *asked}


def test_what_is_not_included_is_missing_still(clock: Clock) -> None:
    with Normalising() as fake:
        held = Held(fake, Provider.Type.GITHUB, subject="583231")
        with pytest.raises(MissingScope) as missing:
            held.fresh(clock, wanted_scopes=("read", "admin:org"))
    assert missing.value.missing_scopes == ("admin:org",)


@pytest.mark.parametrize(
    ("granted", "included"),
    [
        (("repo",), ("repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events")),
        (("admin:org",), ("write:org", "manage_runners:org", "read:org")),
        (("admin:public_key", "gist"), ("write:public_key", "read:public_key")),
        (("user", "read:user"), ("user:email", "user:follow")),
        (("public_repo", "read:org", "user:email"), ()),
        (("toString", ""), ()),
        ((), ()),
    ],
)
def test_a_scope_includes_those_below_it_through_all_levels(
    granted: tuple[str, ...], included: tuple[str, ...]
) -> None:
    assert with_included(granted) == granted + included


def test_no_scope_includes_itself() -> None:
    """What grows while it is walked must come to an end."""
    for scope in INCLUDES:
        assert scope not in [other for below in INCLUDES[scope] for other in with_included([below])]
