"""The keys of a client that proves itself with one: inline, or fetched from its `jwks_uri` and kept for a while.

A fetched set is kept in the process, as its headers say and within the bounds of a metadata document: whoever can write
to the shared cache must not be able to speak for a client. A key that is not in it asks again, but not more often than
once a minute; a set that cannot be fetched again serves on for a day.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import structlog

from authserver import client_jwks, policy
from authserver.cimd import flights, freshness
from authserver.cimd.errors import UnusableDocument
from authserver.client_jwks import Jwk
from authserver.models import Client
from authserver.strict_json import InvalidJson, read_object
from upstream import http
from upstream.calls import Call
from upstream.errors import OutboundFailed, OutboundRefused

MAX_BYTES = 64 * 1024
TIMEOUT_SECONDS = 5.0
ASK_AGAIN_AFTER = timedelta(minutes=1)
STALE_AT_MOST = timedelta(days=1)
MAX_KEPT = 256  # sets of up to 20 keys

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


class NoKeys(Exception):
    """The client's keys cannot be had. The message is a phrase for its developer, with nothing its server said."""


class _Kept(NamedTuple):
    keys: list[Jwk]
    fetched_at: datetime
    fresh_until: datetime


class _Failed(NamedTuple):
    reason: str
    at: datetime


_kept: OrderedDict[str, _Kept] = OrderedDict()
_failed: OrderedDict[str, _Failed] = OrderedDict()
_lock = Lock()


def keys_of(client: Client, *, now: datetime, again: bool = False) -> list[Jwk]:
    """The client's keys; `again` where an assertion names one that is not among them. Raises `NoKeys`."""
    inline = client.metadata.get("jwks")
    if inline is not None:
        keys: list[Jwk] = inline["keys"]
        return keys
    uri = client.metadata.get("jwks_uri", "")
    kept = _recall(_kept, uri)
    if kept is not None and now < (kept.fetched_at + ASK_AGAIN_AFTER if again else kept.fresh_until):
        return kept.keys
    try:
        return _fetch_once(uri, kept, now=now).keys
    except NoKeys:
        if kept is None or now >= kept.fetched_at + STALE_AT_MOST:
            raise
        return kept.keys


def forget() -> None:
    """For tests: a process that has just started."""
    with _lock:
        _kept.clear()
        _failed.clear()


def _recall(among: OrderedDict[str, _T], uri: str) -> _T | None:
    with _lock:
        return among.get(uri)


def _remember(among: OrderedDict[str, _T], uri: str, what: _T) -> None:
    with _lock:
        among[uri] = what
        among.move_to_end(uri)
        while len(among) > MAX_KEPT:
            among.popitem(last=False)


def _fetch_once(uri: str, kept: _Kept | None, *, now: datetime) -> _Kept:
    """One fetch of an address at a time, and none for a minute after one that failed."""
    failed = _recall(_failed, uri)
    if failed is not None and now < failed.at + freshness.BACK_OFF:
        raise NoKeys(failed.reason)
    try:
        with flights.only_one(uri):
            newer = _recall(_kept, uri)
            if newer is not None and (kept is None or newer.fetched_at > kept.fetched_at):
                return newer  # whoever was before us has fetched them
            with flights.slot():
                fetched = _fetch(uri, now=now)
    except UnusableDocument:
        raise NoKeys("its keys are being fetched by others; try again in a moment") from None
    except NoKeys as error:
        log.info("client keys refused", reason=str(error), jwks_uri=uri)
        _remember(_failed, uri, _Failed(str(error), now))
        raise
    _remember(_kept, uri, fetched)
    return fetched


def _fetch(uri: str, *, now: datetime) -> _Kept:
    try:
        answer = http.request(
            "GET",
            uri,
            allow_private_network=policy.current().registration.cimd.allow_private_network,
            headers={"Accept": "application/jwk-set+json, application/json"},
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_BYTES,
            call=Call("client_keys"),
        )
    except OutboundRefused:
        raise NoKeys("its jwks_uri is at an address that is not called from here") from None
    except OutboundFailed:
        raise NoKeys("its jwks_uri cannot be reached") from None
    if answer.status != 200:
        raise NoKeys(f"its jwks_uri was answered with status {answer.status}, not 200")
    try:
        document: Any = read_object(answer.body)
        keys = client_jwks.read(document)
    except (InvalidJson, ValueError):
        raise NoKeys("what its jwks_uri answers is not a JWK Set with a public key that we can use") from None
    return _Kept(keys, now, now + freshness.lifetime(answer.headers, now=now))
