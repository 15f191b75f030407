"""`./dev run` and `./dev manage`, as somebody types them. interface.md, Commands."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartServer
from tests.harness import processes, server


def run(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A `./dev run` that is expected to give up by itself."""
    return subprocess.run(
        server.dev("run", "--data-dir", data_dir, *arguments),
        env=server.environment(variables), capture_output=True, text=True, timeout=server.START_SECONDS, check=False,
    )  # fmt: skip


def children(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listing.split()]


def secrets_of(data_dir: Path) -> Mapping[str, str]:
    return {path.name: path.read_text() for path in data_dir.glob("*_*") if path.suffix == ""}


def test_it_is_ready_when_it_says_so(demo_server: server.Server) -> None:
    assert httpx.get(f"{demo_server.issuer}/livez").status_code == httpx.codes.OK


def test_the_administrators_password_is_printed_once(start_server: StartServer, tmp_path: Path) -> None:
    first = start_server(data_dir=tmp_path)
    first.stop()
    again = start_server(data_dir=tmp_path)
    assert first.log.count("password") == 1
    assert "password" not in again.log


def test_the_data_directory_is_its_owners_alone(demo_server: server.Server) -> None:
    assert stat.S_IMODE(demo_server.data_dir.stat().st_mode) == 0o700
    files = [path for path in demo_server.data_dir.rglob("*") if path.is_file()]
    assert {"secret_key", "vault_keys", "environment.json"} <= {path.name for path in files}
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) != 0o600] == []


def test_what_it_remembers_holds_no_secret(start_server: StartServer, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/elsewhere.sqlite3"
    given = start_server(data_dir=tmp_path, AUTHSERVER_SECRET_KEY="s" * 50, AUTHSERVER_DATABASE_URL=database)
    remembered = (tmp_path / "environment.json").read_text()
    assert "s" * 50 not in remembered
    assert database not in remembered
    assert Path(json.loads(remembered)["AUTHSERVER_DATABASE_URL_FILE"]).read_text().strip() == database
    assert not (tmp_path / "secret_key").exists(), "what the caller gives is not made"
    given.stop()


def test_a_second_process_shares_issuer_secrets_and_tables(
    demo_server: server.Server, start_server: StartServer
) -> None:
    before = secrets_of(demo_server.data_dir)
    second = start_server(data_dir=demo_server.data_dir, issuer=demo_server.issuer)
    assert second.port != demo_server.port
    assert f"Ready: {demo_server.issuer}" in second.log
    assert secrets_of(demo_server.data_dir) == before
    assert second.stop() == 0


def test_two_first_starts_at_once_make_one_of_everything(tmp_path: Path) -> None:
    first = server.launch(tmp_path / "data")
    second = server.launch(tmp_path / "data", issuer=first.issuer)
    try:
        first.wait()
        second.wait()
    finally:
        first.stop()
        second.stop()
    assert (first.log + second.log).count("password") == 1


def test_sigterm_ends_it_with_status_0_and_leaves_no_process_behind(start_server: StartServer) -> None:
    own = start_server()
    family = [own.process.pid, *children(own.process.pid)]
    assert len(family) > 1, "gunicorn has a worker"
    assert own.stop() == 0
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run(tmp_path, "--port", str(port))
    assert refused.returncode == 1
    assert f"Port {port}" in refused.stderr


def test_demo_mode_refuses_an_issuer_that_others_can_reach(tmp_path: Path) -> None:
    refused = run(tmp_path, "--port", str(processes.free_port()), "--issuer", "https://auth.example.com")
    assert refused.returncode == 1
    assert "loopback" in refused.stderr
    assert "Ready" not in refused.stdout


def test_production_settings_name_everything_that_is_missing_at_once(tmp_path: Path) -> None:
    refused = run(tmp_path, "--no-demo")
    assert refused.returncode == 1
    for name in ("AUTHSERVER_ISSUER", "AUTHSERVER_SECRET_KEY", "AUTHSERVER_VAULT_KEYS"):
        assert refused.stderr.count(f"{name} ") == 1
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(os.name != "posix", reason="sticky bits are POSIX")
def test_a_directory_that_everybody_uses_is_not_taken_over(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    assert run(shared, "--port", str(processes.free_port())).returncode == 1
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


def test_manage_finds_the_server_of_the_last_run(demo_server: server.Server) -> None:
    shown = demo_server.manage(
        "shell", "--verbosity=0", "--command", "from django.conf import settings as s; print(s.ISSUER)"
    )
    assert shown.stdout.strip() == demo_server.issuer, shown.stderr
