"""A browser and its device as the person would recognise them: "Firefox on Linux" rather than a line of version numbers."""

from __future__ import annotations

from django.utils.translation import gettext as _
from ua_parser import parse

MAX_SHOWN = 80
UNKNOWN = {"Other", None}


def describe(user_agent: str) -> str:
    """Browser and system; what it calls itself first where neither is known; empty for nothing.

    Whoever sends it chooses it: it helps to recognise one's own, and proves nothing.
    """
    found = parse(user_agent) if user_agent else None
    browser = found.user_agent.family if found and found.user_agent else None
    system = found.os.family if found and found.os else None
    if browser in UNKNOWN and system in UNKNOWN:
        return user_agent.split("/", maxsplit=1)[0].split(" ", maxsplit=1)[0][:MAX_SHOWN]
    if browser in UNKNOWN or system in UNKNOWN:
        return str(system if browser in UNKNOWN else browser)[:MAX_SHOWN]
    return (_("%(browser)s on %(system)s") % {"browser": browser, "system": system})[:MAX_SHOWN]
