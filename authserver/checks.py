"""What `manage.py check` says about our configuration: errors where it would be unsafe or cannot work, warnings where
it weakens us. `check --deploy` adds what only matters to other people, `--database default` what only the rows can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils.module_loading import import_string
from oauth2_provider.settings import DEFAULTS as PROVIDER_DEFAULTS
from oauth2_provider.settings import oauth2_settings

from accounts.vault import key_check
from accounts.vault.base import SealingUnavailable
from accounts.vault.keyring import KeyRingSealing
from authserver import policy
from authserver.conf import load
from authserver.keys.base import SigningUnavailable
from authserver.keys.database import DatabaseSigner, rows_that_do_not_open
from authserver.keys.ephemeral import EphemeralSigner
from authserver.keys.kms import KmsSigner
from authserver.keys.pem import PemSigner
from authserver.models import Policy
from upstream.models import Provider

Apps = Sequence[AppConfig] | None

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
KEY_BYTES = 32
FEWEST_DISTINCT_BYTES = 16  # 32 random bytes have fewer than this once in 10^13 rings
GATES = "COMPLIANT_BCP_RFC9700_"
NOT_OURS = {GATES + "REDIRECT_URI_SCHEME"}  # http is for loopback only, which authserver.redirects sees to (RFC 8252)


@register(Tags.security)
def issuer(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """RFC 8414 section 2: an https URL without query and fragment; here without a trailing slash."""
    url = load().issuer
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username or url.endswith(("/", "?", "#")):
        return [Error("The issuer is not a URL without trailing slash, query and fragment.", id="authserver.E001")]
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return [Error("The issuer is not https, and is not on this machine.", id="authserver.E001")]
    return []


@register(Tags.security)
def vault_keys(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    keys: dict[str, bytes] = settings.VAULT_KEYS
    if not keys and not issubclass(import_string(settings.SEALING_BACKEND), KeyRingSealing):
        return []
    if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
        hint = "Set AUTHSERVER_VAULT_KEYS to `id:base64-of-32-bytes`."
        return [Error("There is no vault key of 32 bytes.", hint=hint, id="authserver.E002")]
    return []


@register(Tags.security)
def signing_key_file(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """The key source `pem`: the file is read, and its first key can sign."""
    if not issubclass(import_string(load().signing_backend), PemSigner):
        return []
    try:
        algorithm = PemSigner().algorithm
    except SigningUnavailable as error:
        return [Error(f"There is no signing key: {error}.", id="authserver.E003")]
    return _rsa(algorithm)


@register(Tags.security)
def signing_algorithm(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """The key source `database`: what the next key will be."""
    if not issubclass(import_string(load().signing_backend), DatabaseSigner):
        return []
    return _rsa(load().signing_algorithm)


@register(Tags.security, deploy=True)
def signing_kms_keys(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """The key source `aws-kms`: KMS gives each public key. It is asked, and so only where it counts."""
    if not issubclass(import_string(load().signing_backend), KmsSigner):
        return []
    try:
        return _rsa(KmsSigner().algorithm)
    except (SigningUnavailable, ImproperlyConfigured) as error:
        return [Error(f"There is no signing key: {error}.", id="authserver.E003")]


def _rsa(algorithm: str) -> list[CheckMessage]:
    if not algorithm.startswith("RS"):
        return []
    hint = "An EC P-256 key signs ten times as fast, and its signatures are a quarter as long."
    return [checks.Warning("The signing key is an RSA key.", hint=hint, id="authserver.W001")]


@register(Tags.caches)
def shared_cache(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """Rate limits count in the cache: in a cache of its own, each worker would allow the whole of them."""
    if settings.WORKERS > 1 and not settings.CACHE_IS_SHARED:
        hint = "Set AUTHSERVER_CACHE_URL to a Valkey or Redis, or AUTHSERVER_WORKERS to 1."
        return [Error("Several workers need a shared cache.", hint=hint, id="authserver.E004")]
    return []


@register(Tags.security)
def best_current_practice(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """RFC 9700. Every gate that django-oauth-toolkit has must be on, and so must those that a later release brings."""
    gates = {name for name in PROVIDER_DEFAULTS if name.startswith(GATES)} - NOT_OURS
    return [
        Error(f"OAUTH2_PROVIDER['{gate}'] is not True.", id="authserver.E005")
        for gate in sorted(gates)
        if getattr(oauth2_settings, gate) is not True
    ]


@register(Tags.security, deploy=True)
def deployment(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """What is fine on one's own machine."""
    found: list[CheckMessage] = []
    if load().demo:
        found.append(Error("Demo mode signs anybody in.", hint="Unset AUTHSERVER_DEMO.", id="authserver.E006"))
    if not load().secure:
        found.append(checks.Warning("The issuer is not https.", hint="Set AUTHSERVER_ISSUER.", id="authserver.W002"))
    if issubclass(import_string(load().signing_backend), EphemeralSigner):
        hint = "Set AUTHSERVER_KEY_SOURCE to `database`, `pem` or `aws-kms`."
        found.append(checks.Warning("Tokens end with the process that signed them.", hint=hint, id="authserver.W003"))
    if not settings.REQUIRE_TOTP:
        hint = "Unset AUTHSERVER_REQUIRE_TOTP."
        with_what = "password" if settings.ADMIN_PASSWORD_SIGN_IN else "sign-in at an upstream"
        words = f"A {with_what} alone opens the console."
        found.append(checks.Warning(words, hint=hint, id="authserver.W007"))
    if any(network.prefixlen == 0 for network in settings.METRICS_NETWORKS):
        hint = "Name your own networks in AUTHSERVER_METRICS_NETWORKS, or use AUTHSERVER_METRICS_TOKEN."
        found.append(
            checks.Warning("Whoever reaches the server may read its metrics.", hint=hint, id="authserver.W010")
        )
    for key_id, key in settings.VAULT_KEYS.items():
        if len(set(key)) < FEWEST_DISTINCT_BYTES:
            hint = f"Put a new one first in AUTHSERVER_VAULT_KEYS, and keep {key_id} until nothing is sealed with it."
            found.append(checks.Warning(f"The vault key {key_id} is not random.", hint=hint, id="authserver.W004"))
    return found


