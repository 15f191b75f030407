"""The keys of a client that proves itself with one: inline, or fetched from its `jwks_uri` and kept for a while.

A fetched set is kept in the cache as its headers say, within the bounds of a metadata document. A key that is not in it
asks again, but not more often than once a minute; one that cannot be fetched serves on for a day.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.core.cache import cache

from authserver import client_jwks, policy
from authserver.cimd import flights, freshness
from authserver.cimd.errors import UnusableDocument
from authserver.client_jwks import Jwk
from authserver.models import Client
from authserver.strict_json import InvalidJson, read_object
from upstream import http
from upstream.errors import OutboundFailed, OutboundRefused

MAX_BYTES = 64 * 1024
TIMEOUT_SECONDS = 5.0
ASK_AGAIN_AFTER = timedelta(minutes=1)
STALE_AT_MOST = timedelta(days=1)

log = structlog.get_logger(__name__)


class NoKeys(Exception):
    """The client's keys cannot be had. The message is a phrase for its developer, with nothing its server said."""


class _Kept(NamedTuple):
    keys: list[Jwk]
    fetched_at: datetime
    fresh_until: datetime


def keys_of(client: Client, *, now: datetime, again: bool = False) -> list[Jwk]:
    """The client's keys; `again` where an assertion names one that is not among them. Raises `NoKeys`."""
    inline = client.metadata.get("jwks")
    if inline is not None:
        keys: list[Jwk] = inline["keys"]
        return keys
    uri = client.metadata.get("jwks_uri", "")
    name = f"client-keys:{hashlib.sha256(uri.encode()).hexdigest()}"
    kept: _Kept | None = cache.get(name)
    if kept is not None and now < (kept.fetched_at + ASK_AGAIN_AFTER if again else kept.fresh_until):
        return kept.keys
    try:
        fetched = _fetch_once(uri, name, kept, now=now)
    except NoKeys:
        if kept is None:
            raise
        return kept.keys  # as long as the cache keeps them
    return fetched.keys


def _fetch_once(uri: str, name: str, kept: _Kept | None, *, now: datetime) -> _Kept:
    """One fetch of an address at a time, and none for a minute after one that failed."""
    failed: str | None = cache.get(f"{name}:failed")
    if failed is not None:
        raise NoKeys(failed)
    try:
        with flights.only_one(uri):
            newer: _Kept | None = cache.get(name)
            if newer is not None and (kept is None or newer.fetched_at > kept.fetched_at):
                return newer  # whoever was before us has fetched them
            with flights.slot():
                fetched = _fetch(uri, now=now)
    except UnusableDocument:
        raise NoKeys("its keys are being fetched by others; try again in a moment") from None
    except NoKeys as error:
        log.info("client keys refused", reason=str(error), jwks_uri=uri)
        cache.set(f"{name}:failed", str(error), freshness.BACK_OFF.total_seconds())
        raise
    cache.set(name, fetched, STALE_AT_MOST.total_seconds())
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
