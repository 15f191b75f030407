"""Codes and tokens: opaque, 256 random bits, kept only as hashes (plain ones do for random values)."""

from __future__ import annotations

import hashlib
import secrets


def new(kind: str, canary: str = "") -> str:
    """A fresh value. `canary` goes in front, so that a test can look for leaked ones by it."""
    return f"{canary}{kind}_{secrets.token_urlsafe(32)}"


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
