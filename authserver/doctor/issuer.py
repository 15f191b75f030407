"""Ourselves as others see us: whether the issuer's address leads here, and whether what it publishes is what we sign."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import jwt
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from authserver.conf import load
from authserver.doctor import calls
from authserver.doctor.calls import Calls, Fetched
from authserver.doctor.findings import Finding, failed, ok, warning
from authserver.keys import signer
from authserver.keys.ephemeral import EphemeralSigner
from authserver.metadata import document

WELL_KNOWN = "/.well-known/oauth-authorization-server"
PROBE_TYPE = "doctor+jwt"
"""What the probe's signature is of: no token of ours has this type, so that nobody takes it for one."""
_GATEWAY = {502, 503, 504}


def look(through: Calls) -> Iterator[Finding]:
    """Where the address does not lead here, the rest cannot be told and is left out."""
    came = through.own(discovery_url())
    reached = reachability(came)
    if reached is not None:
        yield reached
        return
    yield ok("issuer", _("Our address"), _("%(issuer)s leads to this server.") % {"issuer": load().issuer})
    if load().path and (appended := _appended(through)):
        yield appended
    yield _settings(came.members)
    yield _keys(through)
    if clock := calls.clock("issuer.clock", _("Our clock"), came):
        yield clock


def discovery_url() -> str:
    """RFC 8414 section 3.1: the well-known part goes between host and path."""
    return load().origin + WELL_KNOWN + (f"/{load().path}" if load().path else "")


def reachability(came: Fetched) -> Finding | None:
    """Why the discovery document at our issuer is not ours; None where it is."""
    issuer = load().issuer
    if came.kind:
        return _wrong(calls.why(came.kind), _remedy_of(came.kind))
    if 300 <= came.status < 400:
        host = urlsplit(came.headers.get("Location", "")).hostname or urlsplit(issuer).hostname
        return _wrong(
            _("The answer is a redirect to %(host)s: clients do not follow it.") % {"host": str(host)[:100]},
            _("Let the proxy pass on the request as it is. AUTHSERVER_ISSUER must be the address that people see."),
        )
    if came.status in _GATEWAY:
        return _wrong(
            _("A proxy answers %(status)s: it does not reach this process.") % {"status": came.status},
            _("Check that the server runs, and the address and port to which the proxy forwards."),
        )
    if came.status == 400 and came.members.get("error") == "invalid_request":
        return _wrong(
            _("The server answers, and not to that host name."),
            _("Let the proxy pass on the Host header as it came, or name what it sends in AUTHSERVER_ALLOWED_HOSTS."),
        )
    if came.status != 200:
        return _wrong(
            _("The answer is %(status)s: something is there, and it does not forward this path.")
            % {"status": came.status},
            _("Let the proxy forward everything under the issuer, and %(path)s.")
            % {"path": urlsplit(discovery_url()).path},
        )
    theirs = came.members.get("issuer")
    if theirs is None:
        return _wrong(
            _("What answers is not this server: there is no discovery document."),
            _("Check where the name leads, and what the proxy serves at this path itself."),
        )
    if theirs != issuer:
        return _wrong(
            _("The server there calls itself %(theirs)s; clients refuse one that does not say the address they asked.")
            % {"theirs": str(theirs)[:200]},
            _("Give AUTHSERVER_ISSUER the same value everywhere, or correct where the name leads."),
        )
    return None


def _wrong(meaning: str, remedy: str) -> Finding:
    title = _("Our address")
    asked = _("Asked for %(url)s.") % {"url": discovery_url()}
    return failed("issuer", title, f"{meaning} {asked}", remedy)


def _remedy_of(kind: str) -> str:
    if kind == "tls":
        return _("Renew the certificate, or name its authority in AUTHSERVER_CA_FILE if it is your own.")
    if kind == "dns":
        return _("Register the name, or correct AUTHSERVER_ISSUER.")
    return _(
        "Check that the proxy and the server run. If only this host cannot reach its own public address, clients may."
    )


def _appended(through: Calls) -> Finding | None:
    """With a path in the issuer, some clients ask for the document below it (OpenID Connect Discovery section 4)."""
    came = through.own(load().url("/.well-known/openid-configuration"))
    if came.status == 200 and came.members.get("issuer") == load().issuer:
        return None
    return warning(
        "issuer.appended",
        _("Discovery below the issuer"),
        _("OpenID Connect clients ask for %(url)s, and do not find it.")
        % {"url": load().url("/.well-known/openid-configuration")},
        _("Let the proxy forward everything under the issuer."),
    )


def _settings(theirs: dict[str, Any]) -> Finding:
    """The document against the one that this process would serve."""
    check, title = "issuer.discovery", _("Discovery")
    ours = json.loads(json.dumps(document.authorization_server()))
    differing = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if differing:
        return warning(
            check,
            title,
            _("What is published differs from the settings here, in %(members)s.")
            % {"members": ", ".join(differing)[:300]},
            _("After a change, wait for caches (five minutes) and restart every process with the same settings."),
        )
    return ok(check, title, _("What is published is what the settings here say."))


def _keys(through: Calls) -> Finding:
    """Sign something, and verify it as a resource server would: by the published key."""
    check, title = "issuer.keys", _("Published keys")
    if issubclass(import_string(load().signing_backend), EphemeralSigner):
        meaning = _("Each process makes its own keys (AUTHSERVER_KEY_SOURCE is “ephemeral”): nothing can be compared.")
        return warning(check, title, meaning, _("Set AUTHSERVER_KEY_SOURCE to “database”."))
    came = through.own(load().url("/.well-known/jwks.json"))
    published = came.members.get("keys")
    if not isinstance(published, list):
        meaning = (
            calls.why(came.kind) if came.kind else _("The key set is not there (%(status)s).") % {"status": came.status}
        )
        return failed(check, title, meaning, _("Let the proxy forward %(path)s.") % {"path": "/.well-known/jwks.json"})
    if not verifies(published):
        return failed(
            check,
            title,
            _("What this process signs is not verified by any published key: its tokens are refused everywhere."),
            _("Every process needs the same database or key file. A cache may hold the key set for five minutes."),
        )
    theirs = {key.get("kid") for key in published if isinstance(key, dict)}
    ours = {key["kid"] for key in signer().public_jwks()["keys"]}
    if theirs != ours:
        return warning(
            check,
            title,
            _("The published key set is not the one that this process has."),
            _("Every process needs the same database or key file. A cache may hold the key set for five minutes."),
        )
    return ok(check, title, _("A signature made here is verified by the published keys."))


def verifies(published: list[Any]) -> bool:
    token = signer().sign({"probe": secrets.token_hex(16)}, PROBE_TYPE)
    kid = jwt.get_unverified_header(token)["kid"]
    for jwk in published:
        if isinstance(jwk, dict) and jwk.get("kid") == kid:
            try:
                jwt.PyJWS().decode(token, jwt.PyJWK(jwk).key, algorithms=[signer().algorithm])
            except (jwt.PyJWTError, ValueError, TypeError):
                return False
            return True
    return False
