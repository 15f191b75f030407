"""Which URLs may be a client's id, and whom the operator lets in by one. Decided before anything is fetched."""

from __future__ import annotations

import re

from authserver import redirects
from authserver.cimd.errors import UnusableDocument
from authserver.policy import Cimd

PREFIX = "https://"
_WITH_PATH = re.compile("https://[^/?]+/[^?]")


def check(client_id: str) -> None:
    """Raise `UnusableDocument` unless the URL follows the draft's section 3.

    `https` with a host and a path; no fragment, user information, dot segments or control characters, however they are
    written; at most 2048 characters, ASCII only. A query is allowed, though the draft advises against it.
    """
    try:
        redirects.check_registrable(client_id)
    except ValueError as reason:
        raise UnusableDocument(f"The client_id is not a URL we accept: {reason}.") from None
    if not _WITH_PATH.match(client_id):
        raise UnusableDocument("The client_id is not an https URL with a path.")


def check_host(client_id: str, policy: Cimd) -> None:
    """Raise `UnusableDocument` where the operator's lists keep the URL's host out; a denied host stays denied."""
    host = redirects.host_of(client_id).rstrip(".")
    if any(_covers(pattern, host) for pattern in policy.denied_hosts):
        raise UnusableDocument("Clients of this host are not admitted here.")
    if policy.allowed_hosts and not any(_covers(pattern, host) for pattern in policy.allowed_hosts):
        raise UnusableDocument("Clients of this host are not admitted here.")


def _covers(pattern: str, host: str) -> bool:
    """`example.com` is that name, `*.example.com` every name below it."""
    pattern = pattern.lower().rstrip(".")
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
