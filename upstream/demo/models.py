"""What the demo provider remembers. Every `_hash` is the SHA-256 of a random value that is not kept."""

from __future__ import annotations

import hashlib

from django.db import models


class Client(models.Model):
    """A registered client. The one from the settings has no row, see `clients.find`."""

    client_id = models.CharField(max_length=255, unique=True)
    secret_hash = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    redirect_uris = models.JSONField(default=list)
    backchannel_logout_uri = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name


class SigningKey(models.Model):
    """A key for ID tokens: the newest of its algorithm signs, all `published` ones stand in the JWKS."""

    kid = models.CharField(max_length=64, unique=True)
    algorithm = models.CharField(max_length=16)
    private_pem = models.TextField()
    published = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.kid


class Grant(models.Model):
    """What one person approved for one client at one sign-in: the family of all tokens that came of it."""

    client_id = models.CharField(max_length=255)
    subject = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    signed_in_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["client_id", "subject"])]

    def __str__(self) -> str:
        return f"{self.subject} for {self.client_id}"

    @property
    def sid(self) -> str:
        """The session of this sign-in (OpenID Connect Back-Channel Logout 1.0 s2.1)."""
        return hashlib.sha256(f"session {self.pk} {self.signed_in_at.isoformat()}".encode()).hexdigest()[:32]


class Code(models.Model):
    """An authorization code. `spent_at` is set by the one statement that redeems it."""

    code_hash = models.CharField(max_length=64, primary_key=True)
    grant = models.OneToOneField(Grant, on_delete=models.CASCADE, related_name="code")
    redirect_uri = models.TextField()
    code_challenge = models.CharField(max_length=43)
    nonce = models.TextField(blank=True)
    asked_consent = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"code of {self.grant}"


class AccessToken(models.Model):
    """A bearer token for userinfo and the API; a revoked one has no row any more."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="access_tokens")
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"access token of {self.grant}"


class RefreshToken(models.Model):
    """One generation of a refresh token. Spent ones stay, or their reuse could not be recognised."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="refresh_tokens")
    spent_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"refresh token of {self.grant}"


class Knob(models.Model):
    """A knob that was turned away from its default. `remaining` counts a fault with `times` down to 0."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.JSONField()
    remaining = models.PositiveIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Counter(models.Model):
    """How often something happened, over all server processes."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"
