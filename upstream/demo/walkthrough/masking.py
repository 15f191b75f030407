"""What may be shown of a message: everything but the secrets, of which four characters remain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SECRETS = frozenset({
    "access_token", "refresh_token", "id_token", "subject_token", "client_secret", "registration_access_token",
    "code", "code_verifier", "token",
})  # fmt: skip


def mask(secret: str) -> str:
    return f"{secret[:4]}…"


def fingerprint(secret: str) -> str:
    """Tells two secrets apart without showing either."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def in_json(value: Any) -> Any:
    """The document with its secrets masked, at every depth."""
    if isinstance(value, Mapping):
        return {
            name: mask(inner) if name in SECRETS and isinstance(inner, str) else in_json(inner)
            for name, inner in value.items()
        }
    return [in_json(inner) for inner in value] if isinstance(value, list) else value


def in_form(form: Mapping[str, str]) -> dict[str, str]:
    return {name: mask(value) if name in SECRETS else value for name, value in form.items()}


def in_credentials(authorization: str) -> str:
    """An Authorization header: its scheme, and the beginning of what follows."""
    scheme, _, credentials = authorization.partition(" ")
    return f"{scheme} {mask(credentials)}"


def in_query(url: str) -> str:
    """Path and query over several lines, one parameter a line, decoded: to be read, not to be sent."""
    parts = urlsplit(url)
    shown = in_form(dict(parse_qsl(parts.query, keep_blank_values=True)))
    lines = [f"{'&' if index else '?'}{name}={value}" for index, (name, value) in enumerate(shown.items())]
    return "\n    ".join([parts.path, *lines])
