"""What we keep: people, token sessions, sealed upstream credentials, the audit trail.

`tsid` is a plain value wherever another app refers to a session: the session seam (`accounts.vault.base`) may be
served by something other than this database.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person. `id` is the opaque `sub` of our tokens; e-mail and username never identify anybody.

    `staff_from_upstream` is the upstream whose groups make them an operator; empty for everybody else, and for operators
    that somebody made here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=255, blank=True)
    email = models.EmailField(_("e-mail address"), blank=True, db_index=True)  # operators look people up by it
    staff_from_upstream = models.CharField(_("operator by the groups of"), max_length=32, blank=True, editable=False)
    forgotten_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    first_name = None  # type: ignore[assignment]  # one name field; providers send one
    last_name = None  # type: ignore[assignment]  # as above

    def get_full_name(self) -> str:
        return self.name or self.email or self.username

    def get_short_name(self) -> str:
        return self.get_full_name()

    def __str__(self) -> str:
        return self.get_full_name()


class BrowserSession(AbstractBaseSession):
    """Django's session of one browser, and what `accounts.browser_sessions` finds it by. Written by it alone."""

    user_id = models.UUIDField(null=True, blank=True)
    signed_in_with = models.CharField(max_length=32, blank=True)
    upstream_sid = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name = _("browser session")
        indexes = [
            models.Index(fields=["user_id"], name="browser_user", condition=Q(user_id__isnull=False)),
            models.Index(fields=["upstream_sid"], name="browser_upstream_sid", condition=~Q(upstream_sid="")),
        ]

    @classmethod
    def get_session_store_class(cls) -> Any:
        from accounts.browser_sessions import SessionStore  # which needs this class

        return SessionStore


class TokenSession(models.Model):
    """One approval: this person lets this client reach this resource with these scopes.

    Lives until closed, idle past `idle_expires_at`, or past `expires_at`. Its `tsid` stands in every JWT we mint.
    `signed_in_with` is the upstream of the sign-in that it began with, `upstream_sid` the upstream's own session.
    """

    tsid = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_sessions", db_index=False)  # see below
    client_id = models.CharField(max_length=2048)
    redirect_host = models.CharField(max_length=255, blank=True)
    resource = models.CharField(max_length=2048)
    scope = models.TextField(blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=512, blank=True)
    signed_in_with = models.CharField(max_length=32, blank=True)
    upstream_sid = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    idle_expires_at = models.DateTimeField()  # never later than `expires_at`
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("token session")
        indexes = [
            models.Index(fields=["user", "closed_at"], name="session_user_closed"),
            models.Index(fields=["client_id", "created_at"], name="session_client"),
            models.Index(fields=["idle_expires_at"], name="session_open_until", condition=Q(closed_at__isnull=True)),
            models.Index(fields=["created_at"], name="session_open", condition=Q(closed_at__isnull=True)),
            models.Index(
                fields=["client_id", "created_at"], name="session_open_client", condition=Q(closed_at__isnull=True)
            ),
            models.Index(
                fields=["resource", "created_at"], name="session_open_resource", condition=Q(closed_at__isnull=True)
            ),
            models.Index(
                fields=["address", "created_at"],
                name="session_open_address",
                condition=Q(closed_at__isnull=True, address__isnull=False),
            ),
            models.Index(fields=["closed_at"], name="session_closed_at", condition=Q(closed_at__isnull=False)),
            models.Index(
                fields=["upstream_sid"],
                name="session_upstream_sid",
                condition=~Q(upstream_sid="") & Q(closed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tsid[:8]}…"


class Credential(models.Model):
    """The sealed token set of one (user, provider, upstream subject), shared by that user's sessions.

    `version` grows with every change of the tokens or their state; a writer names the version it saw. `lease_until`
    marks a refresh under way. `unlinked_at` is set while no session was ever opened with it: a sign-in that led nowhere.
    """

    class State(models.TextChoices):
        LIVE = "live", _("live")
        DEAD = "dead", _("needs a new sign-in")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="credentials")
    provider = models.CharField(max_length=32)
    subject = models.CharField(max_length=255)
    sealed_tokens = models.TextField()
    scope = models.TextField(blank=True)
    version = models.PositiveBigIntegerField(default=1)
    state = models.CharField(max_length=8, choices=State, default=State.LIVE)
    dead_reason = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    refresh_expires_at = models.DateTimeField(null=True, blank=True)
    refreshable = models.BooleanField(default=False)
    lease_holder = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    signed_in_at = models.DateTimeField()
    refreshed_at = models.DateTimeField(null=True, blank=True)
    unlinked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["unlinked_at"], name="credential_unlinked", condition=Q(unlinked_at__isnull=False)),
            models.Index(
                fields=["refresh_expires_at"],
                name="credential_refresh_ends",
                condition=Q(state="live", refresh_expires_at__isnull=False),
            ),
            models.Index(fields=["-id"], name="credential_dead", condition=Q(state="dead")),
            models.Index(fields=["provider", "user"], name="credential_provider"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["user", "provider", "subject"], name="one_credential_per_upstream_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} · {self.user_id}"


class Link(models.Model):
    """A session may use this credential, within these upstream scopes."""

    session = models.ForeignKey(TokenSession, on_delete=models.CASCADE, related_name="links")
    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="links")
    provider = models.CharField(max_length=32)
    scope = models.TextField(blank=True)

    class Meta:
        verbose_name = _("link of a session to a credential")
        indexes = [models.Index(fields=["provider"], name="link_provider")]
        constraints = [
            models.UniqueConstraint(fields=["session", "provider"], name="one_link_per_session_and_provider")
        ]

    def __str__(self) -> str:
        return f"{self.session_id[:8]}… → {self.provider}"


