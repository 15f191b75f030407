"""The operator's policy for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from authserver import policy
from authserver.models import Policy


@contextmanager
def in_force(
    *,
    lifetimes: dict[str, int] | None = None,
    revocation: dict[str, bool] | None = None,
    sessions: dict[str, int] | None = None,
    retention: dict[str, int] | None = None,
    console: dict[str, Any] | None = None,
    **registration: Any,
) -> Iterator[None]:
    """Policy as `apply_config` stores it: what differs from the defaults. Needs the database."""
    sections = {"lifetimes": lifetimes or {}, "registration": registration, "revocation": revocation or {},
                "sessions": sessions or {}, "retention": retention or {}, "console": console or {}}  # fmt: skip
    Policy.objects.update_or_create(pk=1, defaults=sections)
    policy.forget()
    try:
        policy.current()
        yield
    finally:
        policy.forget()
