"""What the vault's hot steps cost in PostgreSQL, and what they would in Valkey or Redis (docs/decisions/0018).

`python -m bench.stores N`, in a deployment's environment: N sessions, each step once for each of them, one after another,
in this process. The other store is a sketch that is as good as one could be: a hash a session and a hash a credential, each
step one Lua script, nothing looked up that the step does not need. It knows of no people, no search and no sweep.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
import pytest
import redis
from django.db import connection
from django.utils import timezone

from bench import meter
from bench.measuring import percentile
from tests.harness.redis import Redis

PROVIDER, MONTH = "steady", timedelta(days=30)
STEPS = ("alive", "use", "tokens", "replace", "close")

_LIVE = """
    local s = redis.call('HGETALL', KEYS[1])
    local m = {}
    for i = 1, #s, 2 do m[s[i]] = s[i + 1] end
    if not m.user or m.closed or tonumber(m.idle) <= tonumber(ARGV[1]) or tonumber(m['end']) <= tonumber(ARGV[1]) then
        return nil
    end
"""
_SCRIPTS = {
    "alive": _LIVE + "return s",
    "use": _LIVE + """
        redis.call('HSET', KEYS[1], 'used', ARGV[1], 'idle', math.min(tonumber(ARGV[2]), tonumber(m['end'])))
        return s""",
    "tokens": _LIVE + """
        return {s, redis.call('HGETALL', 'c:' .. m[ARGV[2]])}""",
    "replace": """
        if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
        redis.call('HSET', KEYS[1], 'sealed', ARGV[2], 'version', ARGV[1] + 1, 'lease', '')
        return 1""",
    "close": _LIVE + """
        local c = m[ARGV[2]]
        redis.call('HSET', KEYS[1], 'closed', ARGV[1])
        redis.call('SREM', 'u:' .. m.user, KEYS[1])
        redis.call('SREM', 'l:' .. c, KEYS[1])
        if redis.call('SCARD', 'l:' .. c) == 0 then redis.call('DEL', 'c:' .. c) end
        return 1""",
}  # fmt: skip


def seeded(count: int) -> list[dict[str, Any]]:
    """Sessions as `bench.seeding` makes them, each with its credential's row."""
    from accounts.models import Link
    from bench import seeding
    from bench.deployment import RESOURCE

    now = timezone.now()
    tsids = [seeding.session(seeding.person(), PROVIDER, RESOURCE, due=False, now=now)["tsid"] for _ in range(count)]
    rows = Link.objects.filter(session_id__in=tsids).select_related("session", "credential")
    return [{"tsid": row.session_id, "session": row.session, "credential": row.credential} for row in rows]


def in_postgresql(rows: Sequence[dict[str, Any]]) -> dict[str, Callable[[dict[str, Any]], object]]:
    from accounts.vault import vault

    sessions, credentials, now = vault().sessions, vault().credentials, timezone.now()
    fresh = {row["tsid"]: credentials.tokens(row["tsid"], PROVIDER, now=now).tokens for row in rows}
    return {
        "alive": lambda row: sessions.alive(row["tsid"], now=now),
        "use": lambda row: sessions.use(row["tsid"], idle_expires_at=now + MONTH, now=now),
        "tokens": lambda row: credentials.tokens(row["tsid"], PROVIDER, now=now),
        "replace": lambda row: credentials.replace(row["credential"].pk, fresh[row["tsid"]], version_seen=1, now=now),
        "close": lambda row: sessions.close(row["tsid"], reason="bench", now=now),
    }


def in_redis(url: str, rows: Sequence[dict[str, Any]]) -> dict[str, Callable[[dict[str, Any]], object]]:
    from accounts.vault import tokenset
    from accounts.vault.database_credentials import tokens_context
    from accounts.vault.sealing import sealing

    store: Any = redis.Redis.from_url(url)
    run = {name: store.register_script(text) for name, text in _SCRIPTS.items()}
    now, until = time.time(), time.time() + MONTH.total_seconds()
    for row in rows:
        s, c = row["session"], row["credential"]
        key, held = f"s:{s.tsid}", str(c.pk)
        store.hset(key, mapping={
            "user": str(s.user_id), "client": s.client_id, "host": s.redirect_host, "resource": s.resource, "scope": s.scope,
            "idle": s.idle_expires_at.timestamp(), "end": s.expires_at.timestamp(), PROVIDER: held, "approved": "repo",
        })  # fmt: skip
        store.hset(f"c:{held}", mapping={"user": str(c.user_id), "subject": c.subject, "scope": c.scope, "version": 1,
                                         "state": c.state, "sealed": c.sealed_tokens})  # fmt: skip
        store.sadd(f"u:{s.user_id}", key)
        store.sadd(f"l:{held}", key)

    def opened(row: dict[str, Any]) -> object:
        _, held = run["tokens"](keys=[f"s:{row['tsid']}"], args=[now, PROVIDER])
        sealed = dict(zip(held[::2], held[1::2], strict=True))[b"sealed"].decode()
        c = row["credential"]
        return tokenset.load(sealing().open(sealed, tokens_context(c.pk, c.user_id, PROVIDER)))

    def replaced(row: dict[str, Any]) -> object:
        c = row["credential"]
        tokens = tokenset.load(sealing().open(c.sealed_tokens, tokens_context(c.pk, c.user_id, PROVIDER)))
        sealed = sealing().seal(tokenset.dump(tokens), tokens_context(c.pk, c.user_id, PROVIDER))
        return run["replace"](keys=[f"c:{c.pk}"], args=[1, sealed])

    return {
        "alive": lambda row: run["alive"](keys=[f"s:{row['tsid']}"], args=[now]),
        "use": lambda row: run["use"](keys=[f"s:{row['tsid']}"], args=[now, until]),
        "tokens": opened,
        "replace": replaced,
        "close": lambda row: run["close"](keys=[f"s:{row['tsid']}"], args=[now, PROVIDER]),
    }


def measure(
    steps: dict[str, Callable[[dict[str, Any]], object]], rows: Sequence[dict[str, Any]], server: int
) -> dict[str, list[float]]:
    """Of each step: CPU milliseconds, of it the store's, and the median and 99th percentile of its time in milliseconds."""
    found = {}
    for name in STEPS:
        act, took = steps[name], []
        before, own = meter.cpu_milliseconds([server]), time.process_time()
        for row in rows:
            began = time.perf_counter()
            if not act(row):
                raise RuntimeError(f"{name} did nothing")
            took.append((time.perf_counter() - began) * 1000)
        own = (time.process_time() - own) * 1000
        theirs = meter.cpu_milliseconds([server]) - before
        found[name] = [(own + theirs) / len(rows), theirs / len(rows), percentile(took, 50), percentile(took, 99)]
    return found


@contextmanager
def redis_server(fsync: str) -> Iterator[Redis]:
    """One that keeps an append-only file, told to the disk `always` or `everysec`."""
    with tempfile.TemporaryDirectory(prefix="authserver-store-") as directory:
        try:
            server = Redis(Path(directory), ("--appendonly", "yes", "--appendfsync", fsync))
        except pytest.skip.Exception as reason:
            sys.exit(str(reason))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def postmaster() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_read_file('postmaster.pid')")
        return int(cursor.fetchone()[0].split()[0])


def main() -> None:
    django.setup()
    rows = seeded(int(sys.argv[1]))
    said = {}
    for fsync in ("always", "everysec"):
        with redis_server(fsync) as server:
            said[f"Redis, appendfsync {fsync}"] = measure(in_redis(server.url, rows), rows, server.pid)
    said["PostgreSQL"] = measure(in_postgresql(rows), rows, postmaster())
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