@register(deploy=True)
def connections_are_kept(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """A connection made for each request costs more than the request."""
    database: dict[str, Any] = settings.DATABASES["default"]
    if database.get("CONN_MAX_AGE", 0) == 0 and not database.get("OPTIONS", {}).get("pool"):
        hint = "Set CONN_MAX_AGE, or OPTIONS['pool'] on PostgreSQL."
        return [checks.Warning("Every request connects to the database anew.", hint=hint, id="authserver.W005")]
    return []


@register(Tags.database)
def signing_key_rows(
    app_configs: Apps, *, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """The key source `database`: every key opens with the vault keys of this process."""
    if not databases or not issubclass(import_string(load().signing_backend), DatabaseSigner):
        return []
    try:
        damaged = rows_that_do_not_open()
    except (DatabaseError, SealingUnavailable):  # before the first migration; or E008 says it
        return []
    hint = "Is its vault key missing from AUTHSERVER_VAULT_KEYS?"
    return [
        Error(f"The signing key {row.kid} ({row.phase}) does not open.", hint=hint, id="authserver.E007")
        for row in damaged
    ]


@register(Tags.database)
def vault_key_rows(app_configs: Apps, *, databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Every vault key in use is here, and is the one that was used under its name."""
    if not databases:
        return []
    try:
        key_check.verify()
    except (key_check.KeysUnfit, SealingUnavailable) as error:
        return [Error(str(error), id="authserver.E008")]
    except DatabaseError:  # it does not answer: that is for others to say
        return []
    return []


@register(Tags.database, deploy=True)
def doors_open_to_everybody(
    app_configs: Apps, *, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """behaviour.md, Authorize 4: who may sign in is the operator's choice, so that he is told where he made none."""
    if not databases:
        return []
    try:
        rows = list(Provider.objects.filter(enabled=True, sign_in=True).values_list("name", "allow"))
    except DatabaseError:  # before the first migration
        return []
    hint = "Give the upstream an `allow`: e-mail domains, addresses, subjects or claims."
    return [
        checks.Warning(f"Anybody with an account at {name} may sign in.", hint=hint, id="authserver.W006")
        for name, allow in rows
        if isinstance(allow, dict) and not any(allow.values())  # anything else lets nobody in
    ]


@register(Tags.database)
def console_has_a_door(
    app_configs: Apps, *, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """Where no password is taken, an upstream has to lead in."""
    if not databases:
        return []
    try:
        row = Policy.objects.filter(pk=1).first()
        chosen = policy.from_row(row).console.sign_in if row else None
        there = chosen is not None and Provider.objects.filter(name=chosen.upstream, enabled=True).exists()
    except DatabaseError:  # before the first migration
        return []
    if chosen is not None and not there:
        hint = "Enable it, or name another one in `console.sign_in` of the configuration file."
        words = f"Operators are to sign in with {chosen.upstream}, which is not there or is disabled."
        return [checks.Warning(words, hint=hint, id="authserver.W009")]
    if chosen is None and not settings.ADMIN_PASSWORD_SIGN_IN:
        hint = "Give the configuration file a `console.sign_in`, or unset AUTHSERVER_ADMIN_PASSWORD_SIGN_IN."
        words = "Nobody can sign in to the console but by a one-time link of `manage.py admin_link`."
        return [checks.Warning(words, hint=hint, id="authserver.W008")]
    return []
