"""The browser a request comes from: a random cookie whose hash binds pending requests and visits to it."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse

MAX_AGE_SECONDS = 12 * 3600
_PENDING_ATTRIBUTE = "_new_browser_secret"


def cookie_name() -> str:
    """`__Host-` needs TLS; on a plain loopback issuer the browser would refuse it."""
    return "__Host-authserver-browser" if settings.SECURE else "authserver-browser"


def browser_hash(request: HttpRequest) -> str | None:
    """The hash of this browser's cookie; None for a browser that has none (or a malformed one)."""
    secret = request.COOKIES.get(cookie_name(), "")
    if len(secret) != 43 or not secret.isascii():
        return None
    return hashlib.sha256(secret.encode()).hexdigest()


def ensure_browser(request: HttpRequest) -> str:
    """The hash of this browser's cookie, deciding on a new one where there is none; `remember` sends it."""
    if existing := browser_hash(request):
        return existing
    secret = getattr(request, _PENDING_ATTRIBUTE, None) or secrets.token_urlsafe(32)
    setattr(request, _PENDING_ATTRIBUTE, secret)
    return hashlib.sha256(secret.encode()).hexdigest()


def session_hash(request: HttpRequest) -> str | None:
    """The hash of this browser's cookie (or the one that `ensure_browser` decided on) together with the browser session
    in it; None without both.

    Signing in and out gives the browser another session, so what is bound to this stays with who began it.
    """
    is_new = getattr(request, _PENDING_ATTRIBUTE, None) is not None
    browser, key = ensure_browser(request) if is_new else browser_hash(request), request.session.session_key
    if browser is None or key is None:
        return None
    return hashlib.sha256(f"{browser}:{key}".encode()).hexdigest()


def remember(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Set the cookie that `ensure_browser` decided on, if it did."""
    if secret := getattr(request, _PENDING_ATTRIBUTE, None):
        response.set_cookie(
            cookie_name(),
            secret,
            max_age=MAX_AGE_SECONDS,
            secure=settings.SECURE,
            httponly=True,
            samesite="Lax",
            path="/",
        )
    return response
