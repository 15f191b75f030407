"""A session with a credential that a fake provider issued, and a clock that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import Credential, User
from accounts.vault import vault
from accounts.vault.base import Approved, NewSession, TokenSet
from tests.fakes.oauth2 import FakeOAuth2, Grant
from tests.unit.upstream.journeys import provider_at
from upstream.answers import token_set
from upstream.models import Provider
from upstream.refresh import Fresh, fresh_tokens

START = datetime(2030, 1, 1, tzinfo=UTC)
SCOPES = ("read", "write")


class Clock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def to(self, **ahead: float) -> None:
        self.moment = START + timedelta(**ahead)


class Held:
    """A session of a new person with one credential at a provider, whose tokens the fake issued."""

    def __init__(
        self, fake: FakeOAuth2, type_: str = Provider.Type.OAUTH2, subject: str = "1001", **fields: Any
    ) -> None:
        self.fake = fake
        self.provider = provider_at(fake, type_, **fields)
        self.user = User.objects.create(username=subject)
        answer = fake.issue(Grant(list(SCOPES), person=dict(fake.person)), refresh=fake.gives_refresh_token)
        self.tokens = token_set(self.provider, answer, requested=SCOPES, now=START)
        self.subject = subject
        self.keep(self.tokens)
        self.tsid = self.open()

    def keep(self, tokens: TokenSet) -> None:
        state = vault().credentials.keep(self.user.id, self.provider.name, self.subject, tokens, now=START)
        self.credential_id = state.id

    def open(self, approved: tuple[str, ...] = SCOPES) -> str:
        new = NewSession(
            user_id=self.user.id,
            client_id="client",
            redirect_host="localhost",
            resource="https://mcp.example.com/mcp",
            scopes=(),
            idle_expires_at=START + timedelta(days=30),
            expires_at=START + timedelta(days=90),
            approved=(Approved(self.credential_id, self.provider.name, approved),),
        )
        return vault().sessions.open(new, now=START)

    def fresh(self, clock: Clock, **more: Any) -> Fresh:
        return fresh_tokens(self.tsid, self.provider, now=clock, sleep=clock.sleep, monotonic=clock.monotonic, **more)

    @property
    def row(self) -> Credential:
        return Credential.objects.get()

    def stored(self, clock: Clock) -> TokenSet:
        return vault().credentials.tokens(self.tsid, self.provider.name, now=clock()).tokens
