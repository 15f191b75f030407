"""What gunicorn lets through to us, and what it refuses. gunicorn.conf.py, line by line."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time

import httpx
import pytest

from tests.conftest import StartServer
from tests.harness import processes, server


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "Script-Name", "PATH_INFO", "X-Forwarded-Prefix"])
def test_no_header_of_a_caller_moves_our_urls(demo_server: server.Server, header: str) -> None:
    answer = httpx.get(f"{demo_server.url}/livez", headers={header: "/elsewhere"})
    assert answer.status_code == httpx.codes.OK


def test_a_caller_cannot_disagree_with_itself_about_https(demo_server: server.Server) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"}
    assert httpx.get(f"{demo_server.url}/livez", headers=headers).status_code == httpx.codes.OK


@pytest.mark.parametrize(("length", "status"), [(8000, http.client.OK), (8200, 414), (60_000, 414)])
def test_a_request_line_has_room_for_2_kib_of_state_and_an_end(
    demo_server: server.Server, length: int, status: int
) -> None:
    assert httpx.get(f"{demo_server.url}/livez?state={'s' * length}").status_code == status


def test_an_endless_header_is_refused(demo_server: server.Server) -> None:
    answer = httpx.get(f"{demo_server.url}/livez", headers={"Cookie": "c" * 9000})
    assert answer.status_code == http.client.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_the_log_holds_no_query_string(demo_server: server.Server) -> None:
    httpx.get(f"{demo_server.url}/livez?code=not-for-the-log")
    assert "not-for-the-log" not in demo_server.log


def test_loading_the_application_opens_no_connection_that_workers_would_share(demo_server: server.Server) -> None:
    opened = "import authserver.wsgi; from django.db import connections as c; print([x.alias for x in c.all() if x.connection])"
    loaded = subprocess.run(
        [sys.executable, "-c", opened],
        cwd=server.ROOT, env=demo_environment(demo_server), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert loaded.stdout.strip() == "[]", loaded.stderr


def test_an_idle_connection_does_not_delay_the_end(start_server: StartServer) -> None:
    own = start_server()
    with httpx.Client() as client:
        client.get(f"{own.url}/livez")
        before = time.monotonic()
        own.stop()
    assert time.monotonic() - before < 20, "before graceful_timeout, on the slowest machine too"


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])  # noqa: S104  # that is what is refused
def test_the_demo_binds_loopback_only_however_it_is_started(demo_server: server.Server, address: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", f"{address}:{processes.free_port()}"],
        cwd=server.ROOT, env=demo_environment(demo_server), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "loopback" in refused.stderr


def demo_environment(demo_server: server.Server) -> dict[str, str]:
    files = {
        f"AUTHSERVER_{name.upper()}_FILE": str(demo_server.data_dir / name)
        for name in ("secret_key", "vault_keys", "demo_client_secret", "demo_resource_server_secret")
    }
    ours = {
        "AUTHSERVER_DEMO": "1",
        "AUTHSERVER_ISSUER": demo_server.issuer,
        "AUTHSERVER_DATA_DIR": str(demo_server.data_dir),
    }
    return server.environment(ours | files)
