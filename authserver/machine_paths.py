"""Where machines ask: errors are JSON there, words are English, and no cookie is looked at."""

from __future__ import annotations

MACHINE_PATHS = (
    "/oauth/token",
    "/oauth/userinfo",
    "/oauth/register",
    "/oauth/revoke",
    "/oauth/backchannel-logout/",
    "/oauth/introspect",
    "/.well-known/",
    "/api/",
)
"""How such a path begins, after that of the issuer. Nothing that people meet may begin like one of them."""
