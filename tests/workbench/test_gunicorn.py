"""What gunicorn lets through to us, and what it refuses. gunicorn.conf.py, line by line."""

from __future__ import annotations

import http.client
import subprocess
import sys

import httpx
import pytest

from tests.harness import processes, server


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "Script-Name", "PATH_INFO", "X-Forwarded-Prefix"])
def test_no_header_of_a_caller_moves_our_urls(demo_server: server.Server, header: str) -> None:
    answer = httpx.get(f"{demo_server.url}/livez", headers={header: "/elsewhere"})
    assert answer.status_code == httpx.codes.OK


def test_a_caller_cannot_disagree_with_itself_about_https(demo_server: server.Server) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"}
    assert httpx.get(f"{demo_server.url}/livez", headers=headers).status_code == httpx.codes.OK


@pytest.mark.parametrize(("length", "status"), [(8000, http.client.OK), (8200, 414), (100_000, 414)])
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


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])  # noqa: S104  # that is what is refused
def test_the_demo_binds_loopback_only_however_it_is_started(demo_server: server.Server, address: str) -> None:
    files = {
        f"AUTHSERVER_{name.upper()}_FILE": str(demo_server.data_dir / name)
        for name in ("secret_key", "vault_keys", "demo_client_secret", "demo_resource_server_secret")
    }
    demo = {"AUTHSERVER_DEMO": "1", "AUTHSERVER_ISSUER": demo_server.issuer, **files}
    refused = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", f"{address}:{processes.free_port()}"],
        cwd=server.ROOT, env=server.environment(demo), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "loopback" in refused.stderr
