"""What people approved, and approvals and connections on their way."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from authserver.models.clients import Client
from authserver.models.resources import Resource


class Consent(models.Model):
    """A remembered approval: this person, client, redirect host and resource, up to these scopes."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="consents")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="consents")
    redirect_host = models.CharField(max_length=255)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="consents")
    scope = models.TextField(blank=True)
    upstream_scopes = models.JSONField(default=dict, blank=True)
    granted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "client", "redirect_host", "resource"], name="one_consent_per_approval"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.client_id}"


class PendingAuthorization(models.Model):
    """An approved authorization request on its way: waiting for the person to come back from a provider.

    Bound to one browser by the hash of its cookie; `parameters` is the validated request.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    browser_hash = models.CharField(max_length=64)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="pending_authorizations")
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="pending_authorizations")
    user_id = models.UUIDField(null=True, blank=True)
    parameters = models.JSONField()
    approved_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)  # of the browser that approved

    class Meta:
        verbose_name = _("pending authorization")
        indexes = [
            models.Index(fields=["client", "-approved_at"], name="pending_client"),
            models.Index(fields=["user_id", "-approved_at"], name="pending_user"),
            models.Index(fields=["address", "-approved_at"], name="pending_address"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class PendingConnection(models.Model):
    """A `connect_url` that somebody followed: one upstream on its way into one open token session.

    `id` is the link's own, so that it is used once; the browser that used it may go on until `finished_at`.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    browser_hash = models.CharField(max_length=64)
    tsid = models.CharField(max_length=64)
    user_id = models.UUIDField()
    provider = models.CharField(max_length=32)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("pending connection")

    def __str__(self) -> str:
        return str(self.id)
