"""A log that somebody tries to get secrets into: by name, by shape, deep inside, through everybody's loggers."""

from __future__ import annotations

import io
import json
import logging
import secrets
import string
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import jwt
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from authserver import logs, refresh_tokens
from authserver.redaction import MAX_TEXT, redacted, text
from authserver.registration import initial_tokens, ownership

CANARY = "Zq8vT2nX5cLw9RbK4yHd7GfJ1mPs6AeU"
JWT = jwt.encode({"sub": "somebody", "tsid": "t"}, "k" * 32, algorithm="HS256")
Log = Callable[[], str]


@pytest.fixture(params=["json", "console"])
def written(request: pytest.FixtureRequest) -> Iterator[Log]:
    """What reaches standard error, as the process is configured at its start; everything is as before afterwards."""
    root = logging.getLogger()
    before, level, kept = list(root.handlers), root.level, structlog.get_config()
    logs.configure({"format": request.param, "level": "DEBUG"})
    [handler] = root.handlers
    assert isinstance(handler, logs.Handler)
    handler.stream = io.StringIO()
    yield handler.stream.getvalue
    root.handlers[:] = before
    root.setLevel(level)
    structlog.configure(**kept)


class Quiet:
    """Somebody's object, with a secret in its `repr`."""

    def __repr__(self) -> str:
        return f"Response(body={{'access_token': '{CANARY}'}}, url='https://x/?code={CANARY}')"


class Broken:
    def __repr__(self) -> str:
        raise ValueError(CANARY)


UNDER_A_NAME: list[Any] = [
    {"token": "short"}, {"Access-Token": "short"}, {"ACCESS_TOKEN": b"short"}, {"clientSecret": "short"}, {b"password": "short"},
    {"x": {"y": [{"z": ({"Set-Cookie": "short"},)}]}}, {"code": "short"}, {"code": 123456}, {"State": "short"},
    {"subject_token": ["short"]}, {"client-assertion": {"a": "short"}}, {"private key": "short"}, {"connect_url": "short"},
    {"pkce_verifier": "short"}, {"nonce": "short"}, {"X-Api-Key": "short"}, {"recovery_codes": ["short"]},
]  # fmt: skip


@pytest.mark.parametrize("line", UNDER_A_NAME, ids=str)
def test_a_secret_name_hides_whatever_stands_under_it(line: dict[Any, Any]) -> None:
    shown = repr(redacted({"event": "x", **{str(i): {name: value} for i, (name, value) in enumerate(line.items())}}))
    assert "short" not in shown
    assert "123456" not in shown


IN_A_TEXT = [
    f"Authorization: Bearer {CANARY}",
    "authorization: basic dXNlcjpwYXNz",
    f"GET /oauth/callback/github?code={CANARY}&state=abc HTTP/1.1",
    f"https://localhost/cb?state={CANARY}",
    quote(f"https://localhost/cb?code={CANARY}", safe=""),
    quote(quote(f"https://localhost/cb?code={CANARY}", safe=""), safe=""),
    f"https://localhost/#access_token={CANARY}",
    f"postgres://authserver:{CANARY}@db/authserver",
    f"http://proxy:{CANARY}@10.0.0.1:3128",
    json.dumps({"refresh_token": CANARY}),
    json.dumps(json.dumps({"client_secret": CANARY})),
    f"client_secret={CANARY}&grant_type=x",
    f"password: {CANARY}",
    f"{{'code_verifier': b'{CANARY}'}}",
    f"unexpected answer {CANARY}",
    f"({CANARY})",
    CANARY * 3,
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    JWT,
    JWT.rpartition(".")[0],
    f"token {JWT} is bad",
    refresh_tokens.PREFIX + CANARY,
    initial_tokens.PREFIX + CANARY,
    ownership.PREFIX + CANARY,
    f"ghp_{CANARY}",
    f"/oauth/connect/{CANARY}",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n{CANARY}\n-----END PRIVATE KEY-----",
    f"v1.k1.{CANARY}{CANARY}",
]


def is_clean(shown: str) -> bool:
    """Not the canary, nor any eight characters of it or of the token."""
    hidden = [CANARY, "9f86d081884c7d659a2feaa0c55ad015", JWT.split(".")[1], "dXNlcjpwYXNz"]
    return not any(whole[at : at + 8] in shown for whole in hidden for at in range(len(whole) - 7))


@pytest.mark.parametrize("said", IN_A_TEXT, ids=range(len(IN_A_TEXT)))
def test_a_secret_is_hidden_in_a_message_a_value_and_a_key(said: str) -> None:
    assert is_clean(text(said))
    assert is_clean(
        repr(redacted({"event": said, "reason": f"it said: {said}", said: 1, "deep": [{"a": said.encode()}]}))
    )


