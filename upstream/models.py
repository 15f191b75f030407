"""The providers we are a registered client of, and each person's visit to one.

A provider is a row, so an operator adds one without a restart and two of one type work side by side.
"""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"


class Provider(models.Model):
    """One upstream. `client_secret_sealed` opens only in `accounts.vault`.

    `client_secret_source` says where it came from, `client_secret_set_at` when: `env:NAME` or `file:path` for a reference
    of the configuration file, `value` for one written out there, `console` for one that was typed.
    """

    class Type(models.TextChoices):
        OIDC = "oidc", "OpenID Connect"
        OAUTH2 = "oauth2", "OAuth 2.0"
        GITHUB = "github", "GitHub"
        GOOGLE = "google", "Google"
        ATLASSIAN = "atlassian", "Atlassian"
        ENTRA = "entra", "Microsoft Entra ID"

    class SessionEnd(models.TextChoices):
        KEEP = "keep", _("keep the token at the provider")
        REVOKE = "revoke_when_unused", _("revoke at the provider when unused")

    name = models.CharField(max_length=32, unique=True, validators=[RegexValidator(NAME_PATTERN)])
    display_name = models.CharField(max_length=100, blank=True)
    type = models.CharField(max_length=16, choices=Type)
    enabled = models.BooleanField(default=True)
    sign_in = models.BooleanField(_("people may sign in with it"), default=True)
    client_id = models.CharField(max_length=255)
    client_secret_sealed = models.TextField(blank=True, editable=False)
    client_secret_source = models.CharField(max_length=255, blank=True)
    client_secret_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    scopes = models.JSONField(default=list, blank=True)
    issuer = models.CharField(max_length=512, blank=True)
    subject_claim = models.CharField(max_length=64, blank=True)
    authorization_endpoint = models.CharField(max_length=2048, blank=True)
    token_endpoint = models.CharField(max_length=2048, blank=True)
    userinfo_endpoint = models.CharField(max_length=2048, blank=True)
    revocation_endpoint = models.CharField(max_length=2048, blank=True)
    token_endpoint_auth_method = models.CharField(max_length=32, blank=True)
    identity = models.JSONField(default=dict, blank=True)
    allow = models.JSONField(default=dict, blank=True)
    authorization_params = models.JSONField(default=dict, blank=True)
    api_resources = models.JSONField(default=list, blank=True)
    on_session_end = models.CharField(max_length=20, choices=SessionEnd, default=SessionEnd.KEEP)
    allow_private_network = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What people read: the display name, else the type's, else the name."""
        if self.display_name:
            return self.display_name
        if self.type in {self.Type.OIDC, self.Type.OAUTH2}:
            return self.name.capitalize()
        return str(self.Type(self.type).label)


class Visit(models.Model):
    """A person on the way to a provider and back: one use of one `state`.

    Only the state's hash is kept; PKCE verifier and nonce are derived from the state and our secret key, so a copy of
    the database cannot finish anybody's sign-in. `language` is the one that the app asked for, if it did. A test is an
    operator's (`user_id`), and `browser_hash` then stands for the console session too: it ends there, and keeps nothing.
    `reason` says in a word why nothing came of it (`UpstreamError.reason`).
    """

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in", _("sign in")
        CONNECT = "connect", _("connect")
        TEST = "test", _("test")
        CONSOLE = "console", _("sign in to the console")

        @property
        def wants_tokens(self) -> bool:
            """Whether the provider's tokens are asked for, or only who it is."""
            return self != Visit.Purpose.CONSOLE

    class Outcome(models.TextChoices):
        OPEN = "", _("under way")
        DONE = "done", _("done")
        DENIED = "access_denied", _("the person declined")
        NOT_ALLOWED = "not_allowed", _("not let in")
        IN_USE = "in_use", _("somebody else's account")
        ANOTHER = "another_account", _("another account is connected")
        NOT_THEM = "another_person", _("somebody else signed in")
        FAILED = "server_error", _("failed")

    state_hash = models.CharField(max_length=64, primary_key=True)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="visits")
    purpose = models.CharField(max_length=16, choices=Purpose)
    browser_hash = models.CharField(max_length=64)
    user_id = models.UUIDField(null=True, blank=True)
    scopes = models.JSONField(default=list)
    redirect_uri = models.CharField(max_length=2048)
    return_path = models.CharField(max_length=2048)
    language = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome, default=Outcome.OPEN, blank=True)
    reason = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.purpose} at {self.provider_id}"
