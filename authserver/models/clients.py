"""Clients, and what clients are let in and proved by."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication, ApplicationManager

from authserver.app_identity import Identity, identity
from authserver.models.apps import App

MAX_URI = 2048


class Client(AbstractApplication):
    """A registered OAuth client: static, self-registered (RFC 7591), or known by its metadata document (CIMD).

    A public client keeps an unusable random secret, never an empty one (an empty one would authenticate).
    `allowed_scopes` is the operator's limit, and its app's is another; what a client registered itself
    (`registered_scope`) limits nothing. `vouched_for`: it registered with an initial access token.
    `likeness` is the same for registrations of the same metadata from the same place; only self-registered clients have
    one, and a `last_used_at`: when somebody last approved it.
    """

    client_id = models.CharField(_("client ID"), max_length=MAX_URI, unique=True)
    app = models.ForeignKey(App, on_delete=models.PROTECT, related_name="+", editable=False)
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
    vouched_for = models.BooleanField(_("registered with an initial access token"), default=False, editable=False)
    cimd_fetched_at = models.DateTimeField(null=True, blank=True)
    likeness = models.CharField(max_length=64, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last approved"), null=True, blank=True, editable=False)

    objects = ApplicationManager()

    class Meta(AbstractApplication.Meta):
        abstract = False
        verbose_name = _("client")
        permissions = [("switch_client", "Can disable and enable client")]
        indexes = [
            models.Index(
                fields=["last_used_at", "created"], name="client_unused", condition=Q(registration_source="dcr")
            ),
            models.Index(fields=["cimd_fetched_at"], name="client_documents", condition=Q(registration_source="cimd")),
            models.Index(fields=["likeness", "created"], name="client_likeness", condition=~Q(likeness="")),
            models.Index(
                fields=["registration_address", "-created"],
                name="client_address",
                condition=Q(registration_address__isnull=False),
            ),
        ]

    def clean(self) -> None:
        """Nothing: every way in reads a client by our own rules first (`client_metadata`, `configuration.callers`).

        django-oauth-toolkit's would refuse private-use schemes, and let pass what those refuse.
        """

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A client has an app from its first moment, whoever makes it."""
        if self.app_id is None:
            self.app = App.of(self.identity)
        super().save(*args, **kwargs)

    @property
    def identity(self) -> Identity:
        """Which app it belongs to, by what it says now."""
        return identity(
            source=self.registration_source,
            client_id=self.client_id,
            name=self.name,
            redirect_uris=self.redirect_uris.split(),
        )

    def is_usable(self, request: object) -> bool:
        """Asked by django-oauth-toolkit wherever it loads a client."""
        return self.disabled_at is None and not self.app.is_blocked

    @classmethod
    def usable(cls) -> Q:
        """The same, for a database."""
        return Q(disabled_at=None) & ~Q(app__state=App.State.BLOCKED)

    def scopes_allowed(self) -> set[str] | None:
        """The operator's limits on what it may ask for; None where there is none."""
        limits = [set(text.split()) for text in (self.allowed_scopes, self.app.allowed_scopes) if text.split()]
        return set.intersection(*limits) if limits else None

    @property
    def is_public(self) -> bool:
        return self.token_endpoint_auth_method == "none"  # noqa: S105 - RFC 7591 section 2, a name

    @property
    def name_is_checked(self) -> bool:
        """Whether its name may stand without quotation marks: an operator answers for it, to the letter."""
        app = self.app
        return app.kind == App.Kind.CONFIGURED or (
            app.is_verified and (app.kind == App.Kind.CIMD or bool(self.name == app.name))
        )

    @property
    def identity_is_proven(self) -> bool:
        """Whether consent may be remembered (behaviour.md, authorize 3): CIMD, static, or approved by an operator."""
        return self.app.is_approved or bool(self.registration_source != self.RegistrationSource.DCR)


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
