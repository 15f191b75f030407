"""Taking secrets out of what is about to be written down: the last step before a log line's renderer.

Nothing here knows what a line is about, so that no call has to remember. A value goes by the name that it stands under, or
by its own shape, wherever it stands: in a message, a URL, a traceback, another object's `repr`. In doubt it goes. Names of
things that are public on purpose are listed, and only their values keep a random look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
MAX_TEXT = 16_000
"""Characters of one text; what is longer is cut after it was redacted."""
_MAX_READ = 4 * MAX_TEXT
_MAX_DEPTH, _MAX_ITEMS = 6, 100

# Compared without case and without everything that is no letter or digit: `Access-Token` and `accessToken` are one name.
_SECRET_IN_NAME = re.compile(
    r"token|secret|passw|passphrase|pwd|authorization|cookie|verifier|assertion|nonce|ticket|signature|apikey|privatekey"
    r"|sessionkey|credential|csrf|jwt|bearer|otp$|sealed|private_?jwk|recoverycode|connecturl|adminlink"
)
_SECRET_NAMES = {
    "code", "state", "auth", "key", "pass", "pin", "dpop", "jws", "jwe", "authcode", "usercode", "devicecode",
    "authorizationcode", "body", "query", "querystring", "post", "form", "headers",
}  # fmt: skip
_OPEN_NAMES = {
    "tokentype", "tokentypehint", "tokenendpoint", "tokenendpointauthmethod", "issuedtokentype", "subjecttokentype",
    "requestedtokentype", "credential", "credentials", "tokensessions", "tokens",
}  # fmt: skip
"""Said to contain a secret by their name, and do not. Their values still go by their shape."""
_PUBLIC_NAMES = {
    "requestid", "tsid", "clientid", "userid", "kid", "kids", "receipt", "resource", "credential", "traceid",
    "spanid",
}  # fmt: skip
"""Handles that are random and no secret: what looks random stays there, what looks like a token does not."""

_OURS = {"time", "level", "logger"}
"""Written by the processors before this one, over whatever a caller said."""

_PAIR_WORDS = (
    "token", "secret", "passw", "passphrase", "pwd", "authorization", "cookie", "verifier", "assertion", "nonce", "ticket",
    "signature", "apikey", "api_key", "api-key", "privatekey", "private_key", "sessionkey", "session_key", "credential",
    "csrf", "jwt", "otp", "connect_url", "code", "state", "pin", "key", "auth",
)  # fmt: skip
_BEFORE_SHORT = r"(?:(?<![A-Za-z0-9])|(?<=%3F)|(?<=%26)|(?<=%253F)|(?<=%2526))"
_PAIR = re.compile(
    # Its name, which may go on (`token_value`); short words only where they are the whole of it: no `keycode=`.
    r"(?P<name>(?:token|secret|passw|passphrase|pwd|authorization|cookie|verifier|assertion|nonce|ticket|signature"
    r"|api[_-]?key|private[_-]?key|session[_-]?key|credential|csrf|jwt|connect_url)[A-Za-z0-9_]{0,20}"
    rf"|{_BEFORE_SHORT}(?:code|state|pin|key|auth|otp|[a-z]{{1,12}}_code)(?![A-Za-z0-9_]))"
    # `name=value`, `name: value`, `"name": "value"`, as they are, percent-encoded, and escaped once or twice.
    r"(?P<between>(?:\\*[\"']|%22)?\s*(?:=>|=|:|%3D|%253D|%3A)\s*(?:b?\\*[\"'])?)"
    r"(?!\[redacted\]|None\b|True\b|False\b|//)"
    # In quotes, to the closing one; else to the next thing that can follow a value.
    r"(?:(?<=[\"'])[^\"']+|(?:%(?!26|22|20|25)|[^\s\"'&,;)}\]%\\])+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Shape:
    """`needles`: one of them is in whatever the pattern matches, in lower case. Looking for them first costs a tenth."""

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    instead: str = REDACTED


_SHAPES = (
    _Shape(
        ("private key",),
        re.compile(r"-----BEGIN[A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END[A-Z0-9 ]*-----|\Z)", re.DOTALL),
    ),
    # Somebody's user name and password in a URL (RFC 3986 section 3.2.1): a database's, a proxy's.
    _Shape(("://",), re.compile(r"(?<=://)[^\s/?#@\"'<>]+(?=@)")),
    # A query, whatever is in it: codes and states travel there.
    _Shape(("?",), re.compile(r"\?[^\s\"'<>?]*=[^\s\"'<>]*"), f"?{REDACTED}"),
    # A one-time link's ticket is in its path, and good for whoever holds it.
    _Shape(("/connect/", "/link/"), re.compile(r"(/oauth/connect/|/link/)[^/\s?\"'<>]+"), rf"\1{REDACTED}"),
    _Shape(
        ("bearer", "basic", "digest", "dpop", "negotiate"),
        re.compile(r"\b(bearer|basic|digest|dpop|negotiate)(?:%20|\+|\s|:)+[^\s\"',;]+", re.IGNORECASE),
        rf"\1 {REDACTED}",
    ),
    # JWTs and JWEs, also without their signature: `{"` is how the first part begins.
    _Shape(("eyj", "ew0k", "eya"), re.compile(r"e(?:yJ|w0K|yA)[A-Za-z0-9_-]{5,}(?:(?:\.|%2[Ee])[A-Za-z0-9_=-]*){0,4}")),
    # Ours, and those of providers that mark their own.
    _Shape(
        ("asr_", "iat_", "rat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-", "xox", "sk-", "sk_", "rk_"),
        re.compile(r"(?<![A-Za-z0-9])(?:asr|iat|rat|gh[opsur]|glpat|xox[abeprs]|sk|rk)[_-][A-Za-z0-9_-]{8,}"),
    ),
    _Shape(
        ("github_pat_", "ya29.", "1//0", "atatt", "atoa", "akia", "asia", "eaa"),
        re.compile(r"\b(?:github_pat_|ya29\.|1//0|ATATT|ATOA|AKIA|ASIA|EAA)[A-Za-z0-9_./-]{8,}"),
    ),
    # What is sealed: of no use without the key, and of no use in a log.
    _Shape(("v1.", "e1.", "h1."), re.compile(r"\b(?:v1|e1|h1)\.[A-Za-z0-9]{1,32}\.[A-Za-z0-9_.-]{16,}")),
    _Shape(_PAIR_WORDS, _PAIR, rf"\g<name>\g<between>{REDACTED}"),
)
_WORD = re.compile(r"[A-Za-z_.]{0,16}")
_RUN = re.compile(r"[A-Za-z0-9_+/=-]{20,}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_FEWEST = 16
_WITH_DIGITS, _WITHOUT_DIGITS = 3.0, 2.8
"""Characters that a word's piece has at least, on average."""


