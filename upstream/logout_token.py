"""A logout token of an upstream's, checked (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6).

Key, algorithm, issuer and audience are looked at by what looks at ID tokens, with the same keys fetched within the same
bounds. Whether the token was used before is the caller's to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from social_core.exceptions import SocialAuthBaseException
from social_django.models import DjangoStorage

from upstream import presets
from upstream.backends.oidc import LEEWAY_SECONDS, MAX_AGE_SECONDS, OidcBackend
from upstream.errors import OutboundFailed, OutboundRefused, SignInRefused, UpstreamError
from upstream.identity import MAX_SUBJECT
from upstream.models import Provider
from upstream.refresh_store import let_go
from upstream.strategy import ProviderStrategy, Transaction

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPES = ("logout+jwt", "application/logout+jwt", "jwt")
"""`typ`, in lower case. Section 2.4 recommends the first; providers older than it send the last, or none."""
MAX_LENGTH = 8 * 1024
MAX_TEXT = 255


class InvalidLogoutToken(Exception):
    """What is wrong with it: a phrase for those who run the provider. It never quotes the token."""


class KeysUnavailable(Exception):
    """The upstream cannot be asked for its keys now, so nobody can say whether the token is genuine."""


@dataclass(frozen=True)
class LogoutToken:
    """Who is to be signed out. `person` is None where nobody is known by its `sub`, or it has none; `sid` may be empty.

    `is_about_somebody` tells the one from the other. After `good_until` the token is refused, used or not.
    """

    person: UUID | None
    is_about_somebody: bool
    sid: str
    jti: str
    good_until: datetime


def check(provider: Provider, unverified: str, *, now: datetime) -> LogoutToken:
    """Raises `InvalidLogoutToken`, `KeysUnavailable`."""
    if not provider.enabled or not presets.of(provider).is_oidc:
        raise InvalidLogoutToken("this upstream sends no logout tokens here")
    if len(unverified) > MAX_LENGTH or not unverified.isascii() or unverified.count(".") != 2:
        raise InvalidLogoutToken("it is no signed JWT")
    transaction = Transaction(state="")
    backend = ProviderStrategy(provider=provider, transaction=transaction).provider_backend()
    assert isinstance(backend, OidcBackend)  # noqa: S101 - for mypy: so are all that speak OpenID Connect
    let_go()
    claims = _signed(backend, unverified)
    return _read(backend, claims, now=now)


def _signed(backend: OidcBackend, unverified: str) -> Mapping[str, Any]:
    """Steps 1 to 4, but for the times: signature by a key of the upstream's, `alg` never `none`, `iss`, `aud`."""
    try:
        typ = jwt.get_unverified_header(unverified).get("typ", "JWT")
        if not isinstance(typ, str) or typ.lower() not in TYPES:
            raise InvalidLogoutToken("typ is another kind of token's")
        backend.look_at(unverified)
        key = backend.find_valid_key(unverified)
        if key is None:
            raise InvalidLogoutToken("none of the upstream's keys made its signature")
        claims: Mapping[str, Any] = jwt.decode(
            unverified,
            jwt.PyJWK(key).key,
            algorithms=[key["alg"]],
            audience=backend.provider.client_id,
            issuer=backend.id_token_issuer(),
            options={
                "require": ["iss", "aud", "iat", "exp", "jti", "events"],
                "verify_signature": True,
                "verify_iss": True,
                "verify_aud": True,
                "verify_exp": False,  # by `_read`, against the `now` that it was given
                "verify_iat": False,  # as above
                "verify_nbf": False,  # as above
                "verify_sub": False,  # as above
                "verify_jti": False,  # as above
            },
        )
        backend.validate_authorized_party(claims, backend.provider.client_id)
    except (OutboundFailed, OutboundRefused) as error:
        raise KeysUnavailable(error.reason) from error
    except UpstreamError as error:
        raise InvalidLogoutToken(error.reason) from None
    except (jwt.PyJWTError, SocialAuthBaseException) as error:
        raise InvalidLogoutToken(type(error).__name__) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # What the libraries raise for a token of a shape that they did not expect.
        raise InvalidLogoutToken(f"it is malformed ({type(error).__name__})") from None
    return claims


def _read(backend: OidcBackend, claims: Mapping[str, Any], *, now: datetime) -> LogoutToken:
    """The rest of step 4, and steps 5 to 7."""
    leeway = timedelta(seconds=LEEWAY_SECONDS)
    issued_at, ends = _moment(claims, "iat"), _moment(claims, "exp")
    if not -leeway <= now - issued_at <= timedelta(seconds=MAX_AGE_SECONDS):
        raise InvalidLogoutToken("iat is not recent")
    if ends + leeway <= now:
        raise InvalidLogoutToken("it has expired")
    if "nbf" in claims and _moment(claims, "nbf") > now + leeway:
        raise InvalidLogoutToken("nbf is in the future")
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise InvalidLogoutToken("events does not have the event of a back-channel logout")
    if "nonce" in claims:  # or an ID token could be sent in place of one (section 4)
        raise InvalidLogoutToken("it has a nonce")
    if "sub" not in claims and "sid" not in claims:
        raise InvalidLogoutToken("it has neither sub nor sid")
    if "sub" in claims:
        _text(claims, "sub", MAX_SUBJECT)
    sid = _text(claims, "sid", MAX_TEXT) if "sid" in claims else ""
    person, is_about_somebody = _person(backend, claims)
    if not is_about_somebody and not sid:
        raise InvalidLogoutToken(
            f"people are known here by their {backend.id_key()}, and it has neither that nor a sid"
        )
    good_until = min(ends, issued_at + timedelta(seconds=MAX_AGE_SECONDS)) + leeway
    return LogoutToken(person, is_about_somebody, sid, _text(claims, "jti", MAX_TEXT), good_until)


def _person(backend: OidcBackend, claims: Mapping[str, Any]) -> tuple[UUID | None, bool]:
    """Whom the claims identify, as a sign-in's would, and whether they do: a `subject_claim` may not be among them."""
    try:
        subject = backend.subject_of(claims)
    except SignInRefused:
        return None, False
    known = DjangoStorage.user.get_social_auth(backend.name, subject, id_key=backend.id_key())
    return (known.user_id if known else None), True


def _moment(claims: Mapping[str, Any], name: str) -> datetime:
    """A NumericDate (RFC 7519 section 2)."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**33:
        raise InvalidLogoutToken(f"{name} is not a number of seconds")
    return datetime.fromtimestamp(value, UTC)


def _text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise InvalidLogoutToken(f"{name} is not printable text of at most {longest} characters")
    return value
