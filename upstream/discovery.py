"""Where a provider's endpoints and keys are: the row, then the preset, then its discovery document.

Discovery documents and keys are kept in the process for `FRESH_SECONDS`. A provider that cannot be reached is answered
from what we have for `STALE_SECONDS` more, and not at all after that (OpenID Connect Discovery s4, RFC 8414 s3). A URL is
asked by one thread at a time, and left alone for a while where it failed: a provider that hangs does not hold up a worker.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from upstream import http, presets
from upstream.calls import Call
from upstream.errors import OutboundFailed, OutboundRefused, SignInRefused, UpstreamError
from upstream.models import Provider

FRESH_SECONDS = 15 * 60
STALE_SECONDS = 6 * 3600
RETRY_SECONDS = 5
"""An unknown key or algorithm asks again, but not more often than this: a forged token must not make us a hammer."""

BACK_OFF_SECONDS = 5
"""How long a URL that failed is left alone: meanwhile everybody gets what is not yet stale, or the same failure."""

TIMEOUT_SECONDS = 5
WAIT_SECONDS = TIMEOUT_SECONDS + 1  # for another thread's fetch
MAX_BYTES = 256 * 1024
MAX_KEPT = 256  # a provider names its own `jwks_uri`, and may name another one each time
MAX_KEYS = 64
OUR_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
_KEY_TYPES = {"ES256": "EC", "RS256": "RSA", "PS256": "RSA", "EdDSA": "OKP"}
TENANT_PLACEHOLDER = "{tenantid}"


@dataclass(frozen=True)
class Endpoints:
    """A provider's addresses, each empty where it has none. `issuer` is what ID tokens must say (or its template)."""

    issuer: str
    authorization: str
    token: str
    userinfo: str
    revocation: str
    jwks: str
    auth_method: str
    algorithms: tuple[str, ...]
    iss_in_answer: bool


@dataclass
class _Kept:
    """What a URL gave when it last gave something, and why it last gave nothing. Moments are on the monotonic clock."""

    asking: Lock = field(default_factory=Lock)
    value: Any = None
    fetched_at: float = -math.inf
    failure: OutboundFailed | OutboundRefused | None = None
    failed_at: float = -math.inf

    def is_younger_than(self, seconds: float) -> bool:
        return time.monotonic() - self.fetched_at < seconds

    def ask(self, fetch: Callable[[], Any]) -> bool:
        """Note what `fetch` gives or raises; whether it gave something. While the URL is left alone, nothing is asked."""
        if time.monotonic() - self.failed_at < BACK_OFF_SECONDS:
            return False
        try:
            self.value = fetch()
        except (OutboundFailed, OutboundRefused) as error:
            self.failure, self.failed_at = type(error)(error.reason), time.monotonic()
            return False
        self.fetched_at, self.failed_at = time.monotonic(), -math.inf
        return True


_kept: dict[tuple[str, str, bool], _Kept] = {}
_lock = Lock()


def endpoints(provider: Provider) -> Endpoints:
    """The provider's endpoints. Raises `UpstreamError` when they cannot be known now."""
    preset = presets.of(provider)
    document: Mapping[str, Any] = {}
    issuer = provider.issuer or preset.issuer
    if preset.is_oidc:
        if not issuer:
            raise UpstreamError("issuer_not_configured", provider=provider.name)
        document = _document(provider, issuer, FRESH_SECONDS)

    def address(name: str) -> str:
        return address_of(provider, name, document)

    return Endpoints(
        issuer=document.get("issuer", issuer),
        authorization=_for_browsers(provider, address("authorization_endpoint")),
        token=address("token_endpoint"),
        userinfo=address("userinfo_endpoint"),
        revocation=address("revocation_endpoint"),
        jwks=address("jwks_uri"),
        auth_method=_auth_method(provider, preset, document),
        algorithms=_algorithms(document),
        iss_in_answer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def address_of(provider: Provider, name: str, document: Mapping[str, Any]) -> str:
    """One endpoint by its name in the metadata; empty for none. Raises `OutboundFailed("garbage")`."""
    value = getattr(provider, name, "") or getattr(presets.of(provider), name, "") or document.get(name) or ""
    if not isinstance(value, str):
        raise OutboundFailed("garbage", provider=provider.name)
    return value


def document_url(issuer: str) -> str:
    """Where an issuer's document is (OpenID Connect Discovery s4)."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def signing_keys(provider: Provider, algorithm: str, key_id: str | None) -> list[dict[str, Any]]:
    """The provider's public keys that may have signed with `algorithm`; asks again, within reason, for an unknown id."""
    uri = endpoints(provider).jwks
    if not uri:
        raise SignInRefused("jwks_uri_missing", provider=provider.name)
    found = _matching(_keys(provider, uri, FRESH_SECONDS), algorithm, key_id)
    if not found and key_id is not None:
        found = _matching(_keys(provider, uri, RETRY_SECONDS), algorithm, key_id)
    return found


def algorithms(provider: Provider, wanted: str) -> tuple[str, ...]:
    """What ID tokens may be signed with: ours, as far as the provider announces them. Asks again where `wanted` is new."""
    known = endpoints(provider).algorithms
    if wanted not in known and wanted in OUR_ALGORITHMS:
        preset = presets.of(provider)
        known = _algorithms(_document(provider, provider.issuer or preset.issuer, RETRY_SECONDS))
    return known


def forget() -> None:
    """Empty what this process keeps."""
    with _lock:
        _kept.clear()


def _document(provider: Provider, issuer: str, max_age_seconds: float) -> Mapping[str, Any]:
    def fetch() -> Mapping[str, Any]:
        document = _fetch(provider, document_url(issuer), "discovery")
        # The document must be the issuer's own (Discovery s4.3), or its endpoints are somebody else's.
        if document.get("issuer") not in issuers(provider, issuer):
            raise OutboundFailed("issuer_mismatch", provider=provider.name)
        return document

    found: Mapping[str, Any] = _remembered(provider, "document", issuer, fetch, max_age_seconds)
    return found


def issuers(provider: Provider, issuer: str) -> tuple[str, ...]:
    """What the document may call itself. Entra's shared tenants publish a template in place of the tenant."""
    if provider.type == Provider.Type.ENTRA:
        for shared in ("common", "organizations", "consumers"):
            if f"/{shared}/" in issuer:
                return (issuer.replace(f"/{shared}/", f"/{TENANT_PLACEHOLDER}/"),)
    return (issuer,)


def _keys(provider: Provider, uri: str, max_age_seconds: float) -> list[dict[str, Any]]:
    def fetch() -> list[dict[str, Any]]:
        keys = _fetch(provider, uri, "jwks").get("keys")
        if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(key, dict) for key in keys):
            raise OutboundFailed("garbage", provider=provider.name)
        return keys

    found: list[dict[str, Any]] = _remembered(provider, "keys", uri, fetch, max_age_seconds)
    return found


