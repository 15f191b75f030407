"""Clients, and what clients are let in and proved by."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication, ApplicationManager

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
