"""Wiring: Django's settings from `env.py`. Nothing imports this module; use `authserver.conf` or `django.conf`."""

from __future__ import annotations

import base64
import binascii
import re
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ  # type: ignore[import-untyped]  # ships no types
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from authserver import rate_limits
from authserver.env import Environment, MissingConfiguration
from authserver.machine_paths import MACHINE_PATHS

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

DEMO = env.flag("AUTHSERVER_DEMO")
DEBUG = False
DATA_DIR = Path(env.get("AUTHSERVER_DATA_DIR") or "var").resolve()

# --- Who we are ---------------------------------------------------------------------------------------------------
ISSUER = env.require("AUTHSERVER_ISSUER", "http://localhost")
_issuer = urlsplit(ISSUER)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
try:
    _issuer_port = _issuer.port
except ValueError:
    _issuer_port = -1
if (
    _issuer.scheme not in {"http", "https"}
    or not _issuer.hostname
    or _issuer_port == -1
    or ISSUER.endswith("/")
    or _issuer.query
    or _issuer.fragment
    or "@" in _issuer.netloc
    or "?" in ISSUER
    or "#" in ISSUER
):
    env.missing.append("AUTHSERVER_ISSUER: an absolute URL without trailing slash, query or fragment is needed")
elif _issuer.scheme == "http" and _issuer.hostname not in _LOOPBACK:
    env.missing.append("AUTHSERVER_ISSUER: must be https (plain http is for loopback only)")
if DEMO and _issuer.hostname not in _LOOPBACK:
    env.missing.append("AUTHSERVER_DEMO: demo mode is for loopback issuers only")
SECURE = _issuer.scheme == "https"

_hosts = env.get("AUTHSERVER_ALLOWED_HOSTS")
ALLOWED_HOSTS = [host.strip() for host in _hosts.split(",") if host.strip()] if _hosts else [_issuer.hostname or ""]
if not _hosts and _issuer.hostname in _LOOPBACK:
    ALLOWED_HOSTS = sorted(_LOOPBACK | {"[::1]"})
if "*" in ALLOWED_HOSTS:
    env.missing.append("AUTHSERVER_ALLOWED_HOSTS: name the hosts; `*` would let anyone choose our address")

SECRET_KEY = env.require("AUTHSERVER_SECRET_KEY")
if 0 < len(SECRET_KEY) < 50:
    env.missing.append("AUTHSERVER_SECRET_KEY: at least 50 random characters are needed")


