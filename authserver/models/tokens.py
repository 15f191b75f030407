"""Codes and tokens: django-oauth-toolkit's models, swapped.

`tsid` is a plain indexed value, not a foreign key: token sessions may live outside this database.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractAccessToken, AbstractGrant, AbstractIDToken, AbstractRefreshToken


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
    SHA-256 of the token it took and its answer, sealed under a key derived from that token. `auth_time` is the code's:
    the sign-in that refreshed ID tokens name (OpenID Connect Core section 12.2).
    """

    handle = models.CharField(max_length=32, unique=True)
    tsid = models.CharField(max_length=64, db_index=True)
    audience = models.ForeignKey("Resource", on_delete=models.CASCADE, related_name="+")
    generation = models.PositiveIntegerField(default=1)
    scope = models.TextField(blank=True)
    auth_time = models.DateTimeField(null=True, blank=True)
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
