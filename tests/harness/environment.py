"""The environment of a test run, complete before Django reads its settings; nothing of the caller's own gets in."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

from tests.harness import postgres

DATABASE_URL = "AUTHSERVER_TEST_DATABASE_URL"
"""PostgreSQL for this run: a `postgres://` URL whose user may create databases, or the word `embedded`."""


def prepare() -> None:
    """Set everything the settings ask for. Idempotent; workers of pytest-xdist inherit what the first process chose."""
    for name in [name for name in os.environ if name.startswith("AUTHSERVER_") and name != DATABASE_URL]:
        del os.environ[name]
    data_dir = tempfile.TemporaryDirectory(prefix="authserver-tests-")
    atexit.register(data_dir.cleanup)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "authserver.settings",
        "AUTHSERVER_DATA_DIR": data_dir.name,
        "AUTHSERVER_ISSUER": "http://localhost:8000",
        "AUTHSERVER_SECRET_KEY": "a secret key for tests, and for nothing else but tests",
        "AUTHSERVER_VAULT_KEYS": "t1:YSB2YXVsdCBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE=",
        "AUTHSERVER_DEMO": "1",
        "AUTHSERVER_DEMO_CLIENT_SECRET": "demo-client-secret-for-tests",
        "AUTHSERVER_DEMO_RESOURCE_SERVER_SECRET": "demo-resource-server-secret-for-tests",
        "AUTHSERVER_LOG_FORMAT": "console",
        "AUTHSERVER_LOG_LEVEL": "WARNING",
    }
    if os.environ.get(DATABASE_URL) == "embedded":
        os.environ[DATABASE_URL] = postgres.start()
    os.environ["AUTHSERVER_DATABASE_URL"] = (
        os.environ.get(DATABASE_URL) or f"sqlite:///{Path(data_dir.name) / 'authserver.sqlite3'}"
    )


def on_postgres() -> bool:
    """Whether this run's database is PostgreSQL."""
    return bool(os.environ.get(DATABASE_URL))
