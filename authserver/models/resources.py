"""Resources, the upstreams they need, and the servers that may read the vault for them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from authserver.models.clients import MAX_URI
from upstream.models import Provider


class Resource(models.Model):
    """An MCP server we issue tokens for (RFC 8707). `identifier` is the `aud`, exactly as registered."""

    identifier = models.CharField(max_length=MAX_URI, unique=True)
    canonical = models.CharField(max_length=MAX_URI, unique=True, editable=False)
    name = models.CharField(max_length=255)
    scopes = models.JSONField(default=dict, help_text=_("Scope: what it allows, in words."))
    default_scopes = models.JSONField(default=list, blank=True)
    default = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    access_token_lifetime_seconds = models.PositiveIntegerField(null=True, blank=True)
    allow = models.JSONField(default=dict, blank=True)
    claims = models.JSONField(default=list, blank=True)
    registration_mode = models.CharField(
        _("which apps may reach it"),
        max_length=8,
        blank=True,
        choices=[
            ("open", _("every app that is not blocked")),
            ("approval", _("approved apps; others wait for an operator")),
            ("token", _("approved apps, and those registered with an initial access token")),
            ("closed", _("clients that an operator configured")),
        ],
        help_text=_("Empty: as the registration mode of the whole server has it."),
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ResourceUpstream(models.Model):
    """A resource names an upstream, with the scopes its server needs there."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="upstreams")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="resources")
    scopes = models.JSONField(default=list, blank=True)
    required = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["resource", "provider"], name="one_upstream_entry_per_resource")]

    def __str__(self) -> str:
        return f"{self.resource} → {self.provider}"


class ResourceServer(models.Model):
    """A registered caller that may read the vault for its resources. Its secret is stored hashed."""

    client_id = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=255, blank=True)
    client_secret = models.CharField(max_length=255)
    enabled = models.BooleanField(default=True)
    resources = models.ManyToManyField(Resource, related_name="resource_servers", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["client_id"]

    def __str__(self) -> str:
        return self.name or self.client_id