class Revocation(models.Model):
    """The last of a destroyed credential: its sealed tokens, until the provider has been told that they are over.

    `id` is the credential's own, so that what was sealed to it still opens. A finished row has no tokens any more: it is
    the receipt. Whose it was stays as plain values, because the person may be gone.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        DONE = "done", _("revoked at the provider")
        NOT_NEEDED = "not_needed", _("nothing to revoke")
        FAILED = "failed", _("given up")

    id = models.UUIDField(primary_key=True, editable=False)
    user_id = models.UUIDField()
    provider = models.CharField(max_length=32)
    subject = models.CharField(max_length=255)
    tsid = models.CharField(max_length=64, blank=True)  # the session whose end it was
    receipt = models.UUIDField(null=True, blank=True)  # of the cascade that it is a step of
    sealed_tokens = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    outcome = models.CharField(max_length=64, blank=True)  # of the last attempt, in a word
    attempts = models.PositiveSmallIntegerField(default=0)
    queued_at = models.DateTimeField()
    due_at = models.DateTimeField()  # when to try (again); while somebody tries, when another may
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("revocation at a provider")
        verbose_name_plural = _("revocations at providers")
        indexes = [
            models.Index(fields=["due_at"], name="revocation_due", condition=Q(state="queued")),
            models.Index(fields=["finished_at"], name="revocation_failed", condition=Q(state="failed")),
            models.Index(fields=["tsid"], name="revocation_tsid", condition=~Q(tsid="")),
            models.Index(fields=["user_id"], name="revocation_user"),
            models.Index(fields=["receipt"], name="revocation_receipt", condition=Q(receipt__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.provider} · {self.user_id}"


class VaultKey(models.Model):
    """A key that values here are (or were) sealed with, and the means to tell whether a process has the right one.

    `check_value` is a known text sealed with the key: whoever opens it has the key, and it says nothing else about it.
    """

    id = models.CharField(max_length=32, primary_key=True)
    check_value = models.TextField()
    first_used_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("vault key")

    def __str__(self) -> str:
        return self.id


class SealedCount(models.Model):
    """How many values of a column each vault key sealed when they were last counted (`accounts.vault.sealed_counts`)."""

    column = models.CharField(max_length=100, primary_key=True)  # `app.Model.field`
    by_key = models.JSONField()  # the key's id: values; under "" those that name no key that was ever used here
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("count of sealed values")
        verbose_name_plural = _("counts of sealed values")

    def __str__(self) -> str:
        return self.column


class AppendOnly(TypeError):
    """The audit trail is added to, and nothing in it is changed. Only retention deletes, by its own way."""


class AppendOnlyRows(models.QuerySet["AuditEvent"]):
    """Refuses what would change or delete rows, for whoever forgets; who can write to the database is not stopped by it."""

    def update(self, **values: Any) -> int:
        raise AppendOnly("audit events are not changed")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        raise AppendOnly("audit events are not changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly("audit events are deleted by retention only")


class AuditEvent(models.Model):
    """One decision, written once and never changed: who, what, on whom, from where, why, and the result.

    `receipt` is the same for all steps of one cascade, those that a queue takes later included: together they are its
    receipt.
    """

    at = models.DateTimeField(db_index=True)
    event = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16)
    reason = models.CharField(max_length=255, blank=True)
    actor = models.CharField(max_length=255, blank=True)
    user_id = models.UUIDField(null=True, blank=True)
    client_id = models.CharField(max_length=2048, blank=True)
    tsid = models.CharField(max_length=64, blank=True)
    resource = models.CharField(max_length=2048, blank=True)
    upstream = models.CharField(max_length=32, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    receipt = models.UUIDField(null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    objects = AppendOnlyRows.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [("export_auditevent", _("Can export the audit trail"))]
        indexes = [
            models.Index(fields=["event", "at"], name="audit_event"),
            models.Index(fields=["tsid", "at"], name="audit_tsid", condition=~Q(tsid="")),
            models.Index(fields=["user_id", "-id"], name="audit_user", condition=Q(user_id__isnull=False)),
            models.Index(fields=["client_id", "at"], name="audit_client", condition=~Q(client_id="")),
            models.Index(fields=["address", "at"], name="audit_address", condition=Q(address__isnull=False)),
            models.Index(fields=["upstream", "at"], name="audit_upstream", condition=~Q(upstream="")),
            models.Index(
                fields=["upstream", "at"],
                name="audit_upstream_failed",
                condition=Q(outcome="failed") & ~Q(upstream=""),
            ),
            models.Index(fields=["receipt"], name="audit_receipt", condition=Q(receipt__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.outcome}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("audit events are not changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly("audit events are deleted by retention only")


class AuditTally(models.Model):
    """How much happened in one hour that is over: what the console's charts are drawn from, without reading the trail.

    Every hour has its row, one in which nothing happened too (`accounts.tallies` counts them).
    """

    hour = models.DateTimeField(primary_key=True)  # its beginning
    sign_ins = models.PositiveIntegerField()
    exchanges = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("hour's tally")
        verbose_name_plural = _("hours' tallies")

    def __str__(self) -> str:
        return self.hour.strftime("%Y-%m-%d %H:%M")
