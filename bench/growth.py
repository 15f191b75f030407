"""What a full database costs: the same operations at few sessions and at many, and maintenance's purges a row."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from bench import meter, operations
from bench.deployment import Deployment
from bench.measuring import Measured, measure

GROWING = ("refresh", "exchange", "introspect")


@dataclass(frozen=True)
class Purge:
    """What maintenance did to so many old rows, in CPU milliseconds a row, the database's included."""

    rows: int
    cpu_milliseconds: float
    seconds: float


def operate(deployment: Deployment, *, sessions: int, requests: int, repeats: int) -> Iterator[Measured]:
    """The operations that every session goes on with, at so many sessions."""
    deployment.seed(sessions=sessions, used=requests * 2, due=0, browsers=0)
    for operation in operations.of(deployment):
        if operation.name in GROWING:
            yield measure(deployment.target, operation, requests=requests, repeats=repeats)


def purge(deployment: Deployment, *, rows: int) -> Purge:
    """Maintenance over so many codes that were over long ago."""
    with psycopg.connect(deployment.target.database_url) as connection:
        row = connection.execute(_OLD_CODES, [rows]).rowcount
    before, began = meter.cpu_milliseconds([deployment.target.database.pid]), time.monotonic()
    children = meter.children_milliseconds()
    deployment.manage("maintenance")
    seconds = time.monotonic() - began
    own = meter.children_milliseconds() - children
    database = meter.cpu_milliseconds([deployment.target.database.pid]) - before
    return Purge(row, (own + database) / max(1, row), seconds)


_OLD_CODES = """
    INSERT INTO authserver_grant (user_id, code, application_id, expires, redirect_uri, scope, created, updated,
                                  code_challenge, code_challenge_method, nonce, claims, resource, tsid, audience_id,
                                  failed_attempts)
    SELECT (SELECT id FROM accounts_user LIMIT 1), md5('old' || i) || md5('code' || i), c.id,
           now() - interval '30 days', 'https://client.example.com/callback', 'mcp:tools', now(), now(),
           '', 'S256', '', '', '[]', md5('t' || i), r.id, 0
    FROM generate_series(1, %s) i, (SELECT id FROM authserver_client LIMIT 1) c,
         (SELECT id FROM authserver_resource LIMIT 1) r
"""
