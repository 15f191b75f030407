"""Client metadata (RFC 7591 section 2): what a client says about itself, checked, whichever way it reached us.

Registration requests and client ID metadata documents hold the same members; this is the one reading of them. Members
we do not know, or do not serve, are ignored and never stored. No URL in here is fetched, but a `jwks_uri` that is used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from authserver import client_jwks, redirects
from authserver.models import Client

GRANT_TYPES = ("authorization_code", "refresh_token")
PUBLIC = "none"
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
KEY_METHOD = "private_key_jwt"
AUTH_METHODS = (PUBLIC, *SECRET_METHODS)
"""Those of static clients. One that registers itself, or has a metadata document, may use `KEY_METHOD` too."""

# Methods of a client that means to prove itself, and cannot be served: it gets a secret rather than no proof at all.
_CONFIDENTIAL_METHODS = frozenset(
    {"client_secret_jwt", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
)

MAX_REDIRECT_URIS = 10
MAX_NAME = 120
MAX_TEXT = 255
MAX_SCOPE = 4096
MAX_CONTACTS = 10
MAX_LISTED = 50

URL_MEMBERS = ("client_uri", "logo_uri", "tos_uri", "policy_uri")
TEXT_MEMBERS = ("software_id", "software_version")

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that show nothing
_FRAGMENT = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*")


class InvalidMetadata(ValueError):
    """`error` is RFC 7591 section 3.2.2's code; the message is for the client's developer and names the member."""

    def __init__(self, message: str, *, error: str = "invalid_client_metadata") -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True)
class ClientMetadata:
    """What is stored. `other` holds the optional members that are there, under their RFC 7591 names."""

    redirect_uris: tuple[str, ...]
    token_endpoint_auth_method: str
    grant_types: tuple[str, ...]
    name: str = ""
    scope: str = ""
    other: dict[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """The same as columns of `Client`."""
        public = self.token_endpoint_auth_method == PUBLIC
        return {
            "name": self.name,
            "redirect_uris": " ".join(self.redirect_uris),
            "client_type": Client.CLIENT_PUBLIC if public else Client.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Client.GRANT_AUTHORIZATION_CODE,
            "token_endpoint_auth_method": self.token_endpoint_auth_method,
            "grant_types": list(self.grant_types),
            "registered_scope": self.scope,
            "metadata": self.other,
        }


def read(document: Mapping[str, Any], *, max_redirect_uris: int = MAX_REDIRECT_URIS) -> ClientMetadata:
    """Check a client's metadata, substituting what RFC 7591 section 2 lets us. Raises `InvalidMetadata`.

    A member that is null or an empty string counts as absent: clients send both. Without `grant_types` a client gets
    both of ours: many that omit it expect a refresh token, and the answer says what was registered.
    """
    given = {name: value for name, value in document.items() if value is not None and value != ""}
    _check_response_types(given)
    if given.get("id_token_signed_response_alg") == "none":
        raise InvalidMetadata("id_token_signed_response_alg: unsigned ID tokens are not served.")
    other: dict[str, Any] = {name: _https_url(name, given[name]) for name in URL_MEMBERS if name in given}
    other |= {name: _text(name, given[name]) for name in TEXT_MEMBERS if name in given}
    if "post_logout_redirect_uris" in given:
        other["post_logout_redirect_uris"] = _post_logout_redirect_uris(
            given["post_logout_redirect_uris"], max_redirect_uris
        )
    if "contacts" in given:
        other["contacts"] = _contacts(given["contacts"])
    method = _auth_method(given.get("token_endpoint_auth_method", PUBLIC), given)
    if method == KEY_METHOD:
        other |= _keys(given)
    return ClientMetadata(
        redirect_uris=_redirect_uris(given.get("redirect_uris"), max_redirect_uris),
        token_endpoint_auth_method=method,
        grant_types=_grant_types(given.get("grant_types", list(GRANT_TYPES))),
        name=_name(given.get("client_name", "")),
        scope=_scope(given.get("scope", "")),
        other=other,
    )


def without_unknown_scopes(scope: str, known: Collection[str]) -> str:
    """`scope` without what no resource has: a client is not told that it registered something it can never be given."""
    return " ".join(token for token in scope.split() if token in known)


def _redirect_uris(value: Any, at_most: int) -> tuple[str, ...]:
    error = "invalid_redirect_uri"
    if not isinstance(value, list) or not 1 <= len(value) <= at_most:
        raise InvalidMetadata(f"redirect_uris: an array of 1 to {at_most} URIs is needed.", error=error)
    return tuple(_registrable("redirect_uris", value, error))


def _post_logout_redirect_uris(value: Any, at_most: int) -> list[str]:
    """RP-Initiated Logout 1.0 section 3.1, held to what redirect URIs are held to. None at all is an answer too."""
    if not isinstance(value, list) or len(value) > at_most:
        raise InvalidMetadata(f"post_logout_redirect_uris: an array of at most {at_most} URIs is needed.")
    return _registrable("post_logout_redirect_uris", value, "invalid_client_metadata")


def _registrable(name: str, uris: list[Any], error: str) -> list[str]:
    """Each of them once."""
    for position, uri in enumerate(uris):
        if not isinstance(uri, str):
            raise InvalidMetadata(f"{name}[{position}]: a string is needed.", error=error)
        try:
            redirects.check_registrable(uri)
        except ValueError as reason:
            raise InvalidMetadata(f"{name}[{position}]: {reason}.", error=error) from None
    return list(dict.fromkeys(uris))


def _auth_method(value: Any, given: Mapping[str, Any]) -> str:
    """An unserved method becomes the nearest one we serve; the answer says which (RFC 7591 section 3.2.1). So does
    `private_key_jwt` without a key."""
    if not isinstance(value, str):
        raise InvalidMetadata("token_endpoint_auth_method: a string is needed.")
    if value == KEY_METHOD and ("jwks" in given or "jwks_uri" in given):
        return value
    if value in AUTH_METHODS:
        return value
    return "client_secret_basic" if value in _CONFIDENTIAL_METHODS else PUBLIC


def _keys(given: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7591 section 2: one of the two. The address is fetched when the client first proves itself, and not before."""
    if "jwks" in given and "jwks_uri" in given:
        raise InvalidMetadata("jwks and jwks_uri: one of them, not both.")
    if "jwks_uri" in given:
        return {"jwks_uri": _https_url("jwks_uri", given["jwks_uri"])}
    try:
        return {"jwks": {"keys": client_jwks.read(given["jwks"])}}
    except ValueError as reason:
        raise InvalidMetadata(f"jwks: {reason}.") from None


