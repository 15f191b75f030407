"""Sessions in bulk, with the server's own keys: `python -m bench.seeding '{"sessions": 1000, "used": 400, ...}'`.

Those that are used are made with the server's own functions, one by one; the others are copies of one of them in SQL,
valid in every column, with names of their own, and nobody knows their tokens. Prints what may be used, as JSON.
"""

from __future__ import annotations

import json
import secrets
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import django
from django.db import connection, transaction
from django.utils import timezone

if TYPE_CHECKING:
    from django.db.models import Model

    from accounts.models import User
    from authserver.models import Client, Resource

A_MONTH, A_QUARTER = timedelta(days=30), timedelta(days=90)
PEOPLE_SHARE = 5
"""Sessions that one person has, roughly."""


def session(user: User, provider: str, resource: str, *, due: bool, now: datetime) -> dict[str, str]:
    """A session with one upstream, as a redeemed code leaves it: its tokens."""
    from accounts.models import Credential, Link, TokenSession
    from accounts.vault import tokenset
    from accounts.vault.base import TokenSet
    from accounts.vault.database_credentials import tokens_context
    from accounts.vault.sealing import sealing
    from authserver import mint, refresh_tokens
    from authserver.models import RefreshToken
    from bench.deployment import CLIENT_ID

    audience, client = resource_of(resource), bench_client()
    ends = now + (timedelta(seconds=1) if due else A_MONTH)
    tokens = TokenSet(
        access_token=secrets.token_urlsafe(32), refresh_token=secrets.token_urlsafe(32), scopes=("repo",),
        expires_at=ends, obtained_at=now - timedelta(hours=1),
    )  # fmt: skip
    credential_id, tsid = uuid.uuid4(), secrets.token_urlsafe(24)
    sealed = sealing().seal(tokenset.dump(tokens), tokens_context(credential_id, user.pk, provider))
    Credential.objects.create(
        id=credential_id, user=user, provider=provider, subject=secrets.token_hex(8), sealed_tokens=sealed,
        scope="repo", expires_at=ends, refreshable=True, created_at=now, signed_in_at=now,
    )  # fmt: skip
    TokenSession.objects.create(
        tsid=tsid, user=user, client_id=CLIENT_ID, redirect_host="client.example.com", resource=resource,
        scope="mcp:tools", address="192.0.2.1", user_agent="bench", signed_in_with=provider, created_at=now,
        last_used_at=now, idle_expires_at=now + A_MONTH, expires_at=now + A_QUARTER,
    )  # fmt: skip
    Link.objects.create(session_id=tsid, credential_id=credential_id, provider=provider, scope="repo")
    handle = refresh_tokens.new_handle()
    refresh_token = refresh_tokens.mint(handle, 1)
    RefreshToken.objects.create(
        handle=handle, tsid=tsid, user=user, application=client, audience=audience, resource=[resource],
        scope="mcp:tools", auth_time=now, token="", token_checksum=refresh_tokens.checksum(refresh_token),
        idle_expires_at=now + A_MONTH, expires_at=now + A_QUARTER,
    )  # fmt: skip
    access_token = mint.access_token(
        subject=user.pk, audience=resource, client_id=CLIENT_ID, scope="mcp:tools", tsid=tsid,
        lifetime_seconds=86400, now=now,
    )  # fmt: skip
    return {"tsid": tsid, "refresh_token": refresh_token, "access_token": access_token}


@cache
def resource_of(identifier: str) -> Resource:
    from authserver.models import Resource

    return Resource.objects.get(identifier=identifier)


@cache
def bench_client() -> Client:
    from authserver.models import Client
    from bench.deployment import CLIENT_ID

    client: Client = Client.objects.get(client_id=CLIENT_ID)
    return client


def person() -> User:
    from accounts.models import User

    return User.objects.create(username=uuid.uuid4().hex, name="Ada Example", email="ada@example.com")


