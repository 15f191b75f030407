"""The section `upstreams`: identity providers we are a client of."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from authserver.configuration import secrets, shapes
from authserver.configuration.entries import Upstream
from authserver.configuration.reading import Fields
from upstream.models import NAME_PATTERN, Provider
from upstream.providers import CALLBACK_PATH

PUBLIC = "none"
AUTH_METHODS = ("client_secret_basic", "client_secret_post", PUBLIC)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint")
IDENTITY = ("subject", "name", "email", "email_verified")
ALLOW = {"email_domains": shapes.domain, "emails": shapes.email, "subjects": None, "claims": None}

# What we set ourselves on the way to a provider; anything else would break the sign-in or its protection.
OURS = frozenset(
    {"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
     "code_challenge_method", "request", "request_uri", "client_secret"}
)  # fmt: skip
REQUIRED = {
    Provider.Type.OIDC.value: ("issuer",),
    Provider.Type.ENTRA.value: ("issuer",),
    Provider.Type.OAUTH2.value: ("authorization_endpoint", "token_endpoint"),
}


def name(text: str) -> str | None:
    remedy = "lower-case letters, digits and inner dashes, at most 32 characters"
    return None if re.fullmatch(NAME_PATTERN, text) else f"is not a name for an upstream; {remedy}"


def read(entry: Fields, directory: Path) -> Upstream:
    """One entry, its secret resolved."""
    named = entry.text("name", required=True, longest=32, check=name)
    kept = values(entry)
    public = kept["token_endpoint_auth_method"] == PUBLIC
    secret = secrets.read(entry, required=not public, directory=directory, must_look_random=False)
    if public and secret:
        entry.problem("client_secret", "is given, and token_endpoint_auth_method is none", "remove one of them")
    entry.done()
    return Upstream(line=entry.line, key=entry.key, name=named, values=kept, secret=secret)


def values(entry: Fields) -> dict[str, Any]:
    """What `Provider` keeps of an entry besides name and secret; what it does not say is the default."""
    kind = entry.text("type", required=True, choices=Provider.Type.values)
    private = entry.flag("allow_private_network")
    method = entry.text("token_endpoint_auth_method", choices=AUTH_METHODS)
    callable_url = partial(shapes.url, allow_private_network=private)
    for needed in REQUIRED.get(kind, ()):
        if not entry.has(needed):
            entry.problem(
                needed, f"is missing: the type {kind} needs it", f"add `{needed}: https://…`", line=entry.line
            )
    return {
        "type": kind,
        "allow_private_network": private,
        "token_endpoint_auth_method": method,
        "display_name": entry.text("display_name", longest=100),
        "client_id": entry.text("client_id", required=True),
        "scopes": list(entry.texts("scopes", check=shapes.scope)),
        "sign_in": entry.flag("sign_in", default=True),
        "issuer": entry.text("issuer", longest=512, check=partial(shapes.issuer, allow_private_network=private)),
        "subject_claim": entry.text("subject_claim", longest=64),
        **{endpoint: entry.text(endpoint, longest=2048, check=callable_url) for endpoint in ENDPOINTS},
        "identity": _identity(entry, required=kind == Provider.Type.OAUTH2),
        "allow": shapes.allow(entry, ALLOW),
        "authorization_params": _authorization_params(entry),
        "api_resources": list(entry.texts("api_resources", longest=2048, check=_api_resource)),
        "on_session_end": entry.text(
            "on_session_end", choices=Provider.SessionEnd.values, default=Provider.SessionEnd.KEEP.value
        ),
    }


def _identity(entry: Fields, *, required: bool) -> dict[str, list[str]]:
    """Where in a provider's answer a person is found: each a path of keys."""
    fields = entry.fields("identity", required=required)
    if fields is None:
        return {}
    identity = {part: list(fields.texts(part, longest=64)) for part in IDENTITY}
    if not identity["subject"] and required:
        fields.problem("subject", "is missing: the type oauth2 needs it", "add `subject: [id]`")
    fields.done()
    return {part: path for part, path in identity.items() if path}


def _authorization_params(entry: Fields) -> dict[str, str]:
    fields = entry.fields("authorization_params")
    if fields is None:
        return {}
    params = {name: fields.text(name, longest=1024) for name in fields.names()}
    shared = f"{settings.ISSUER}{CALLBACK_PATH}"  # the one exception, for registrations that hold only this address
    for reserved in sorted(OURS & params.keys()):
        if (reserved, params[reserved]) != ("redirect_uri", shared):
            fields.problem(reserved, "is set by us", "remove it")
    return params


def _api_resource(text: str) -> str | None:
    """A name that callers use, not an address we call: any absolute URL without a fragment."""
    if re.fullmatch(r"https?://[^\s/?#]+[^\s#]*", text):
        return None
    return "is not an absolute URL; write https://api.example.com"
