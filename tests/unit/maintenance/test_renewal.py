"""`manage.py maintenance` keeps a grant alive that would end unused, and leaves alone what fails until its next run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Credential
from tests.fakes.oauth2 import FakeOAuth2, Grant
from tests.fakes.server import Reply
from tests.harness.approval import approve
from tests.unit.maintenance.conftest import StartMaintenance
from tests.unit.upstream.journeys import provider_at
from upstream.answers import token_set
from upstream.models import Provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

TEN_DAYS = 10 * 86400


class Ending(FakeOAuth2):
    """As Keycloak: it says when a refresh token ends."""

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        return {**tokens, "refresh_expires_in": TEN_DAYS}


def approved(fake: FakeOAuth2) -> str:
    """A session with an access token that lasts, and a refresh token with half a day left; the latter."""
    now = timezone.now()
    provider = provider_at(fake, Provider.Type.OAUTH2)
    issued = token_set(provider, fake.issue(Grant(["repo"]), refresh=True), requested=(), now=now - timedelta(days=9.5))
    approve(provider=provider, tokens=replace(issued, expires_at=now + timedelta(days=1)))
    return str(issued.refresh_token)


def test_a_run_renews_what_would_end_unused_and_the_next_has_nothing_to_do(maintenance: StartMaintenance) -> None:
    with Ending() as fake:
        before = approved(fake)
        for said in ("renewal: 1 renewed", "renewal: nothing to do"):
            run = maintenance()
            assert run.process.wait(60) == 0, run.said
            run.says(said)
            assert "CANARY" not in run.said
        (sent,) = fake.requests_to("/token")
    assert sent.form["refresh_token"] == before
    assert before not in fake.refresh_tokens
    row = Credential.objects.get()
    assert (row.version, row.lease_until) == (2, None)
    assert row.refresh_expires_at is not None
    assert row.refresh_expires_at > timezone.now() + timedelta(days=9.9)


def test_what_fails_does_not_come_again_in_the_same_run(maintenance: StartMaintenance) -> None:
    with Ending() as fake:
        approved(fake)
        fake.faults = [Reply(503, {})]
        run = maintenance()
        assert run.process.wait(60) == 0, run.said
        run.says("renewal: 1 postponed")
        assert len(fake.requests_to("/token")) == 1
        assert Credential.objects.get().version == 1
        maintenance().says("renewal: 1 renewed")
