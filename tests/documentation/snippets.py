"""Which test runs each block of commands or code in the documents, and the few blocks that none runs, with the reason.

A block is known by its document and by how its first line begins. Whoever adds one adds a line here.
"""

from __future__ import annotations

from tests.documentation.documents import DOCUMENTS, ROOT

LANGUAGES = ("sh", "python", "typescript", "sql")
"""Blocks to run. YAML is read by `test_readme.py`, JSON by `test_snippets.py`; the rest is there to be looked at."""

READ = [*DOCUMENTS, ROOT / "deploy" / "README.md"]

TYPED = "tests/interop/test_typed_commands.py"
STARTED = "tests/interop/test_get_started.py"
SERVERS = "tests/interop/test_connect_document.py"

RUN = {
    ("README.md", "./dev run "): "tests/workbench/test_run.py",
    ("CONTRIBUTING.md", "./dev run "): "tests/workbench/test_run.py",
    ("README.md", "curl https://auth.example.com/oauth/token"): TYPED,
    **{
        ("docs/backup-and-restore.md", begins): "tests/availability/test_restore.py"
        for begins in ("pg_dump", "sqlite3", "pg_restore", "manage.py bootstrap", "jq", "manage.py revoke --all")
    },
    ("docs/by-tsid-api.md", 'curl "https://auth.example.com/api/v1/sessions/$TSID/upstream-tokens" '): TYPED,
    ("docs/by-tsid-api.md", 'curl "https://auth.example.com/api/v1/sessions/$TSID/upstream-tokens/github" '): TYPED,
    ("docs/by-tsid-api.md", "curl https://auth.example.com/api/v1/token"): TYPED,
    ("docs/connect-your-mcp-server.md", "import os"): SERVERS,
    ("docs/connect-your-mcp-server.md", "import asyncio"): SERVERS,
    ("docs/connect-your-mcp-server.md", "import { createRemoteJWKSet"): SERVERS,
    ("docs/connect-your-mcp-server.md", "import json"): SERVERS,
    ("docs/connect-your-mcp-server.md", "curl https://auth.example.com/oauth/token"): TYPED,
    ("docs/console-sign-in.md", ".venv/bin/python manage.py admin_link"): "tests/unit/console/test_links.py",
    ("docs/get-started.md", "./dev run"): STARTED,
    ("docs/get-started.md", "./dev example fastmcp"): STARTED,
    ("docs/get-started.md", "export GITHUB_CLIENT_SECRET="): STARTED,
    ("docs/get-started.md", "PORT=9001 "): STARTED,
    ("docs/maintenance.md", "manage.py maintenance --loop"): "tests/unit/maintenance/test_loop.py",
    ("docs/performance.md", "./dev bench"): "tests/workbench/test_bench.py",
    ("docs/registration.md", "manage.py create_initial_access_token"): TYPED,
    ("docs/registration.md", "curl https://auth.example.com/oauth/register"): TYPED,
    ("docs/registration.md", "import time, uuid, jwt, httpx"): TYPED,
    ("docs/revocation.md", "curl https://auth.example.com/oauth/revoke"): TYPED,
    ("docs/revocation.md", "curl https://auth.example.com/oauth/introspect"): TYPED,
    ("docs/revocation.md", "import httpx"): "tests/unit/api/test_revocations.py",
    ("docs/signing-keys.md", "manage.py rotate_signing_key"): "tests/unit/signing_keys/test_command.py",
    ("docs/signing-keys.md", "openssl genpkey"): TYPED,
    ("docs/token-exchange.md", "import httpx"): TYPED,
    ("docs/vault-keys.md", "UPDATE accounts_vaultkey"): "tests/unit/vault_keys/test_rotation_trouble.py",
    ("examples/fastmcp_server/README.md", "./dev run"): STARTED,
}

NOT_RUN = {
    ("docs/connect-clients.md", "claude mcp add"): "a client of somebody else's, which needs an account",
    ("docs/languages.md", ".venv/bin/python tools/messages.py"): "it rewrites the catalogue; what it wrote is tested",
    ("docs/releasing.md", "python3 -m venv"): "it installs, and asks the network for advisories",
    ("docs/tracing.md", "pip install"): "it installs; the tests have the same pins",
    ("deploy/README.md", "umask 077"): "it makes secrets for a host; tests/deployment holds their names to the files",
    ("deploy/README.md", "mv secrets"): "it needs Docker; tests/deployment reads the Compose file",
    ("deploy/README.md", "kubectl"): "it needs a cluster; tests/deployment reads the manifests",
    ("deploy/README.md", "git clone"): "it installs into a host; tests/deployment reads the units",
    ("examples/fastmcp_server/README.md", "claude mcp add"): "a client of somebody else's, which needs an account",
}
