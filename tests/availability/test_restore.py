"""A backup is made of a server in use, and restored elsewhere: by the commands of docs/backup-and-restore.md, in a shell."""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.availability import hosts as deployments
from tests.documentation.documents import fenced
from tests.harness import oauth, postgres, processes
from tests.harness import server as servers
from tests.harness.demo import knobs
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.postgres import Cluster
from tests.harness.server import ROOT, Server

COMMANDS = fenced((ROOT / "docs" / "backup-and-restore.md").read_text(), "sh")
DUMP, SQLITE, RESTORE, BOOTSTRAP, LISTED, ALL = COMMANDS
SECRETS = ("secret_key", "vault_keys", "demo_client_secret", "demo_resource_server_secret")


@dataclass
class Shell:
    """An operator's: in a directory, with `manage.py` and PostgreSQL's programs on the path."""

    directory: Path
    programs: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, commands: str, **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.directory}:{self.programs}:{os.environ['PATH']}"
        env = servers.environment({**self.environment, **variables, "PATH": path})
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", commands],
            cwd=self.directory, env=env, capture_output=True, text=True, check=False, timeout=servers.START_SECONDS,
        )  # fmt: skip

    def does(self, commands: str, **variables: str) -> str:
        done = self.run(commands, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manages(self, data_dir: Path, database_url: str) -> None:
        """From now on `manage.py` is that server's."""
        program = self.directory / "manage.py"
        words = map(str, servers.dev("manage", "--data-dir", data_dir))
        program.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
        program.chmod(0o700)
        self.environment = {"AUTHSERVER_DATABASE_URL": database_url, "AUTHSERVER_DATA_DIR": str(data_dir)}


@dataclass
class Session:
    """One approval, and what its client holds."""

    client: OAuthClient
    tokens: dict[str, Any]
    resource: str

    @classmethod
    def begun(cls, issuer: str, person: str) -> Session:
        client = OAuthClient.registered(issuer)
        flow = client.begin(resource=f"{issuer}/mcp")
        return cls(client, client.finish(flow, Person(person).authorize(flow.url)), f"{issuer}/mcp")

    def refresh(self) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        answer = self.client.token(form)
        self.tokens |= answer.json() if answer.status_code == 200 else {}
        return answer

    def exchange(self) -> httpx.Response:
        form = deployments.exchange_form(self.tokens["access_token"])
        return httpx.post(f"{self.client.issuer}/oauth/token", data=form, timeout=oauth.TIMEOUT_SECONDS)

    def revoke(self) -> None:
        form = {"client_id": self.client.client_id, "token": self.tokens["refresh_token"]}
        assert httpx.post(f"{self.client.issuer}/oauth/revoke", data=form).status_code == 200


def into_the_console(issuer: str, password: str) -> httpx.Response:
    """The list of sessions, as the first administrator sees it."""
    with httpx.Client(base_url=issuer, follow_redirects=True, timeout=oauth.TIMEOUT_SECONDS) as http:
        page = http.get("/admin/login/?next=/admin/accounts/tokensession/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token[1]}
        return http.post(str(page.url), data=form, headers={"Referer": str(page.url), "Origin": issuer})


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server whose people sign in at a provider of its own, which no restore touches."""
    provider = deployments.start_provider(tmp_path)
    started = [provider]

    def begin(data_dir: Path, database_url: str, port: int) -> Server:
        server = servers.launch(
            data_dir, port=port, AUTHSERVER_DATABASE_URL=database_url, AUTHSERVER_LOG_FORMAT="json",
            AUTHSERVER_CONFIG=str(deployments.configuration(tmp_path, provider)),
        )  # fmt: skip
        started.append(server)
        server.wait()
        deployments.introduce(provider.wait(), server.issuer)
        return server

    begin.provider = provider  # type: ignore[attr-defined]  # for its knobs
    yield begin
    for one in started:
        one.stop()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    for program in ("jq", "sqlite3"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt-get install {program}")
    directory = tmp_path / "operator"
    directory.mkdir()
    return Shell(directory, Path())


def test_a_restored_server_goes_on_and_what_was_ended_since_stays_ended(
    postgres_url: str, tmp_path: Path, shell: Shell, start: Start
) -> None:
    first, fresh = Cluster(), Cluster()
    shell.programs, port = first.programs, processes.free_port()
    provider = start.provider  # type: ignore[attr-defined]  # as above
    with postgres.database(first.start().url) as old_url, postgres.database(fresh.start().url) as new_url:
        old = start(tmp_path / "old", old_url, port)
        going_on, ended, refreshed = (Session.begun(old.issuer, "Ada") for _ in range(3))
        knobs(provider, "POST", token={"answer": {"expires_in": 0}})
        rotated = Session.begun(old.issuer, "Grace")
        knobs(provider, "DELETE")
        assert going_on.exchange().status_code == 200

        shell.manages(old.data_dir, old_url)
        shell.does(DUMP)
        ended.revoke()
        assert refreshed.refresh().status_code == 200
        assert rotated.exchange().status_code == 200, "the provider has turned its token over"
        assert old.stop() == 0
        shutil.copy(old.log_file, shell.directory / "authserver-1.log")

        new_dir = tmp_path / "new"
        new_dir.mkdir(mode=0o700)
        shell.manages(new_dir, new_url)
        shell.does(RESTORE)
        another_key = "k2:" + base64.b64encode(secrets.token_bytes(32)).decode()
        refused = shell.run(BOOTSTRAP, AUTHSERVER_VAULT_KEYS=another_key)
        assert refused.returncode != 0
        assert re.search(r"Missing or wrong:\n *- k1", refused.stdout + refused.stderr), refused.stderr

        for name in SECRETS:
            (new_dir / name).unlink(missing_ok=True)
            shutil.copy(old.data_dir / name, new_dir / name)
        shell.does(BOOTSTRAP)
        assert shell.does(LISTED).startswith("ended 1 sessions, 1 refresh tokens")
        new = start(new_dir, new_url, port)

        assert (going_on.exchange().status_code, going_on.refresh().status_code) == (200, 200)
        for over in (ended.exchange(), ended.refresh()):
            assert over.status_code == 400, "what was ended since the backup does not live again"
        assert refreshed.refresh().json()["error"] == "invalid_grant"
        assert refreshed.exchange().status_code == 200, "it is not taken for stolen"
        assert rotated.exchange().json()["state"] == "needs_reauthorization"
        assert Session.begun(new.issuer, "Grace").exchange().status_code == 200, "signing in again mends it"
        password = re.search(r"password +(\S+)", old.log)
        assert password, old.log
        assert "Token sessions" in into_the_console(new.issuer, password[1]).text

        assert re.match(r"ended [1-9]\d* sessions", shell.does(ALL))
        assert (going_on.exchange().status_code, going_on.refresh().status_code) == (400, 400)
        assert Session.begun(new.issuer, "Ada").exchange().status_code == 200
    for cluster in (first, fresh):
        cluster.stop()


def test_sqlite_is_backed_up_while_the_server_runs(demo_server: Server, shell: Shell) -> None:
    if demo_server.database_url:
        pytest.skip("this run is on PostgreSQL")
    OAuthClient.registered(demo_server.issuer, client_name="Kept")
    shell.does(SQLITE, AUTHSERVER_DATA_DIR=str(demo_server.data_dir))
    copy = shell.directory / "authserver.sqlite3"
    shell.manages(demo_server.data_dir, f"sqlite:///{copy}")
    assert shell.does("manage.py check --database default") == "System check identified no issues (0 silenced).\n"
    assert "Kept" in shell.does(f"sqlite3 {copy} '.dump authserver_client'")
