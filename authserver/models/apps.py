"""The app registry: what operators decide about, where registrations are many."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.prepared import Prepared, slot
from authserver.app_identity import LOOPBACK, Identity

SEEN_EVERY = timedelta(minutes=1)
MAX_NOTE = 2000


class App(models.Model):
    """What people take for one app: every registration of one publisher, or of one name that is answered at one place.

    `key` is the digest of what makes it one (`authserver.app_identity`), `place` that in words: the host of its metadata
    documents, or the pattern of its redirect URIs. `skeleton` is the same for names that look alike. `state` is an
    operator's decision and nobody else's; what a pending app may do is up to the registration mode in force.

    An alias (`merged_into`) is what operators have merged into another app, its main one. It keeps its key, so that what
    registers as it goes on belonging to it, and its place, so that it proves no more than before; what is decided about
    the main app is written into its aliases too (`authserver.app_registry`). An alias has no aliases.
    """

    class Kind(models.TextChoices):
        CIMD = "cimd", _("publishes metadata documents")
        NAMED = "named", _("registers itself")
        CONFIGURED = "configured", _("configured by an operator")

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        APPROVED = "approved", _("approved")
        VERIFIED = "verified", _("verified")
        BLOCKED = "blocked", _("blocked")

    key = models.CharField(max_length=64, unique=True, editable=False)
    kind = models.CharField(_("how it is known"), max_length=10, choices=Kind, editable=False)
    name = models.CharField(max_length=255, blank=True, editable=False)
    place = models.CharField(_("where it is answered"), max_length=2048, blank=True, db_index=True, editable=False)
    skeleton = models.CharField(max_length=255, blank=True, db_index=True, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    told = models.CharField(
        _("what people are told"),
        max_length=500,
        blank=True,
        help_text=_("Shown to whoever is refused, beside the plain refusal."),
    )
    allowed_scopes = models.TextField(
        _("scopes it may ask for"), blank=True, help_text=_("Empty: all of the resource's.")
    )
    reusable_refresh_tokens = models.BooleanField(
        _("refresh tokens are used again and again"),
        default=False,
        help_text=_(
            "Only for an app that cannot store a new refresh token each time. A stolen one then works beside the app "
            "until the session ends, and nothing shows it (RFC 9700 section 4.14.2)."
        ),
    )
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="aliases", editable=False
    )
    state_before_merge = models.CharField(max_length=8, choices=State, blank=True, editable=False)
    created_at = models.DateTimeField(_("first seen"), default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    decided_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        verbose_name = _("app")
        indexes = [models.Index(fields=["state", "-id"], name="app_state")]
        constraints = [
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="no_app_is_merged_into_itself"),
            models.CheckConstraint(
                condition=Q(merged_into=None, state_before_merge="")
                | (Q(merged_into__isnull=False) & ~Q(state_before_merge="")),
                name="an_alias_knows_its_state_before",
            ),
        ]

    def __str__(self) -> str:
        place = self.place.replace(LOOPBACK, str(_("on people's own devices")))
        return " · ".join(part for part in (self.name or str(_("without a name")), place) if part)

    @classmethod
    def of(cls, found: Identity) -> App:
        """The app of this identity, made where there is none; one statement where there is."""
        if (known := _by_key().first(key=found.key)) is not None:
            return known
        seen = {"kind": found.kind, "name": found.name, "place": found.place, "skeleton": found.skeleton}
        app, _new = cls.objects.get_or_create(key=found.key, defaults=seen)
        return app

    @classmethod
    def together(cls, keys: Iterable[int]) -> list[int]:
        """The primary keys of these apps, of their main apps and of all aliases of those."""
        found = cls.objects.filter(pk__in=[*keys]).values_list("pk", "merged_into")
        main = {into or key for key, into in found}
        return list(cls.objects.filter(Q(pk__in=main) | Q(merged_into__in=main)).values_list("pk", flat=True))

    @property
    def main_key(self) -> int:
        """The primary key of the app that this one is decided about with: itself, unless it is an alias."""
        return self.merged_into_id or self.pk

    def seen(self, now: datetime) -> None:
        """Somebody lets it in, or it registers. Written once a minute at most: many share the row."""
        if self.last_seen_at < now - SEEN_EVERY:
            App.objects.filter(pk=self.pk, last_seen_at__lt=now).update(last_seen_at=now)

    @property
    def is_blocked(self) -> bool:
        return self.state == self.State.BLOCKED

    @property
    def is_approved(self) -> bool:
        """Whether an operator let it in: by a decision, or by configuring it."""
        return self.kind == self.Kind.CONFIGURED or self.state in {self.State.APPROVED, self.State.VERIFIED}

    @property
    def can_be_verified(self) -> bool:
        """Whether nobody else can be taken for it.

        A self-chosen name that is answered on a person's own computer, at a private-use scheme, or at an address of which
        a part is an installation's own, is anybody's.
        """
        places = self.place.split()
        return self.kind != self.Kind.NAMED or all(one.startswith("https://") and "*" not in one for one in places)

    @property
    def is_verified(self) -> bool:
        return self.state == self.State.VERIFIED and self.can_be_verified


class AppNote(models.Model):
    """What an operator wrote down about an app, in plain text. Only added to; `by` as the audit trail names them."""

    app = models.ForeignKey(App, on_delete=models.PROTECT, related_name="notes")
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    text = models.TextField(_("note"), max_length=MAX_NOTE)

    class Meta:
        verbose_name = _("note on an app")
        verbose_name_plural = _("notes on apps")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.by}"


class ApprovalRequest(models.Model):
    """Somebody who wants to use an app that waits for an operator: the queue, and how the same tab goes on.

    One for each browser, app and resource. `parameters` is the client's authorization request.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="requests")
    resource = models.ForeignKey("Resource", on_delete=models.CASCADE, related_name="+")
    browser_hash = models.CharField(max_length=64)
    user_id = models.UUIDField(null=True, blank=True)
    client_id = models.CharField(max_length=2048)
    note = models.CharField(max_length=500, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    parameters = models.JSONField()
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("request for approval")
        verbose_name_plural = _("requests for approval")
        constraints = [
            models.UniqueConstraint(fields=["app", "resource", "browser_hash"], name="one_approval_request_a_browser")
        ]

    def __str__(self) -> str:
        return str(self.id)


@cache
def _by_key() -> Prepared[App]:
    return Prepared(lambda: App.objects.filter(key=slot("key")))
