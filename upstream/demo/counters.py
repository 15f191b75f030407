"""Counts over all server processes, so that a race test can say "one refresh reached the provider"."""

from __future__ import annotations

from django.db.models import F

from .models import Counter

NAMES = (
    "discovery_requests",
    "jwks_requests",
    "authorize_requests",
    "sign_ins",
    "denials",
    "token_requests",  # everything at the token endpoint, whatever the grant type
    "code_requests",
    "code_successes",
    "code_replays",
    "refresh_requests",
    "refresh_successes",
    "reuse_detected",
    "userinfo_requests",
    "api_calls",
    "revocations",
    "sign_out_requests",
    "logout_tokens",
)


def count(name: str) -> None:
    """Add one, in one statement; only the first of its name also makes the row."""
    mine = Counter.objects.filter(name=name)
    if not mine.update(value=F("value") + 1):
        Counter.objects.bulk_create([Counter(name=name)], ignore_conflicts=True)
        mine.update(value=F("value") + 1)


def snapshot() -> dict[str, int]:
    values = dict(Counter.objects.values_list("name", "value"))
    return {name: values.get(name, 0) for name in NAMES}


def reset() -> None:
    Counter.objects.update(value=0)
