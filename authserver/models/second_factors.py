"""Operators' second factor: an authenticator app, and codes on paper for the day it is lost."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin, TimestampMixin


class Authenticator(TimestampMixin, ThrottlingMixin, Device):
    """What an authenticator app shares with us (RFC 6238): SHA-1, six digits, thirty seconds, as every app has it.

    A device of django-otp, which finds it by its base class, holds wrong codes back for longer and longer, and remembers
    it in the browser session. Its own TOTP device has the key in clear, so the key is here, sealed. `last_step` is that
    of the code taken last: no code is taken twice (RFC 6238 section 5.2). `drift` is by how many steps the app's clock is
    known to be off (section 6). `authserver.second_factor` checks the codes.
    """

    key_sealed = models.TextField()
    drift = models.SmallIntegerField(default=0)
    last_step = models.BigIntegerField(default=-1)

    class Meta:
        verbose_name = _("authenticator")
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(confirmed=True), name="one_authenticator_per_person"
            )
        ]

    def __str__(self) -> str:
        return str(self.user)

    def get_throttle_factor(self) -> int:
        """Seconds after the first wrong code; twice as many after each further one."""
        return 1

    def verify_token(self, token: str) -> bool:
        """What django-otp calls, in a transaction that has locked the row."""
        from authserver import second_factor  # it needs the models

        return second_factor.check_code(self, token)


class RecoveryCode(models.Model):
    """One code on paper: its hash. It works once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes")
    code_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("recovery code")
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="one_recovery_code_per_hash")]

    def __str__(self) -> str:
        return f"{self.pk}"
