"""The provider's tables: django-oauth-toolkit's five models, swapped, and what the provider adds."""

from __future__ import annotations

from authserver.models.approvals import Consent, PendingAuthorization, PendingConnection
from authserver.models.apps import MAX_NOTE, App, AppNote, ApprovalRequest
from authserver.models.clients import MAX_URI, Client, InitialAccessToken, UsedAssertion
from authserver.models.operation import MaintenanceRun, Policy, SigningKey
from authserver.models.resources import Resource, ResourceServer, ResourceUpstream
from authserver.models.second_factors import Authenticator, RecoveryCode
from authserver.models.tokens import AccessToken, Grant, IDToken, RefreshToken
from authserver.models.trace import Refusal

__all__ = [
    "MAX_NOTE",
    "MAX_URI",
    "AccessToken",
    "App",
    "AppNote",
    "ApprovalRequest",
    "Authenticator",
    "Client",
    "Consent",
    "Grant",
    "IDToken",
    "InitialAccessToken",
    "MaintenanceRun",
    "PendingAuthorization",
    "PendingConnection",
    "Policy",
    "RecoveryCode",
    "RefreshToken",
    "Refusal",
    "Resource",
    "ResourceServer",
    "ResourceUpstream",
    "SigningKey",
    "UsedAssertion",
]
