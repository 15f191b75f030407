"""Our own settings, changed for one test."""

from __future__ import annotations

from tests.harness.configured import configure

__all__ = ["configure"]
