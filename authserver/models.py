"""The provider's tables: django-oauth-toolkit's five models, swapped, and what the provider adds.

`tsid` is a plain indexed value, not a foreign key: token sessions may live outside this database.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractApplication,
    AbstractGrant,
    AbstractIDToken,
    AbstractRefreshToken,
    ApplicationManager,
)

from upstream.models import Provider

MAX_URI = 2048


class Client(AbstractApplication):
    """A registered OAuth client: static, self-registered (RFC 7591), or known by its metadata document (CIMD).

    A public client keeps an unusable random secret, never an empty one (an empty one would authenticate).
    `allowed_scopes` is the operator's limit; what a client registered itself (`registered_scope`) limits nothing.
    `likeness` is the same for registrations of the same metadata from the same place; only self-registered clients have
    one, and a `last_used_at`: when somebody last approved it.
    """

    client_id = models.CharField(_("client ID"), max_length=MAX_URI, unique=True)
    token_endpoint_auth_method = models.CharField(max_length=32, default="none")
    grant_types = models.JSONField(default=list)
    registered_scope = models.TextField(blank=True)
    allowed_scopes = models.TextField(
        _("scopes it may ask for"), blank=True, help_text=_("Empty: all of the resource's.")
    )
    metadata = models.JSONField(default=dict, blank=True)
    registration_token_hash = models.CharField(max_length=64, blank=True, db_index=True)
    registration_address = models.GenericIPAddressField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    verified = models.BooleanField(_("identity confirmed by an operator"), default=False)
    cimd_fetched_at = models.DateTimeField(null=True, blank=True)
    likeness = models.CharField(max_length=64, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last approved"), null=True, blank=True, editable=False)

    objects = ApplicationManager()

    class Meta(AbstractApplication.Meta):
        abstract = False
        verbose_name = _("client")
        indexes = [
            models.Index(
                fields=["last_used_at", "created"], name="client_unused", condition=Q(registration_source="dcr")
            ),
            models.Index(fields=["likeness", "created"], name="client_likeness", condition=~Q(likeness="")),
        ]

    def clean(self) -> None:
        """Nothing: every way in reads a client by our own rules first (`client_metadata`, `configuration.callers`).

        django-oauth-toolkit's would refuse private-use schemes, and let pass what those refuse.
        """

    def is_usable(self, request: object) -> bool:
        """Asked by django-oauth-toolkit wherever it loads a client."""
        return self.disabled_at is None

    @property
    def is_public(self) -> bool:
        return self.token_endpoint_auth_method == "none"  # noqa: S105 - RFC 7591 section 2, a name

    @property
    def identity_is_proven(self) -> bool:
        """Whether consent may be remembered (behaviour.md, authorize 3): CIMD, static, or confirmed by an operator."""
        return self.verified or self.registration_source != self.RegistrationSource.DCR


class Grant(AbstractGrant):
    """An authorization code. `code` holds its SHA-256; `tsid` names the session the approval opened."""

    tsid = models.CharField(max_length=64, db_index=True)
    audience = models.ForeignKey("Resource", on_delete=models.CASCADE, related_name="+")
    claimed_at = models.DateTimeField(null=True, blank=True)
    failed_attempts = models.PositiveSmallIntegerField(default=0)
    auth_time = models.DateTimeField(null=True, blank=True)

    class Meta(AbstractGrant.Meta):
        abstract = False
        verbose_name = _("authorization code")
        indexes = [models.Index(fields=["expires"], name="grant_expires")]


class AccessToken(AbstractAccessToken):
    """An access token ended before its time. Ours are JWTs and need no row to live; a row here says that one is over.

    `token_checksum` is the SHA-256 of the `jti`; `expires` is when the JWT ends by itself and the row may go.
    """

    tsid = models.CharField(max_length=64, blank=True, db_index=True)

    class Meta(AbstractAccessToken.Meta):
        abstract = False
        verbose_name = _("ended access token")
        verbose_name_plural = _("ended access tokens")


class RefreshToken(AbstractRefreshToken):
    """One lineage of refresh tokens: one row a session, updated in place however often it turns.

    `token_checksum` is the current token's SHA-256, `generation` its number. `replay_*` keep the last exchange: the
    SHA-256 of the token it took and its answer, sealed under a key derived from that token.
    """

    handle = models.CharField(max_length=32, unique=True)
    tsid = models.CharField(max_length=64, db_index=True)
    audience = models.ForeignKey("Resource", on_delete=models.CASCADE, related_name="+")
    generation = models.PositiveIntegerField(default=1)
    scope = models.TextField(blank=True)
    replay_checksum = models.CharField(max_length=64, blank=True)
    replay_sealed = models.TextField(blank=True)
    replay_until = models.DateTimeField(null=True, blank=True)
    idle_expires_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta(AbstractRefreshToken.Meta):
        abstract = False
        verbose_name = _("refresh token")
        unique_together = ()


class IDToken(AbstractIDToken):
    """django-oauth-toolkit's table, swapped from the first migration; ours are not stored."""

    class Meta(AbstractIDToken.Meta):
        abstract = False
        verbose_name = _("ID token")


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
        return f"{self.resource_id} → {self.provider_id}"


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

    class Meta:
        verbose_name = _("pending authorization")

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


class SigningKey(models.Model):
    """A key of the `database` key source. The private half is sealed; `public_jwk` is what the JWKS shows."""

    class Phase(models.TextChoices):
        NEXT = "next", _("published, not yet signing")
        ACTIVE = "active", _("signing")
        RETIRED = "retired", _("verifies only")

    kid = models.CharField(max_length=64, primary_key=True)
    algorithm = models.CharField(max_length=16)
    phase = models.CharField(max_length=8, choices=Phase)
    public_jwk = models.JSONField()
    private_key_sealed = models.TextField()
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("signing key")
        constraints = [
            models.UniqueConstraint(
                fields=["phase"], condition=models.Q(phase="active"), name="one_active_signing_key"
            ),
        ]

    def __str__(self) -> str:
        return self.kid


class InitialAccessToken(models.Model):
    """What lets `max_uses` clients register until `expires_at` (RFC 7591 section 3). The token itself is kept nowhere."""

    label = models.CharField(_("what it is for"), max_length=100)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    max_uses = models.PositiveIntegerField(_("registrations it allows"), default=1)
    uses = models.PositiveIntegerField(_("registrations so far"), default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(_("ends"), db_index=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("initial access token")

    def __str__(self) -> str:
        return self.label


class UsedAssertion(models.Model):
    """A client assertion that was used (RFC 7523 section 3, `jti`), until it would be refused as expired anyway."""

    digest = models.CharField(primary_key=True, max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("used client assertion")

    def __str__(self) -> str:
        return self.digest[:8]


class Policy(models.Model):
    """The configuration file's `lifetimes` and `registration`, one row (`authserver.policy` reads it)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    lifetimes = models.JSONField(default=dict, blank=True)
    registration = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = _("policy")

    def __str__(self) -> str:
        return "policy"