def _grant_types(value: Any) -> tuple[str, ...]:
    asked = _strings("grant_types", value)
    if "authorization_code" not in asked:
        raise InvalidMetadata("grant_types: authorization_code must be among them.")
    return tuple(grant_type for grant_type in GRANT_TYPES if grant_type in asked)


def _check_response_types(given: Mapping[str, Any]) -> None:
    if "code" not in _strings("response_types", given.get("response_types", ["code"])):
        raise InvalidMetadata("response_types: code must be among them.")


def _scope(value: Any) -> str:
    """A string (RFC 7591) or an array (some clients), as one string with each token once."""
    text = value if isinstance(value, str) else " ".join(_strings("scope", value))
    tokens = dict.fromkeys(text.split(" "))
    tokens.pop("", None)
    if len(text) > MAX_SCOPE or not all(_SCOPE_TOKEN.fullmatch(token) for token in tokens):
        raise InvalidMetadata(f"scope: tokens of RFC 6749 section 3.3 are needed, at most {MAX_SCOPE} characters.")
    return " ".join(tokens)


def _contacts(value: Any) -> list[str]:
    contacts = _strings("contacts", value)
    if len(contacts) > MAX_CONTACTS:
        raise InvalidMetadata(f"contacts: at most {MAX_CONTACTS} are kept.")
    return [_text("contacts", contact) for contact in contacts]


def _strings(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_LISTED or not all(isinstance(item, str) for item in value):
        raise InvalidMetadata(f"{name}: an array of at most {MAX_LISTED} strings is needed.")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise InvalidMetadata(f"{name}: printable text of at most {MAX_TEXT} characters is needed.")
    return value


def _https_url(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("https://"):
        raise InvalidMetadata(f"{name}: an https URL is needed.")
    address, _, fragment = value.partition("#")
    try:
        redirects.check_registrable(address)
    except ValueError as reason:
        raise InvalidMetadata(f"{name}: {reason}.") from None
    if len(value) > redirects.MAX_LENGTH or not _FRAGMENT.fullmatch(fragment):
        raise InvalidMetadata(f"{name}: its fragment is malformed.")
    return value


def _name(value: Any) -> str:
    """A name that looks like what it is: one line, no characters that hide, reorder or pile up.

    Removed rather than refused, since an emoji holds a zero-width joiner: control and format characters (the bidi
    overrides among them), private-use and unassigned ones, and a third mark on one letter.
    """
    if not isinstance(value, str):
        raise InvalidMetadata("client_name: a string is needed.")
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", value[: 8 * MAX_NAME]):
        category = unicodedata.category(character)
        if category in {"Mn", "Me"}:
            marks += 1
            if marks > 2:
                continue
        elif (category[0] == "C" and not character.isspace()) or character in _BLANK_LETTERS:
            continue
        else:
            marks = 0
        kept.append(" " if character.isspace() else character)
    name = " ".join("".join(kept).split())
    if len(name) > MAX_NAME or len(value) > 8 * MAX_NAME:
        raise InvalidMetadata(f"client_name: at most {MAX_NAME} characters are kept.")
    return name