def _vault_keys(value: str) -> dict[str, bytes]:
    """`id:base64,id:base64` as an ordered dict; the first seals."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not key_id.isascii() or not key_id.isalnum() or len(key_id) > 32 or len(key) != 32 or key_id in keys:
            env.missing.append("AUTHSERVER_VAULT_KEYS: each key is `id:base64-of-32-bytes`, ids distinct")
            return {}
        keys[key_id] = key
    return keys


def _kms_keys(value: str) -> dict[str, str]:
    """`id:arn-or-alias,id:arn-or-alias` as an ordered dict; the first seals."""
    keys: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        key_id, _, name = part.partition(":")
        if not key_id.isascii() or not key_id.isalnum() or len(key_id) > 32 or not name or key_id in keys:
            env.missing.append("AUTHSERVER_KMS_KEYS: each key is `id:arn-or-alias`, ids distinct")
            return {}
        keys[key_id] = name
    return keys


_SEALING = {"keyring": "accounts.vault.keyring.KeyRingSealing", "aws-kms": "accounts.vault.kms.KmsSealing"}
_sealing = env.get("AUTHSERVER_SEALING") or "keyring"
_own_keys = _sealing == "keyring"
VAULT_KEYS = _vault_keys(env.require("AUTHSERVER_VAULT_KEYS") if _own_keys else env.get("AUTHSERVER_VAULT_KEYS") or "")
KMS_KEYS = _kms_keys(
    env.require("AUTHSERVER_KMS_KEYS") if _sealing == "aws-kms" else env.get("AUTHSERVER_KMS_KEYS") or ""
)
if _sealing not in _SEALING and "." not in _sealing:
    env.missing.append("AUTHSERVER_SEALING: keyring, aws-kms or a dotted path")
if VAULT_KEYS.keys() & KMS_KEYS.keys():
    env.missing.append("AUTHSERVER_KMS_KEYS: an id of its own for each key, also beside AUTHSERVER_VAULT_KEYS")
SEALING_BACKEND = _SEALING.get(_sealing, _sealing)
# While one takes over from the other, both are configured; the one that is named seals.
SEALING_ALSO_OPENS = [
    _SEALING[other] for other, keys in (("keyring", VAULT_KEYS), ("aws-kms", KMS_KEYS)) if keys and other != _sealing
]

# --- Who stands in front of us ------------------------------------------------------------------------------------
TRUSTED_PROXIES = env.number("AUTHSERVER_TRUSTED_PROXIES", at_least=0)
_networks = env.get("AUTHSERVER_PROXY_NETWORKS") or ""
try:
    PROXY_NETWORKS = tuple(ip_network(part.strip()) for part in _networks.split(",") if _networks)
except ValueError:
    PROXY_NETWORKS = ()
    env.missing.append("AUTHSERVER_PROXY_NETWORKS: networks such as 10.0.0.0/8, comma-separated")
if _networks and not TRUSTED_PROXIES:
    env.missing.append("AUTHSERVER_PROXY_NETWORKS: AUTHSERVER_TRUSTED_PROXIES has to say how many proxies there are")

# --- Our own settings ---------------------------------------------------------------------------------------------
_KEY_SOURCES = {
    "database": "authserver.keys.database.DatabaseSigner",
    "pem": "authserver.keys.pem.PemSigner",
    "ephemeral": "authserver.keys.ephemeral.EphemeralSigner",
    "aws-kms": "authserver.keys.kms.KmsSigner",
}
_key_source = env.get("AUTHSERVER_KEY_SOURCE") or "database"
_signing_key_file = env.get("AUTHSERVER_SIGNING_KEY_FILE")
if _key_source == "pem" and not _signing_key_file:
    env.missing.append("AUTHSERVER_SIGNING_KEY_FILE: the key source `pem` needs it")
if _key_source not in _KEY_SOURCES and "." not in _key_source:
    env.missing.append("AUTHSERVER_KEY_SOURCE: database, pem, aws-kms, ephemeral or a dotted path")
_signing_kms_keys = env.require("AUTHSERVER_SIGNING_KMS_KEYS") if _key_source == "aws-kms" else ""
_signing_algorithm = env.get("AUTHSERVER_SIGNING_ALGORITHM") or "ES256"
if _signing_algorithm not in {"ES256", "EdDSA", "RS256"}:
    env.missing.append("AUTHSERVER_SIGNING_ALGORITHM: ES256, EdDSA or RS256")

AUTHSERVER: dict[str, Any] = {
    "issuer": ISSUER,
    "demo": DEMO,
    "trusted_proxies": TRUSTED_PROXIES,
    "proxy_networks": PROXY_NETWORKS,
    "signing_backend": _KEY_SOURCES.get(_key_source, _key_source),
    "signing_key_file": _signing_key_file,
    "signing_kms_keys": tuple(filter(None, (key.strip() for key in _signing_kms_keys.split(",")))),
    "signing_algorithm": _signing_algorithm,
}
VAULT_BACKEND = "accounts.vault.database.DatabaseVault"
UPSTREAM_CA_FILE = env.get("AUTHSERVER_CA_FILE")
UPSTREAM_PROXY, UPSTREAM_NO_PROXY = env.get("AUTHSERVER_OUTBOUND_PROXY") or "", ""
if UPSTREAM_PROXY == "environment":
    UPSTREAM_PROXY, UPSTREAM_NO_PROXY = env.usual_proxy()
_proxy = re.fullmatch(
    r"http://(?:[^\s/?#@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})/?", UPSTREAM_PROXY
)
if UPSTREAM_PROXY and not (_proxy and 0 < int(_proxy["port"]) < 65536):  # not repeated: a password may be in it
    env.missing.append(
        "AUTHSERVER_OUTBOUND_PROXY: `http://[user:password@]host:port`, or `environment` with such a URL"
    )
DEMO_UPSTREAM_CLIENT_ID = "authserver-demo"
DEMO_UPSTREAM_CLIENT_SECRET = env.get("AUTHSERVER_DEMO_CLIENT_SECRET") or ""
DEMO_RESOURCE_SERVER_SECRET = env.get("AUTHSERVER_DEMO_RESOURCE_SERVER_SECRET") or ""
CONFIG_FILE = env.get("AUTHSERVER_CONFIG")
REQUIRE_TOTP = env.flag("AUTHSERVER_REQUIRE_TOTP") if env.get("AUTHSERVER_REQUIRE_TOTP") else not DEMO
ADMIN_PASSWORD_SIGN_IN = env.flag("AUTHSERVER_ADMIN_PASSWORD_SIGN_IN")
WORKERS = env.number("AUTHSERVER_WORKERS", at_least=1)
THREADS = env.number("AUTHSERVER_THREADS", at_least=1)
if DEMO and not DEMO_UPSTREAM_CLIENT_SECRET:
    env.missing.append("AUTHSERVER_DEMO_CLIENT_SECRET: demo mode needs it")

TRACING = "authserver.tracing.provider" if env.flag("AUTHSERVER_TRACING") else ""
if TRACING and find_spec("opentelemetry") is None:
    env.missing.append("AUTHSERVER_TRACING: its packages are not installed (requirements-otel.txt)")

# --- Applications -------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "authserver.console.apps.ConsoleConfig",  # Django's admin with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "oauth2_provider",
    "social_django",
    "accounts",
    "upstream",
    "authserver",
    *(["upstream.demo"] if DEMO else []),
]
MIDDLEWARE = [
    "authserver.middleware.RequestId",
    "authserver.metrics.middleware.Metrics",
    *(["authserver.tracing.Tracing"] if TRACING else []),
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "authserver.languages.Languages",
    "authserver.middleware.EdgeGuard",
    "authserver.page_middleware.ContentSecurityPolicy",
    "authserver.page_middleware.Sessions",
    "authserver.page_middleware.Common",
    "django.middleware.csrf.CsrfViewMiddleware",
    "authserver.page_middleware.Authentication",
    "authserver.page_middleware.SecondFactor",
    "authserver.page_middleware.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "authserver.urls"
WSGI_APPLICATION = "authserver.wsgi.application"
APPEND_SLASH = False  # no endpoint redirects for a slash (behaviour.md, codes and refresh tokens 4)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.PersonBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "authserver.hashers.RandomSecretHasher",  # for generated client secrets only; never the first, so never for people
]

# --- Database and cache -------------------------------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": environ.Env.db_url_config(
        env.get("AUTHSERVER_DATABASE_URL") or f"sqlite:///{DATA_DIR / 'authserver.sqlite3'}"
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a writer takes its lock at BEGIN, or parallel refreshes answer "locked"
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # A host that vanished says nothing: new connections give up after 4 s, open ones after 10 to 20 s. The URL may say other.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 4,
        "tcp_user_timeout": 10_000,  # milliseconds until what was sent must have arrived
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        **DATABASES["default"].get("OPTIONS", {}),
    }
    DATABASES["default"]["CONN_MAX_AGE"] = 0  # the pool keeps the connections
    # What is sent again and again is parsed and planned once a connection; psycopg does that for bound parameters only.
    DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 5}
    # One for each thread of the worker, and some for the threads of `upstream.refresh_all`. Who finds the database away
    # waits 4 s for it: longer, and all threads would wait, and /livez with them.
    # The pool doubles its pauses between attempts for as long as `reconnect_timeout`: its own 5 minutes would keep a
    # worker away for minutes after a database that was away for minutes. After that, the next request is the next attempt.
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": max(4, THREADS + 2),
        "timeout": 4,
        "reconnect_timeout": 2,
    }
else:
    env.missing.append("AUTHSERVER_DATABASE_URL: postgres:// or sqlite:/// is needed")

_cache_url = env.get("AUTHSERVER_CACHE_URL")
CACHES: dict[str, Any] = {"default": environ.Env.cache_url_config(_cache_url or "locmemcache://")}
CACHE_IS_SHARED = _cache_url is not None
if CACHES["default"]["BACKEND"] == "django.core.cache.backends.redis.RedisCache":
    # One that is away is noticed soon: every thread that waits for it answers nobody. Once more, at once, because a
    # connection that was kept may have ended meanwhile. Options of the URL's query stand.
    _retry = Retry(NoBackoff(), 1, supported_errors=(redis.exceptions.ConnectionError,))
    _patience = {"socket_connect_timeout": 1, "socket_timeout": 1, "retry": _retry}
    CACHES["default"]["OPTIONS"] = _patience | CACHES["default"].get("OPTIONS", {})

# --- Rate limits (behaviour.md, Limits) -----------------------------------------------------------------------------
RATE_LIMITS = dict(rate_limits.DEFAULTS)
if DEMO:  # everybody is one address there, and clients register at every step; a flood is still one
    RATE_LIMITS = dict.fromkeys(RATE_LIMITS, "") | {"register": "1200/minute"}
for _entry in filter(None, (entry.strip() for entry in (env.get("AUTHSERVER_RATE_LIMITS") or "").split(","))):
    _name, _equals, _limit = _entry.partition("=")
    if _name not in RATE_LIMITS or not re.fullmatch(
        "=(?:[1-9][0-9]{0,6}/(?:second|minute|hour|day))?", _equals + _limit
    ):
        env.missing.append(
            "AUTHSERVER_RATE_LIMITS: each is `name=10/minute` or `name=`, names: " + ", ".join(RATE_LIMITS)
        )
    RATE_LIMITS[_name] = _limit

# --- Metrics: who may read them ---------------------------------------------------------------------------------------
METRICS_TOKEN = env.get("AUTHSERVER_METRICS_TOKEN") or ""
if 0 < len(METRICS_TOKEN) < 32:
    env.missing.append("AUTHSERVER_METRICS_TOKEN: at least 32 random characters are needed")
_networks = env.get("AUTHSERVER_METRICS_NETWORKS") or ""
try:
    METRICS_NETWORKS = [ip_network(part.strip()) for part in _networks.split(",") if _networks != "none"]
except ValueError:
    METRICS_NETWORKS = []
    env.missing.append("AUTHSERVER_METRICS_NETWORKS: networks such as 10.0.0.0/8, comma-separated, or none")

# --- Browser: sessions, cookies, headers --------------------------------------------------------------------------
SESSION_ENGINE = "accounts.browser_sessions"  # and no table of Django's own
SESSION_COOKIE_NAME = "__Host-authserver-session" if SECURE else "authserver-session"
SESSION_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_PATH = "/"
CSRF_COOKIE_NAME = "__Host-authserver-csrf" if SECURE else "authserver-csrf"
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = False  # TLS ends at the proxy; a redirect would leak what was sent in clear
SECURE_HSTS_SECONDS = 31536000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
USE_X_FORWARDED_HOST = False
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "script-src": ["'self'"],  # Django's admin needs its own files; our pages have none
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- Pages --------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LOGIN_URL = "admin:login"
_prefix = f"{_issuer.path.strip('/')}/" if _issuer.path.strip("/") else ""
STATIC_URL = f"/{_prefix}static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # served from where they lie: no collectstatic step
ADMIN_PATH = (env.get("AUTHSERVER_ADMIN_PATH") or "admin/").lstrip("/")
if f"/{ADMIN_PATH}".startswith(MACHINE_PATHS):
    env.missing.append(f"AUTHSERVER_ADMIN_PATH: another one; machines ask at {', '.join(MACHINE_PATHS)}")

# --- django-oauth-toolkit -----------------------------------------------------------------------------------------
OAUTH2_PROVIDER_APPLICATION_MODEL = "authserver.Client"
OAUTH2_PROVIDER_GRANT_MODEL = "authserver.Grant"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "authserver.AccessToken"  # noqa: S105 - a model
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "authserver.RefreshToken"  # noqa: S105 - a model
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "authserver.IDToken"  # noqa: S105 - a model
OAUTH2_PROVIDER: dict[str, Any] = {
    "OAUTH2_VALIDATOR_CLASS": "authserver.validator.Validator",
    "OAUTH2_SERVER_CLASS": "authserver.server.Server",
    "OAUTH2_BACKEND_CLASS": "authserver.backend.OAuthCore",
    "OIDC_ENABLED": False,  # our own metadata and keys; DOT's OIDC views sign RS256 only
    "OIDC_ISS_ENDPOINT": ISSUER,  # never from the Host header
    "SCOPES_BACKEND_CLASS": "authserver.scopes.ResourceScopes",
    "PKCE_REQUIRED": True,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 86400,
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https", "http"],
    "ALLOW_URI_WILDCARDS": False,
    "ALLOW_LOCALHOST_LOOPBACK": True,
    "REQUEST_APPROVAL_PROMPT": "force",
    "CLIENT_SECRET_HASHER": "random_secret_sha256",
    "CLIENT_SECRET_GENERATOR_LENGTH": 64,
    "DCR_ENABLED": False,  # our own registration package
    "CIMD_ENABLED": False,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
    "APPLICATION_ADMIN_CLASS": "authserver.console.clients.ClientAdmin",
    "GRANT_ADMIN_CLASS": "authserver.console.tokens.GrantAdmin",
    "ACCESS_TOKEN_ADMIN_CLASS": "authserver.console.tokens.AccessTokenAdmin",
    "REFRESH_TOKEN_ADMIN_CLASS": "authserver.console.tokens.RefreshTokenAdmin",
}

# --- The JSON API ---------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["authserver.api.callers.ResourceServerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [],  # credentials in a form are read by our own strict reader, and nothing else is
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "authserver.api.negotiation.AlwaysJson",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "authserver.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Authserver",
    "VERSION": "v1",
    "DESCRIPTION": "Upstream tokens of a session, for the MCP servers (resource servers) it was approved for.",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVERS": [{"url": ISSUER}],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

# --- social-auth --------------------------------------------------------------------------------------------------
# No SOCIAL_AUTH_STRATEGY: a visit makes its own `upstream.strategy.ProviderStrategy`, for one provider row.
SOCIAL_AUTH_STORAGE = "social_django.models.DjangoStorage"
SOCIAL_AUTH_PIPELINE = (
    "social_core.pipeline.social_auth.social_details",
    "social_core.pipeline.social_auth.social_uid",
    "upstream.pipeline.refuse_strangers",
    "social_core.pipeline.social_auth.social_user",
    "upstream.pipeline.refuse_inactive",
    "upstream.pipeline.refuse_others",
    "upstream.pipeline.refuse_second_account",
    "authserver.console.arrival.refuse_without_role",  # before anybody is made
    "upstream.pipeline.create_user",
    "social_core.pipeline.social_auth.associate_user",
    "upstream.pipeline.update_profile",
    "upstream.pipeline.keep_tokens",
    "authserver.console.arrival.enter",
)

UPSTREAM_TEST_VIEW = "authserver.console.providers.sign_in_test.finish"

SILENCED_SYSTEM_CHECKS = [
    "oauth2_provider.W008",  # http callbacks: on loopback only, which authserver.redirects sees to (RFC 8252)
    "security.W005",  # HSTS for other people's subdomains is not ours to promise
    "security.W008",  # no redirect to https: TLS ends at the proxy, and a redirect hides what was sent in clear
    "security.W021",  # nor is the preload list
]

# --- Logs ---------------------------------------------------------------------------------------------------------
LOG_FORMAT = env.get("AUTHSERVER_LOG_FORMAT") or "json"
if LOG_FORMAT not in {"json", "console"}:
    env.missing.append("AUTHSERVER_LOG_FORMAT: console or json")
LOG_LEVEL = (env.get("AUTHSERVER_LOG_LEVEL") or "INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
    env.missing.append("AUTHSERVER_LOG_LEVEL: DEBUG, INFO, WARNING or ERROR")
LOGGING_CONFIG = "authserver.logs.configure"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}

try:
    env.check()
except MissingConfiguration as error:
    raise SystemExit(str(error)) from None
