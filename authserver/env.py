"""The only reader of the process environment.

Every variable also exists as `NAME_FILE`, a path whose content is the value (Docker and Kubernetes secrets).
`VARIABLES` is the whole list: the README's table is generated from it and a name that is not in it cannot be read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


class MissingConfiguration(Exception):
    """Something the start needs is not there; the message lists everything that is missing."""


@dataclass(frozen=True)
class Variable:
    """One environment variable: its name, what it means in a sentence, and the default where there is one."""

    name: str
    meaning: str
    default: str | None = None
    secret: bool = False


VARIABLES = (
    Variable(
        "AUTHSERVER_ISSUER",
        "Our public address, `https` (plain `http` only on loopback), no trailing slash; a path is allowed.",
    ),
    Variable("AUTHSERVER_SECRET_KEY", "At least 50 random characters; signs cookies and refresh tokens.", secret=True),
    Variable(
        "AUTHSERVER_VAULT_KEYS", "`id:base64-of-32-bytes`, comma-separated; the first seals, all open.", secret=True
    ),
    Variable(
        "AUTHSERVER_SEALING",
        "What seals the vault: `keyring` (the vault keys), `aws-kms` (keys that stay in AWS KMS), or a dotted path.",
        "keyring",
    ),
    Variable("AUTHSERVER_KMS_KEYS", "`id:arn-or-alias` of KMS keys, comma-separated; the first seals, all open."),
    Variable("AUTHSERVER_DATABASE_URL", "`postgres://…` or `sqlite:///…`; default: SQLite in the data directory."),
    Variable(
        "AUTHSERVER_CACHE_URL", "`redis://…` (Valkey or Redis); default: in the process, and then one worker only."
    ),
    Variable(
        "AUTHSERVER_KEY_SOURCE",
        "Where signing keys live: `database`, `pem`, `aws-kms`, `ephemeral`, or a dotted path.",
        "database",
    ),
    Variable(
        "AUTHSERVER_SIGNING_ALGORITHM",
        "What the next key of the source `database` signs with: `ES256`, `EdDSA` or `RS256`.",
        "ES256",
    ),
    Variable("AUTHSERVER_SIGNING_KEY_FILE", "PEM file of the key source `pem`; its first key signs, all verify."),
    Variable(
        "AUTHSERVER_SIGNING_KMS_KEYS",
        "Ids, ARNs or aliases of the key source `aws-kms`, comma-separated; the first signs, all verify.",
    ),
    Variable("AUTHSERVER_TRUSTED_PROXIES", "How many proxies stand in front of us and set `X-Forwarded-For`.", "0"),
    Variable(
        "AUTHSERVER_PROXY_NETWORKS",
        "Networks of the proxies that ask us, comma-separated: from others `X-Forwarded-For` is ignored; default: anywhere.",
    ),
    Variable(
        "AUTHSERVER_RATE_LIMITS",
        "What differs from the default limits, as `register=30/minute,token=`; nothing after `=`: no limit.",
    ),
    Variable("AUTHSERVER_ALLOWED_HOSTS", "Host names we answer to, comma-separated; default: the issuer's host."),
    Variable("AUTHSERVER_ADMIN_PATH", "Path of the operators' console, with a trailing slash.", "admin/"),
    Variable(
        "AUTHSERVER_REQUIRE_TOTP",
        "`0` lets operators into the console with a password alone, `1` asks for a second factor; default: `1`, in the demo `0`.",
    ),
    Variable(
        "AUTHSERVER_ADMIN_PASSWORD_SIGN_IN",
        "`0` takes the password away from the console's door: in through an upstream, or by a one-time link.",
        "1",
    ),
    Variable("AUTHSERVER_CONFIG", "A configuration file (YAML) applied at the start."),
    Variable("AUTHSERVER_DATA_DIR", "Where SQLite and generated secrets live.", "var"),
    Variable("AUTHSERVER_CA_FILE", "Extra certificate authorities for outbound requests (PEM)."),
    Variable(
        "AUTHSERVER_OUTBOUND_PROXY",
        "Forward proxy for outbound requests, `http://[user:password@]host:port`, or `environment`: what `HTTPS_PROXY` and "
        "`NO_PROXY` say; default: none, whatever they say.",
        secret=True,
    ),
    Variable(
        "AUTHSERVER_METRICS_NETWORKS",
        "Who may read `/metrics` without a token, if not through a proxy: networks, comma-separated, or `none`.",
        "127.0.0.0/8,::1",
    ),
    Variable(
        "AUTHSERVER_METRICS_TOKEN",
        "At least 32 random characters; whoever sends them as a bearer token may read `/metrics` from anywhere.",
        secret=True,
    ),
    Variable(
        "AUTHSERVER_TRACING",
        "`1` sends traces by OpenTelemetry, as its own `OTEL_…` variables say; needs `requirements-otel.txt`.",
    ),
    Variable("AUTHSERVER_LOG_FORMAT", "`console` or `json`.", "json"),
    Variable("AUTHSERVER_LOG_LEVEL", "`DEBUG`, `INFO`, `WARNING`, `ERROR`.", "INFO"),
    Variable("AUTHSERVER_WORKERS", "gunicorn worker processes.", "1"),
    Variable("AUTHSERVER_THREADS", "Threads of each worker.", "4"),
    Variable("AUTHSERVER_DEMO", "`1` mounts the demo identity provider; loopback only. `./dev run` sets it."),
    Variable("AUTHSERVER_DEMO_CLIENT_SECRET", "Our client secret at the demo identity provider.", secret=True),
    Variable("AUTHSERVER_DEMO_RESOURCE_SERVER_SECRET", "The demo MCP server's secret.", secret=True),
)
_KNOWN = {variable.name: variable for variable in VARIABLES}


@dataclass
class Environment:
    """Reads variables and collects what is missing, so that one message can name all of it."""

    missing: list[str] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """The value of `NAME`, else the content of `NAME_FILE` without its last newline, else the default."""
        variable = _KNOWN[name]
        value = os.environ.get(name)
        if value is None and (path := os.environ.get(f"{name}_FILE")):
            try:
                value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                self.missing.append(f"{name}_FILE: {path} cannot be read ({type(error).__name__})")
                return variable.default
        return value or variable.default

    def require(self, name: str, otherwise: str = "") -> str:
        """The value of `NAME`; noted as missing where there is none."""
        value = self.get(name)
        if value is None:
            self.missing.append(f"{name} (or {name}_FILE): {_KNOWN[name].meaning}")
            return otherwise
        return value

    def flag(self, name: str) -> bool:
        return (self.get(name) or "").lower() in {"1", "true", "yes", "on"}

    def number(self, name: str, *, at_least: int) -> int:
        value = self.get(name) or ""
        if not value.isascii() or not value.isdigit() or int(value) < at_least:
            self.missing.append(f"{name}: a whole number, at least {at_least}, is needed")
            return at_least
        return int(value)

    def usual_proxy(self) -> tuple[str, str]:
        """`HTTPS_PROXY` and `NO_PROXY`, empty where unset, for an operator who said that they count; lower case wins.

        `HTTP_PROXY` is for calls in clear, and no public address is called so.
        """
        proxy, exempt = (
            os.environ.get(name) or os.environ.get(name.upper()) or "" for name in ("https_proxy", "no_proxy")
        )
        return proxy if not proxy or "://" in proxy else f"http://{proxy}", exempt

    def check(self) -> None:
        """Raise `MissingConfiguration` with the complete list, if anything was missing."""
        if self.missing:
            raise MissingConfiguration("Authserver cannot start. Missing or wrong:\n  - " + "\n  - ".join(self.missing))


def secret_reference(name: str) -> str | None:
    """A value that a configuration file refers to as `{env: NAME}`; any name, `NAME_FILE` honoured."""
    value = os.environ.get(name)
    if value is None and (path := os.environ.get(f"{name}_FILE")):
        value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    return value


def table() -> str:
    """The list as a Markdown table: the README holds exactly this (`python -m authserver.env` prints it)."""
    rows = [f"| `{v.name}` | {v.meaning} | {f'`{v.default}`' if v.default else ''} |" for v in VARIABLES]
    return "\n".join(["| variable | meaning | default |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(table())  # noqa: T201 - that is what it is for
