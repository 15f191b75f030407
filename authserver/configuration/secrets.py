"""Secrets that a file refers to: found, looked over, and never shown.

Resource servers and confidential clients are stored under one round of SHA-256 (`authserver.hashers`), which is sound for
random secrets only; so theirs have to look random.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from authserver.configuration.entries import Secret
from authserver.configuration.reading import Fields
from authserver.configuration.tree import Table
from authserver.env import secret_reference

MAX_LENGTH = 4096
LEAST_RANDOM_LENGTH = 32
GENERATE = "generate one with `openssl rand -base64 48`"

_KINDS = ("env", "file", "value")


def read(entry: Fields, *, required: bool, directory: Path, must_look_random: bool) -> Secret | None:
    """`client_secret: {env: NAME}`, `{file: path}` (relative to the configuration file) or `{value: …}`."""
    name = "client_secret"
    node = entry.node(name, required=required)
    if node is None:
        return None
    given = [kind for kind in _KINDS if isinstance(node, Table) and kind in node.entries]
    fields = entry.fields(name) if len(given) == 1 else None
    if fields is None:
        entry.problem(name, "does not say where the secret is", "write {env: NAME}, {file: path} or {value: …}")
        return None
    kind = given[0]
    text = fields.text(kind, longest=MAX_LENGTH, literal=kind == "value")
    fields.done()
    if not text:
        return None
    secret = _resolve(fields, kind, text, directory)
    if secret is not None and must_look_random and (wrong := weakness(secret.value)):
        entry.problem(name, wrong, GENERATE)
        return None
    return secret


def _resolve(fields: Fields, kind: str, text: str, directory: Path) -> Secret | None:
    value: str | None
    source = "value" if kind == "value" else f"{kind}:{text}"
    try:
        if kind == "env":
            value = secret_reference(text)
        elif kind == "file":
            value = (directory / text).read_text(encoding="utf-8")[: MAX_LENGTH + 2].rstrip("\r\n")
        else:
            value = text
    except OSError as error:
        fields.problem(kind, f"{text} cannot be read ({error.strerror})", "check the path and its permissions")
        return None
    except ValueError:
        fields.problem(kind, f"{text} does not hold UTF-8 text", "write the secret into it as plain text")
        return None
    if not value:
        remedy = f"set {text} or {text}_FILE where the server runs" if kind == "env" else "write the secret into it"
        fields.problem(kind, f"{text} is not set" if kind == "env" else f"{text} is empty", remedy)
        return None
    if len(value) > MAX_LENGTH or not value.isprintable():
        fields.problem(
            kind, "is too long, or holds a line break or control character", "store the secret alone, on one line"
        )
        return None
    return Secret(value, source[:255])


def weakness(secret: str) -> str | None:
    """What makes a secret guessable, None for one that looks random.

    Generated secrets pass whatever their alphabet (hex, digits, base64); repetition, runs and short ones do not.
    """
    if len(secret) < LEAST_RANDOM_LENGTH:
        return f"is shorter than {LEAST_RANDOM_LENGTH} characters"
    triples = [secret[index : index + 3] for index in range(len(secret) - 2)]
    steps = {ord(after) - ord(before) for before, after in pairwise(secret)}
    if len(set(secret)) < 8 or len(steps) < 8 or len(set(triples)) < 0.7 * len(triples):
        return "is easy to guess"
    return None
