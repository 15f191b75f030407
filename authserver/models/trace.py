"""What was refused, for a week: the part of an attempt that leaves no other row."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Refusal(models.Model):
    """One refused request of a client. `client_id` is what it said of itself, cut to fit; `reason` is ours.

    Never a code, state, verifier or token, nor anything else that the request held.
    """

    class Step(models.TextChoices):
        REGISTER = "register", _("registration")
        AUTHORIZE = "authorize", _("authorization")
        TOKEN = "token", _("token")

    at = models.DateTimeField(db_index=True)
    step = models.CharField(max_length=12, choices=Step)
    error = models.CharField(max_length=64)
    reason = models.CharField(max_length=255, blank=True)
    client_id = models.CharField(max_length=255, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("refused request")
        verbose_name_plural = _("refused requests")
        indexes = [
            models.Index(fields=["client_id", "-id"], name="refusal_client", condition=~models.Q(client_id="")),
            models.Index(fields=["address", "-id"], name="refusal_address"),
        ]

    def __str__(self) -> str:
        return f"{self.step} {self.error}"
