"""What operators decide and turn over: the policy, the signing keys."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


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
            models.UniqueConstraint(fields=["phase"], condition=models.Q(phase="next"), name="one_next_signing_key"),
        ]

    def __str__(self) -> str:
        return self.kid


class MaintenanceRun(models.Model):
    """When maintenance ran last, on whatever host: one row, written every few minutes. `failed_steps` of that time."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    at = models.DateTimeField()
    failed_steps = models.JSONField(default=list, blank=True)

    class Meta:
        verbose_name = _("run of maintenance")
        verbose_name_plural = _("runs of maintenance")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"


class Policy(models.Model):
    """The configuration file's sections about the whole server, one row (`authserver.policy` reads it)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    lifetimes = models.JSONField(default=dict, blank=True)
    registration = models.JSONField(default=dict, blank=True)
    revocation = models.JSONField(default=dict, blank=True)
    sessions = models.JSONField(default=dict, blank=True)
    retention = models.JSONField(default=dict, blank=True)
    console = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = _("policy")

    def __str__(self) -> str:
        return "policy"
