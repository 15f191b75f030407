"""Operators, and one row of everything, each secret in it a canary."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client as Http
from django.utils import timezone
from social_django.models import UserSocialAuth

from accounts import audit
from accounts.models import (
    AuditEvent,
    AuditTally,
    Credential,
    Link,
    Revocation,
    SealedCount,
    TokenSession,
    User,
    VaultKey,
)
from authserver.models import (
    AccessToken,
    App,
    AppNote,
    ApprovalRequest,
    Authenticator,
    Consent,
    Grant,
    InitialAccessToken,
    MaintenanceRun,
    PendingAuthorization,
    PendingConnection,
    Policy,
    RecoveryCode,
    RefreshToken,
    Refusal,
    ResourceServer,
    ResourceUpstream,
    SigningKey,
    UsedAssertion,
)
from tests.harness import operators
from tests.harness.approval import approve, make_client, make_provider, make_resource_server
from upstream.models import Visit

CANARY = "canary"
Operator = Callable[..., Http]


def browser(user: User | None) -> Http:
    """A signed-in browser; nobody's without a user."""
    return Http() if user is None else operators.signed_in(user)


@pytest.fixture
def superuser(db: None) -> Http:
    return browser(User.objects.create_superuser("root"))


@pytest.fixture
def staff(db: None) -> Operator:
    """A member of staff with these permissions (`accounts.change_tokensession`) and no other."""

    def make(*permissions: str) -> Http:
        user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
        for permission in permissions:
            app, codename = permission.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        return browser(user)

    return make


@dataclass(frozen=True)
class Everything:
    """One row of each model that the console shows."""

    rows: dict[type[Model], Model]

    def of(self, model: type[Model]) -> Any:
        return self.rows[model]


@pytest.fixture
def everything(db: None) -> Everything:
    now = timezone.now()
    soon = now + timedelta(minutes=5)
    provider = make_provider("github", client_secret_sealed=f"{CANARY}-sealed", client_secret_source="env:GITHUB")
    client = make_client(
        "confidential",
        registration_source="manual",
        client_type="confidential",
        token_endpoint_auth_method="client_secret_basic",
        client_secret=f"random_secret_sha256${CANARY}$hash",
        registration_token_hash=f"{CANARY}-rat",
    )
    approval = approve(client=client, provider=provider)
    user, resource = approval.user, approval.resource
    user.password = f"scrypt$16384${CANARY}salt$8$1${CANARY}hash"
    user.save()
    server = make_resource_server(resource)
    ResourceServer.objects.update(client_secret=f"random_secret_sha256${CANARY}$hash")
    Credential.objects.update(sealed_tokens=f"{CANARY}-sealed-tokens")
    Grant.objects.update(code=f"{CANARY}-code", code_challenge=f"{CANARY}-challenge", nonce=f"{CANARY}-nonce")
    audit.record("tests.happened", tsid=approval.tsid)
    rows: list[Model] = [
        provider,
        client,
        user,
        resource,
        server,
        App.objects.get(),
        AppNote.objects.create(app=client.app, at=now, by="root", text="seen twice"),
        ApprovalRequest.objects.create(
            app=client.app,
            resource=resource,
            browser_hash=f"{CANARY}-browser",
            parameters={"state": f"{CANARY}-state"},
            requested_at=now,
            expires_at=soon,
        ),
        TokenSession.objects.get(),
        Credential.objects.get(),
        Link.objects.get(),
        Grant.objects.get(),
        ResourceUpstream.objects.get(),
        AuditEvent.objects.all()[0],
        AuditTally.objects.create(hour=now.replace(minute=0, second=0, microsecond=0), sign_ins=1, exchanges=1),
        Group.objects.create(name="operators"),
        Policy.objects.create(lifetimes={"code": 30}),
        MaintenanceRun.objects.create(at=now),
        Refusal.objects.create(at=now, step="token", error="invalid_grant"),
        UsedAssertion.objects.create(digest="0" * 64, expires_at=soon),
        InitialAccessToken.objects.create(
            label="pipeline", token_hash=f"{CANARY}-initial", created_at=now, expires_at=soon
        ),
        Revocation.objects.create(
            id=uuid.uuid4(),
            user_id=user.pk,
            provider="github",
            subject="1",
            sealed_tokens=f"{CANARY}-sealed-tokens",
            queued_at=now,
            due_at=now,
        ),
        Authenticator.objects.create(user=user, name="authenticator", key_sealed=f"{CANARY}-sealed-key"),
        RecoveryCode.objects.create(user=user, code_hash=f"{CANARY}-code", created_at=now),
        SealedCount.objects.create(column="accounts.Credential.sealed_tokens", by_key={"k1": 1}, counted_at=now),
        VaultKey.objects.create(id="k1", check_value=f"{CANARY}-check", first_used_at=now),
        RefreshToken.objects.create(
            user=user,
            application=client,
            audience=resource,
            token=f"{CANARY}-token",
            token_checksum=f"{CANARY}-checksum",
            handle=f"{CANARY}-handle",
            tsid=approval.tsid,
            replay_checksum=f"{CANARY}-replay-checksum",
            replay_sealed=f"{CANARY}-replay-sealed",
            idle_expires_at=soon,
            expires_at=soon,
        ),
        AccessToken.objects.create(
            user=user,
            application=client,
            token=f"{CANARY}-token",
            token_checksum=f"{CANARY}-checksum",
            tsid=approval.tsid,
            expires=soon,
        ),
        Consent.objects.create(user=user, client=client, redirect_host="127.0.0.1", resource=resource, granted_at=now),
        PendingAuthorization.objects.create(
            browser_hash=f"{CANARY}-browser",
            client=client,
            resource=resource,
            parameters={"state": f"{CANARY}-state"},
            approved_at=now,
            expires_at=soon,
        ),
        PendingConnection.objects.create(
            id=uuid4(),
            browser_hash=f"{CANARY}-browser",
            tsid="tsid-1",
            user_id=user.pk,
            provider="github",
            created_at=now,
            expires_at=soon,
        ),
        SigningKey.objects.create(
            kid="key-1",
            algorithm="ES256",
            phase="retired",
            public_jwk={"kty": "EC"},
            private_key_sealed=f"{CANARY}-private",
            created_at=now,
        ),
        Visit.objects.create(
            state_hash="0" * 64,
            browser_hash=f"{CANARY}-browser",
            provider=provider,
            purpose="sign_in",
            redirect_uri="https://a.example",
            return_path=f"/{CANARY}-return",
            created_at=now,
            expires_at=soon,
        ),
        UserSocialAuth.objects.create(
            user=user, provider="github", uid="1", extra_data={"access_token": f"{CANARY}-social"}
        ),
    ]
    return Everything({type(row): row for row in rows})
