"""What makes registrations one app (behaviour.md, Registration): the host of a metadata document, or the name together
with where the answers go.

A self-chosen name alone is nobody's: the place is what an imitator cannot have. On a person's own computer the place is
anybody's, which is why such an app can be approved and never verified (`App.can_be_verified`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from authserver import look_alikes, redirects

MAX_PLACE = 2048
LOOPBACK = "loopback"
"""The place of every redirect URI on a person's own computer."""
_ASIDE = re.compile(r"\s*[(\[{][^()\[\]{}]*[)\]}]\s*$")
_VERSION = re.compile(r"\bv?\d+(?:\.\d+)+(?:[-+][\w.]+)?\b|\bv\d+\b", re.IGNORECASE)
_DIGIT, _HUMP = re.compile(r"\d"), re.compile(r"[a-z][A-Z]")


@dataclass(frozen=True)
class Identity:
    """`key` tells apps apart; the rest says which one it is, for people."""

    key: str
    kind: str
    name: str
    place: str
    skeleton: str


def identity(*, source: str, client_id: str, name: str, redirect_uris: Iterable[str]) -> Identity:
    """Of a client with this `registration_source`."""
    if source == "cimd":
        kind, place = "cimd", (urlsplit(client_id).hostname or "").lower().rstrip(".")
        means = place
    elif source == "dcr":
        kind, place = "named", " ".join(sorted({pattern(uri) for uri in redirect_uris}))
        means = f"{normalised(name)}\n{place}"
    else:
        kind, place, means = "configured", "", client_id
    key = hashlib.sha256(f"{kind}\n{means}".encode()).hexdigest()
    return Identity(key, kind, name, _bounded(place), look_alikes.skeleton(without_details(name)))


def _bounded(place: str) -> str:
    """A long one ends in a mark that no pattern is, so that what was cut off is not taken for absent."""
    return place if len(place) <= MAX_PLACE else f"{place[: MAX_PLACE - 2]} …"


def normalised(name: str) -> str:
    """A name without what differs between installations: case, versions, an aside at its end."""
    return without_details(unicodedata.normalize("NFKC", name).casefold())


def without_details(name: str) -> str:
    """The same in the very letters that people see: a capital can look like one that its small letter does not."""
    return " ".join(_VERSION.sub(" ", _ASIDE.sub("", name)).split())


def pattern(uri: str) -> str:
    """Where a registrable redirect URI leads, without what differs between installations.

    The person's own computer is one place, whatever name, port and path. A private-use scheme goes with its authority.
    An https address keeps its path, segment by segment, where it is not an installation's own: that, and a query, is a
    `*`, behind which there may be anybody (`App.can_be_verified`).
    """
    kind = redirects.kind_of(uri)
    if kind == "loopback":
        return LOOPBACK
    parts = urlsplit(uri)
    if kind == "private_scheme":
        return f"{parts.scheme.lower()}://{parts.netloc.lower()}" if parts.netloc else f"{parts.scheme.lower()}:"
    segments = ("*" if _is_generated(segment) else segment for segment in parts.path.split("/"))
    return f"https://{parts.netloc.lower()}{'/'.join(segments)}{'?*' if parts.query else ''}"


def _is_generated(segment: str) -> bool:
    """Whether it looks like an id rather than a word: digits among its letters, or capitals where no word has them."""
    digits, humps = len(_DIGIT.findall(segment)), len(_HUMP.findall(segment))
    return len(segment) >= 8 and (digits >= 3 or humps >= 3 or (digits >= 1 and (humps >= 1 or len(segment) >= 20)))
