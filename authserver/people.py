"""Who is at the browser, as far as our pages are concerned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest

from accounts.browser_sessions import SIGNED_IN_WITH  # set by upstream.views at a sign-in there
from accounts.models import User

AUTH_TIME = "auth_time"


def signed_in(request: HttpRequest) -> User | None:
    """The person, if active and signed in through a provider; an administrator's password session does not count."""
    user = request.user
    if isinstance(user, User) and user.is_active and request.session.get(SIGNED_IN_WITH):
        return user
    return None


def auth_time(request: HttpRequest) -> datetime | None:
    """When the person really signed in."""
    seconds = request.session.get(AUTH_TIME)
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None


def is_recent_enough(request: HttpRequest, max_age: int | None, *, now: datetime) -> bool:
    """`max_age` (OpenID Connect Core section 3.1.2.1): whether the last real sign-in is young enough."""
    if max_age is None:
        return True
    at = auth_time(request)
    return at is not None and now - at <= timedelta(seconds=max_age)


def may_reach(user: User, allow: dict[str, Any]) -> bool:
    """A resource's own `allow`: e-mail addresses and domains; absent or empty lets everybody in."""
    emails = {email.lower() for email in allow.get("emails", [])}
    domains = {domain.lower() for domain in allow.get("email_domains", [])}
    groups = set(allow.get("groups", []))
    if not emails and not domains and not groups:
        return True
    email = user.email.lower()
    if email and (email in emails or email.rpartition("@")[2] in domains):
        return True
    return bool(groups) and user.groups.filter(name__in=groups).exists()