@pytest.mark.parametrize("said", IN_A_TEXT, ids=range(len(IN_A_TEXT)))
def test_it_is_hidden_in_what_everybody_else_logs(written: Log, said: str) -> None:
    for name in ("django.request", "gunicorn.error", "urllib3.connectionpool", "somebody.else"):
        logging.getLogger(name).error("failed: %s", said)
        logging.getLogger(name).error("failed: %(what)s", {"what": said}, extra={"more": said})
        logging.getLogger(name).error(said)
    structlog.get_logger("ours").warning("failed", why=said, what=ValueError(said), by={said})
    assert written().count("\n") >= 13
    assert is_clean(written())


@pytest.mark.parametrize("said", IN_A_TEXT, ids=range(len(IN_A_TEXT)))
def test_it_is_hidden_in_a_traceback_with_its_causes(written: Log, said: str) -> None:
    try:
        try:
            raise KeyError(said)
        except KeyError as error:
            raise RuntimeError(f"while asking: {said}") from error
    except RuntimeError:
        structlog.get_logger("ours").exception("it broke", of=Quiet())
        logging.getLogger("django.request").exception("Internal Server Error: %s", Quiet())
    assert "RuntimeError" in written()
    assert is_clean(written())


def test_a_line_that_cannot_be_formatted_is_lost_without_its_arguments(
    written: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    [ours] = [handler for handler in logging.getLogger().handlers if isinstance(handler, logs.Handler)]
    for message in ("two %s %s", "a number %d"):
        ours.handle(logging.LogRecord("somebody.else", logging.ERROR, "x.py", 1, message, (CANARY,), None))
    assert is_clean(repr(redacted({"event": "no repr", "of": Broken(), "inside": [Broken()]})))
    assert written().count("a log line was lost") == 2
    assert is_clean(written())
    assert is_clean("".join(capsys.readouterr()))


def test_what_is_public_stays_readable() -> None:
    line = {
        "event": "token",
        "request_id": secrets.token_hex(16),
        "tsid": secrets.token_urlsafe(24),
        "client_id": f"dcr-{secrets.token_hex(16)}",
        "user_id": "0b5a3b9e-3f2e-4f0a-9f0e-2b1c5d6e7f80",
        "resource": "https://mcp.example.com/mcp",
        "token_type": "Bearer",
        "logger": "authserver.keys.database",
        "reason": "the audience is not one of the caller's resources",
        "status": 400,
        "exception": 'File "/srv/.venv/lib/python3.11/site-packages/django/core/handlers/exception.py", line 55, in inner',
    }
    assert redacted(line) == line


def test_handles_are_public_and_tokens_put_in_their_place_are_not() -> None:
    assert is_clean(
        repr(redacted({"tsid": JWT, "client_id": f"https://x/?code={CANARY}", "request_id": f"ghp_{CANARY}"}))
    )


def test_what_is_long_is_cut_and_what_is_deep_ends() -> None:
    deep: Any = CANARY
    for _ in range(50):
        deep = {"a": [deep]}
    shown = redacted({"event": "x" * 10 * MAX_TEXT, "deep": deep, "many": list(range(100_000))})
    assert len(repr(shown)) < 2 * MAX_TEXT
    assert is_clean(repr(shown))


RANDOM = st.text(string.ascii_letters + string.digits + "_-", min_size=32, max_size=64).map(
    lambda seed: "".join(secrets.choice(string.ascii_letters + string.digits) if c in "_-" else c for c in seed)
)
NAMES = st.sampled_from(["access_token", "Client-Secret", "refreshToken", "PASSWORD", "id token", "code.verifier"])


@settings(max_examples=150, deadline=None)
@given(
    secret=st.text(min_size=1, max_size=50).filter(
        lambda s: len(s.strip()) > 3 and not set(s) & set("[redacted]\\'\"")
    ),
    name=NAMES,
    path=st.lists(st.sampled_from(["a", 1, None]), max_size=5),
)
def test_however_deep_and_whatever_it_is(secret: str, name: str, path: list[str | int | None]) -> None:
    nested: Any = {name: secret}
    for step in path:
        nested = [nested] if step is None else {step: nested}
    assert secret not in repr(redacted({"in": nested})).replace(name, "")


@settings(max_examples=300, deadline=None)
@given(before=st.text(" :=(<,;'\"\n", max_size=3), after=st.text(" ).,;'\"\n", max_size=3), words=st.text(max_size=20))
def test_a_random_secret_is_found_between_any_words(before: str, after: str, words: str) -> None:
    secret = secrets.token_urlsafe(48)
    shown = text(f"{words} {before}{secret}{after} {words}")
    assert secret[8:40] not in shown


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.one_of(st.text(), st.binary(), st.integers()), st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)))  # fmt: skip
def test_nothing_that_may_be_logged_breaks_it(line: dict[Any, Any]) -> None:
    json.dumps(redacted(line))
