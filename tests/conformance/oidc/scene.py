"""A browser, an app and an OpenID Connect provider that really answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.conformance.oidc.relying_party import checked
from tests.fakes.oidc import FakeOidc
from tests.harness.approval import REDIRECT_URI, post
from tests.unit.authorize.answers import sent_to
from tests.unit.authorize.sitting import Sitting

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B, as the sitting's challenge


@dataclass
class Scene:
    """A browser, the app, and the provider that people sign in at."""

    idp: FakeOidc
    sitting: Sitting

    def ask(self, **changed: str) -> Any:
        """The request and whatever it takes, from the same browser; the client's answer, or the page where it ends."""
        return self.sitting.whole(scope="openid mcp:tools", **changed)

    def silently(self, **changed: str) -> dict[str, str]:
        """`prompt=none`: answered at once, at the redirect URI."""
        address, answer = sent_to(self.sitting.begin(scope="openid mcp:tools", prompt="none", **changed))
        assert address == REDIRECT_URI
        return answer

    def tokens(self, **form: str) -> dict[str, Any]:
        """What the token endpoint gives for a code or a refresh token."""
        known = {"redirect_uri": REDIRECT_URI, "client_id": self.sitting.client.client_id, "code_verifier": VERIFIER}
        answer = post({"grant_type": "authorization_code", **known, **form})
        assert answer.status_code == 200, answer.content
        return answer.json()  # type: ignore[no-any-return]

    def id_token(self, answer: dict[str, str]) -> dict[str, Any]:
        """The checked claims of the ID token that the answer's code gives."""
        return checked(self.tokens(code=answer["code"])["id_token"], self.sitting.client.client_id)

    def signed_in(self, seconds_ago: int) -> None:
        """Somebody approves all of it; their sign-in was that long ago."""
        self.ask()
        session = self.sitting.http.session
        session["auth_time"] = int(time.time()) - seconds_ago
        session.save()
        self.idp.seen.clear()

    @property
    def visits(self) -> list[dict[str, str]]:
        """What the provider was asked, each time."""
        return [seen.query for seen in self.idp.seen if seen.path == self.idp.authorize_path]