def _matching(keys: list[dict[str, Any]], algorithm: str, key_id: str | None) -> list[dict[str, Any]]:
    return [
        key
        for key in keys
        if key.get("kty") == _KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (key_id is None or key.get("kid") == key_id)
    ]


def _remembered(provider: Provider, what: str, url: str, fetch: Callable[[], Any], max_age_seconds: float) -> Any:
    """What `fetch` gave within `max_age_seconds`, else what it gives now, else, if it fails, what is not yet stale."""
    kept = _slot((what, url, provider.allow_private_network))
    if kept.is_younger_than(max_age_seconds):
        return kept.value
    # What has merely aged serves while another thread asks. Where there is nothing, or something fresh that was not good
    # enough (an unknown key), the answer is worth waiting for.
    waits = kept.is_younger_than(FRESH_SECONDS) or not kept.is_younger_than(STALE_SECONDS)
    if kept.asking.acquire(timeout=WAIT_SECONDS if waits else 0):
        try:
            if kept.is_younger_than(max_age_seconds) or kept.ask(fetch):
                return kept.value
        finally:
            kept.asking.release()
    if kept.is_younger_than(STALE_SECONDS):
        return kept.value
    failure = kept.failure or OutboundFailed("timeout")
    raise type(failure)(failure.reason, provider=provider.name)


def _slot(key: tuple[str, str, bool]) -> _Kept:
    """The place of a URL among what is kept; what has been there longest makes room for a new one."""
    with _lock:
        if key not in _kept and len(_kept) >= MAX_KEPT:
            del _kept[next(iter(_kept))]
        return _kept.setdefault(key, _Kept())


def _fetch(provider: Provider, url: str, operation: str) -> Mapping[str, Any]:
    answer = http.request(
        "GET",
        url,
        allow_private_network=provider.allow_private_network,
        timeout_seconds=TIMEOUT_SECONDS,
        max_bytes=MAX_BYTES,
        call=Call(operation, provider.name),
    )
    if answer.status != 200:
        raise OutboundFailed(f"http_{answer.status}", provider=provider.name)
    document = answer.json()
    if not isinstance(document, dict):
        raise OutboundFailed("garbage", provider=provider.name)
    return document


def _for_browsers(provider: Provider, url: str) -> str:
    """An address people are sent to: TLS, or plain HTTP in development."""
    if not url:
        raise UpstreamError("authorization_endpoint_missing", provider=provider.name)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UpstreamError("authorization_endpoint_malformed", provider=provider.name) from None
    schemes = {"https", "http"} if provider.allow_private_network else {"https"}
    if parts.scheme not in schemes or not parts.hostname or parts.fragment or not url.isprintable():
        raise UpstreamError("authorization_endpoint_malformed", provider=provider.name)
    return url


def _auth_method(provider: Provider, preset: presets.Preset, document: Mapping[str, Any]) -> str:
    """`client_secret_basic`, `client_secret_post` or `none` (RFC 6749 s2.3.1; Basic is what every server must take)."""
    if not provider.client_secret_sealed:
        return "none"
    chosen = provider.token_endpoint_auth_method or preset.auth_method
    if chosen:
        return chosen
    supported = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in supported else "client_secret_post"


def _algorithms(document: Mapping[str, Any]) -> tuple[str, ...]:
    announced = document.get("id_token_signing_alg_values_supported")
    if not isinstance(announced, list):
        return OUR_ALGORITHMS
    return tuple(algorithm for algorithm in OUR_ALGORITHMS if algorithm in announced)