def redacted(line: Mapping[str, Any]) -> dict[str, Any]:
    """The same line without its secrets. Raises nothing: of a line that cannot be read, only that is left."""
    try:
        return {_key(name): value if name in _OURS else _value(name, value, 0) for name, value in line.items()}
    except Exception as error:  # somebody's `__iter__` or `items`; half a line could be the wrong half
        return {"event": "a log line that could not be redacted was left out", "error": type(error).__name__}


def text(given: str) -> str:
    """A text without what looks like a secret in it."""
    if _WORD.fullmatch(given):
        return given
    return _cut(_without_random(_without_shapes(given[:_MAX_READ])), len(given))


def _value(name: Any, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    is_secret, is_public = _kind(name if isinstance(name, str) else _key(name))
    if is_secret:
        return REDACTED if value != "" else value
    return _anything(value, depth, public=is_public)


@lru_cache(maxsize=1024)
def _kind(name: str) -> tuple[bool, bool]:
    """Whether what stands under this name is a secret, and whether it may look random."""
    plain = "".join(char for char in name[:200].lower() if char.isalnum())
    is_secret = plain in _SECRET_NAMES or bool(_SECRET_IN_NAME.search(plain))
    return is_secret and plain not in _OPEN_NAMES, plain in _PUBLIC_NAMES


def _anything(value: Any, depth: int, *, public: bool = False) -> Any:
    """What can be rendered as it is, or as a text."""
    if value is None or type(value) in {bool, int, float}:
        return value
    if isinstance(value, str):
        return _without_shapes(value[:MAX_TEXT]) if public else text(str(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return text(bytes(value[:_MAX_READ]).decode("latin-1"))
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {_key(name): _value(name, inner, depth + 1) for name, inner in _some(value.items())}
    if isinstance(value, list | tuple | set | frozenset):
        return [_anything(inner, depth + 1, public=public) for inner in _some(value)]
    try:
        return text(repr(value))
    except Exception as error:
        return f"<{type(value).__name__} that has no repr: {type(error).__name__}>"


def _some(items: Iterable[Any]) -> list[Any]:
    return [item for item, _ in zip(items, range(_MAX_ITEMS), strict=False)]


def _key(name: Any) -> str:
    """A name may be somebody's text as well."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return _name(name if isinstance(name, str) else repr(name))


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return text(name)


def _without_shapes(given: str) -> str:
    small = given.lower()
    for shape in _SHAPES:
        for needle in shape.needles:
            if needle in small:
                given = shape.pattern.sub(shape.instead, given)
                break
    return given


def _without_random(given: str) -> str:
    return _RUN.sub(lambda run: REDACTED if _looks_random(run[0]) else run[0], given)


def _looks_random(run: str) -> bool:
    """Words have long pieces of one kind of letter, what is random has not. A UUID is somebody's id.

    Of base64 one piece has 1.7 characters on average, of hexadecimal 2; of names in programs, 4 and more.
    """
    run = _UUID.sub("", run)
    if _HEX.search(run) and not run.isdigit():
        return True
    pieces = _PIECE.findall(run)
    letters_and_digits = sum(map(len, pieces))
    shortest = _WITH_DIGITS if any(char.isdigit() for char in run) else _WITHOUT_DIGITS
    return letters_and_digits >= _FEWEST and letters_and_digits / len(pieces) < shortest


def _cut(given: str, before: int) -> str:
    return given if before <= MAX_TEXT and len(given) <= MAX_TEXT else given[:MAX_TEXT] + "…"
