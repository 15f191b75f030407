"""A session with a credential, ended, so that its provider is to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts.models import Revocation
from accounts.vault import vault
from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.oidc import FakeOidc
from tests.unit.upstream.held import START, Held
from upstream.models import Provider
from upstream.revoke import providers_to_tell


def ended(
    fake: FakeOAuth2, type_: str = Provider.Type.OAUTH2, subject: str = "1001", at: datetime = START, **fields: Any
) -> Held:
    """`at` is when the session ended; the access token was good for an hour from `START`."""
    if type_ == Provider.Type.GOOGLE or not isinstance(fake, FakeOidc):
        fields.setdefault("revocation_endpoint", fake.url + fake.revocation_path if fake.revocation_path else "")
    held = Held(fake, type_, subject, **{"on_session_end": Provider.SessionEnd.REVOKE, **fields})
    end(held, at)
    return held


def end(held: Held, at: datetime = START) -> None:
    assert vault().sessions.close(held.tsid, reason="test", now=at, revoke_at=providers_to_tell())


def receipt() -> tuple[str, str]:
    """State and outcome of the one there is."""
    row = Revocation.objects.get()
    return row.state, row.outcome