def browser(now: datetime) -> dict[str, str]:
    """A browser of somebody who is signed in, is connected, and has approved the client before: its `Cookie` header."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from accounts.browser import cookie_name
    from accounts.browser_sessions import SIGNED_IN_WITH, SessionStore
    from authserver.models import Consent
    from bench.deployment import RESOURCE

    user = person()
    session(user, "steady", RESOURCE, due=False, now=now)
    Consent.objects.create(
        user=user, client=bench_client(), redirect_host="client.example.com", resource=resource_of(RESOURCE),
        scope="mcp:tools", upstream_scopes={"steady": ["repo"]},
        granted_at=now,
    )  # fmt: skip
    store = SessionStore()
    store.update({
        SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(), SIGNED_IN_WITH: "steady", "auth_time": int(now.timestamp()),
    })  # fmt: skip
    store.create()
    cookies = {settings.SESSION_COOKIE_NAME: store.session_key, cookie_name(): secrets.token_urlsafe(32)}
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def multiply(model: type[Model], key: Any, count: int, expressions: Mapping[str, str]) -> None:
    """Copies of the row `key`, numbered `i` from 1, with `expressions` in these columns."""
    fields = [field.column or "" for field in model._meta.concrete_fields]
    own = [column for column in fields if column != "id" or "id" in expressions]
    columns = ", ".join(own)
    values = ", ".join(expressions.get(column, f"t.{column}") for column in own)
    table, primary = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t, "  # noqa: S608  # names of our own
            f"generate_series(1, %s) i WHERE t.{primary} = %s",
            [count, key],
        )


def fill(count: int, *, now: datetime) -> None:
    """So many sessions that nobody uses, of a fifth as many people, each with a row of the audit trail."""
    from accounts.models import AuditEvent, Credential, Link, TokenSession, User
    from authserver.models import RefreshToken
    from bench.deployment import RESOURCE

    people = max(1, count // PEOPLE_SHARE)
    user = person()
    tsid = session(user, "steady", RESOURCE, due=False, now=now)["tsid"]
    link, lineage = Link.objects.get(session_id=tsid), RefreshToken.objects.get(tsid=tsid)
    event = AuditEvent.objects.create(at=now, event="vault.release", outcome="ok", user_id=user.pk, tsid=tsid,
                                      client_id="bench", resource=RESOURCE, upstream="steady", actor="bench-server")  # fmt: skip
    salt = secrets.token_hex(4)  # so that a second call makes others
    whose = f"md5('{salt}u' || (mod(i, {people}) + 1))::uuid"
    credential = f"md5('{salt}c' || (mod(i, {people}) + 1))::uuid"
    named = f"md5('{salt}s' || i)"
    multiply(User, user.pk, people, {"id": f"md5('{salt}u' || i)::uuid", "username": f"md5('{salt}n' || i)"})
    multiply(Credential, link.credential_id, people,
             {"id": f"md5('{salt}c' || i)::uuid", "user_id": f"md5('{salt}u' || i)::uuid", "subject": "i::text"})  # fmt: skip
    spread = "mod(i, 86400) * interval '1 second'"
    multiply(TokenSession, tsid, count, {"tsid": named, "user_id": whose, "idle_expires_at": f"t.idle_expires_at + {spread}",
                                         "last_used_at": f"t.last_used_at - {spread}"})  # fmt: skip
    multiply(Link, link.pk, count, {"session_id": named, "credential_id": credential})
    multiply(RefreshToken, lineage.pk, count,
             {"handle": f"md5('{salt}h' || i)", "tsid": named, "user_id": whose, "token_family": "gen_random_uuid()",
              "token_checksum": f"md5('{salt}t' || i) || md5('{salt}k' || i)"})  # fmt: skip
    multiply(AuditEvent, event.pk, count, {"tsid": named, "user_id": whose, "at": f"t.at - {spread}"})


def main() -> None:
    django.setup()
    from accounts.models import TokenSession
    from bench.deployment import DUE_RESOURCE, RESOURCE

    asked = json.loads(sys.argv[1])
    now = timezone.now()
    with transaction.atomic():
        missing = asked["sessions"] - TokenSession.objects.count()
        if missing > 0:
            fill(missing, now=now)
        made = {
            "sessions": [session(person(), "steady", RESOURCE, due=False, now=now) for _ in range(asked["used"])],
            "due": [session(person(), "due", DUE_RESOURCE, due=True, now=now) for _ in range(asked["due"])],
            "browsers": [browser(now) for _ in range(asked["browsers"])],
        }
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as autovacuum would have by then
        cursor.execute("CHECKPOINT")
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
