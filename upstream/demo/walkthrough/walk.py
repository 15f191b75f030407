"""What one browser has reached on its way through the flow: kept on the server, sealed, under a cookie of its own.

A Django session, but not the browser's own: signing in as somebody else on the way, or signing out, empties that one.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from importlib import import_module
from secrets import token_urlsafe
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse

from accounts.vault.base import Damaged
from accounts.vault.secrets import open_secret, seal_secret

from . import places

COOKIE = "authserver-demo-walk"
MAX_AGE_SECONDS = 12 * 3600
_KEY = "walk"


@dataclass
class Walk:
    """Everything the two parts we play know, and `records`: what each step did, by its name, ready to be shown.

    A record holds `messages` (see `wire`), `findings` (pairs of label and value), `claims` (of a JWT), and, if the step
    did not succeed, `stuck` (words) and perhaps `stuck_url`.
    """

    metadata: dict[str, str] = field(default_factory=dict)
    client_id: str = ""
    state: str = ""
    verifier: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    upstream_token: str = field(default="", repr=False)
    records: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def is_done(self, step: str) -> bool:
        return step in self.records and not self.records[step].get("stuck")

    def prepare_authorization(self) -> None:
        """Fresh state and PKCE verifier (RFC 7636 section 4.1): each is for one request."""
        self.state, self.verifier, self.code = token_urlsafe(24), token_urlsafe(48), ""

    def authorization_request(self) -> dict[str, str]:
        """What the client asks for (OAuth 2.1 section 4.1.1, RFC 8707)."""
        challenge = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": places.callback(),
            "scope": places.SCOPE,
            "state": self.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": places.mcp_server(),
        }

    def authorization_url(self) -> str:
        return f"{self.metadata['authorization_endpoint']}?{urlencode(self.authorization_request())}"


def load(request: HttpRequest) -> Walk:
    """This browser's walk; a new one where there is none, or none that can be read."""
    session = _session(request.COOKIES.get(COOKIE))
    sealed = session.get(_KEY)
    if not isinstance(sealed, str):
        return Walk()
    try:
        kept = json.loads(open_secret(sealed, _context(session)))
        return Walk(**{one.name: kept[one.name] for one in fields(Walk)})
    except (Damaged, ValueError, KeyError):  # other keys, or a walk of an older release
        return Walk()


def save(request: HttpRequest, response: HttpResponse, walk: Walk) -> None:
    session = _session(request.COOKIES.get(COOKIE))
    if not session.session_key or not session.exists(session.session_key):
        session.create()
    session[_KEY] = seal_secret(json.dumps(asdict(walk)), _context(session))
    session.set_expiry(MAX_AGE_SECONDS)
    session.save()
    response.set_cookie(
        COOKIE, session.session_key or "", max_age=MAX_AGE_SECONDS, secure=settings.SECURE, httponly=True,
        samesite="Lax", path="/",
    )  # fmt: skip


def forget(request: HttpRequest, response: HttpResponse) -> None:
    _session(request.COOKIES.get(COOKIE)).delete()
    response.delete_cookie(COOKIE, path="/", samesite="Lax")


def _session(key: str | None) -> SessionBase:
    return cast(SessionBase, import_module(settings.SESSION_ENGINE).SessionStore(key))


def _context(session: SessionBase) -> str:
    return f"demo-walk:{session.session_key}"
