"""A start fails closed: the server, bootstrap and maintenance name everything that is missing, at once, and end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.server import ROOT, environment

COMMANDS = {
    "the server": [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}"],
    "bootstrap": [sys.executable, "manage.py", "bootstrap"],
    "maintenance": [sys.executable, "manage.py", "maintenance", "--loop"],
}
BEGINS = "Authserver cannot start. Missing or wrong:\n"
PATIENCE_SECONDS = 60
VAULT_KEYS = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


def start(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Started as it is deployed; it is expected to give up by itself."""
    port = processes.free_port()
    return subprocess.run(
        [word.format(port=port) for word in command],
        cwd=ROOT, env=environment(variables), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def missing(refused: subprocess.CompletedProcess[str]) -> list[str]:
    """What each line of the list is about."""
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert refused.stderr.count(BEGINS) == 1
    lines = refused.stderr.partition(BEGINS)[2].splitlines()
    return [line.removeprefix("  - ").split(":")[0].split(" ")[0] for line in lines if line.startswith("  - ")]


@every_command
def test_without_anything_it_names_all_that_it_needs(command: list[str], tmp_path: Path) -> None:
    refused = start(command, AUTHSERVER_DATA_DIR=str(tmp_path))
    assert missing(refused) == ["AUTHSERVER_ISSUER", "AUTHSERVER_SECRET_KEY", "AUTHSERVER_VAULT_KEYS"]
    assert list(tmp_path.iterdir()) == [], "and has made nothing"


@every_command
def test_with_much_that_is_wrong_it_names_all_of_it_and_no_value(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "short").write_text("a-canary")
    refused = start(
        command,
        AUTHSERVER_ISSUER="http://auth.example.com",
        AUTHSERVER_SECRET_KEY_FILE=str(tmp_path / "short"),
        AUTHSERVER_VAULT_KEYS="k1:a-canary",
        AUTHSERVER_DATABASE_URL_FILE=str(tmp_path / "absent"),
        AUTHSERVER_OUTBOUND_PROXY="socks5://user:a-canary@proxy",
        AUTHSERVER_RATE_LIMITS="register=often",
        AUTHSERVER_TRUSTED_PROXIES="one",
        AUTHSERVER_WORKERS="0",
        AUTHSERVER_LOG_FORMAT="xml",
        AUTHSERVER_ADMIN_PATH="/oauth/register-admin/",
    )
    assert sorted(missing(refused)) == [
        "AUTHSERVER_ADMIN_PATH", "AUTHSERVER_DATABASE_URL_FILE", "AUTHSERVER_ISSUER", "AUTHSERVER_LOG_FORMAT",
        "AUTHSERVER_OUTBOUND_PROXY", "AUTHSERVER_RATE_LIMITS", "AUTHSERVER_SECRET_KEY", "AUTHSERVER_TRUSTED_PROXIES",
        "AUTHSERVER_VAULT_KEYS", "AUTHSERVER_WORKERS",
    ]  # fmt: skip
    assert "a-canary" not in refused.stdout + refused.stderr


@every_command
def test_without_its_database_it_ends_with_a_sentence(command: list[str]) -> None:
    refused = start(
        command,
        AUTHSERVER_ISSUER="https://auth.example.com",
        AUTHSERVER_SECRET_KEY="s" * 50,
        AUTHSERVER_VAULT_KEYS=VAULT_KEYS,
        AUTHSERVER_DATABASE_URL=f"postgres://authserver:a-canary@127.0.0.1:{processes.free_port()}/authserver",
    )
    assert refused.returncode != 0
    assert "the database does not answer" in refused.stderr.lower()
    assert "Traceback" not in refused.stderr
    assert "a-canary" not in refused.stdout + refused.stderr


def test_without_its_certificate_authorities_the_server_ends_with_a_sentence(tmp_path: Path) -> None:
    given = {
        "AUTHSERVER_ISSUER": "http://localhost:8000",
        "AUTHSERVER_SECRET_KEY": "s" * 50,
        "AUTHSERVER_VAULT_KEYS": VAULT_KEYS,
        "AUTHSERVER_DATA_DIR": str(tmp_path),
    }
    assert start(COMMANDS["bootstrap"], **given).returncode == 0
    refused = start(COMMANDS["the server"], **given, AUTHSERVER_CA_FILE=str(tmp_path / "absent"))
    assert refused.returncode != 0
    assert "Authserver cannot start. AUTHSERVER_CA_FILE: No such file or directory." in refused.stderr
    assert "Traceback" not in refused.stderr
