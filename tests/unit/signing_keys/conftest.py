"""Signing keys at a given moment, and a process's configuration changed for one test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from authserver import policy
from authserver.keys.database import create
from authserver.models import SigningKey
from tests.harness.configured import Configure, configure

__all__ = ["Configure", "by_phase", "configure", "key"]
Phase = SigningKey.Phase


@pytest.fixture(autouse=True)
def _the_policy_of_this_test() -> Iterator[None]:
    policy.forget()
    yield
    policy.forget()


def key(phase: SigningKey.Phase, at: datetime) -> str:
    """A key that entered this phase then; its kid."""
    row = create(phase, now=at)
    row.activated_at = None if phase == Phase.NEXT else at
    row.retired_at = at if phase == Phase.RETIRED else None
    row.save()
    return row.kid


def by_phase() -> dict[str, list[str]]:
    """The kids in each phase."""
    found: dict[str, list[str]] = {}
    for row in SigningKey.objects.order_by("created_at"):
        found.setdefault(row.phase, []).append(row.kid)
    return found
