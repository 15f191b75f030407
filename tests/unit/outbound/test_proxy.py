"""The operator's forward proxy: when it is used, what it gets to see, what the guard still decides, and how it fails."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import pytest
import structlog
from pytest_django import Settings

from tests.harness.server import ROOT
from tests.unit.outbound.features import on_the_public_internet
from tests.unit.outbound.network import Network
from tests.unit.outbound.servers import Canary, Idp, Page, Proxy
from tests.unit.upstream.held import Clock, Held
from upstream import http
from upstream.errors import OutboundFailed, OutboundRefused, TemporarilyUnavailable
from upstream.models import Provider

DISCOVERY = "https://idp.example/.well-known/openid-configuration"
VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def tunnel(idp: Idp, proxy: Proxy, network: Network) -> Proxy:
    """A proxy that leads to the provider."""
    port = network.routes["8.8.8.8", 443]
    network.open(port)
    proxy.tunnels = {"idp.example:443": port, "other.example:443": port, "unknown.example:443": port}
    return proxy


def test_the_environment_names_no_proxy(
    monkeypatch: pytest.MonkeyPatch, idp: Idp, page: Page, network: Network, canary: Canary
) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    network.open(canary.port)
    network.open(int(page.url.rpartition(":")[2]))
    assert http.request("GET", DISCOVERY).status == 200
    assert http.request("GET", page.url, allow_private_network=True).status == 200
    assert not canary.reached


def test_a_call_to_a_public_name_goes_through_the_tunnel_and_the_proxy_sees_no_more_than_the_name(
    idp: Idp, tunnel: Proxy, network: Network
) -> None:
    answer = http.request("POST", f"{idp.url}/token", data={"code": "CANARY"}, auth=("us", "CANARY"))
    assert answer.status == 401
    [head] = tunnel.heads
    assert head.startswith("CONNECT idp.example:443 HTTP/1.1\r\nHost: idp.example:443\r\n")
    assert "CANARY" not in head
    [seen] = idp.seen
    assert seen.form == {"code": "CANARY"}
    assert "proxy-authorization" not in seen.headers
    assert ("8.8.8.8", 443) not in network.connected


def test_a_tunnel_is_kept_for_the_next_call(idp: Idp, tunnel: Proxy) -> None:
    for _ in range(3):
        http.request("GET", DISCOVERY)
    assert len(tunnel.heads) == 1


def test_the_certificate_is_the_targets_own(tunnel: Proxy, network: Network) -> None:
    """A proxy that leads elsewhere than it was told to gets nothing."""
    network.names["other.example"] = [["8.8.4.4"]]
    with pytest.raises(OutboundFailed, match="tls"):
        http.request("GET", "https://other.example/", headers={"Authorization": "Bearer CANARY"})


def test_a_provider_on_a_private_network_is_called_directly(tunnel: Proxy, page: Page, network: Network) -> None:
    network.open(int(page.url.rpartition(":")[2]))
    assert http.request("GET", page.url, allow_private_network=True).status == 200
    assert http.request("GET", DISCOVERY, allow_private_network=True).status == 200
    assert tunnel.heads == []


def test_a_name_that_does_not_resolve_here_is_the_proxys_to_resolve(tunnel: Proxy, network: Network) -> None:
    del network.names["idp.example"]
    assert http.request("GET", DISCOVERY).status == 200
    assert tunnel.targets == ["idp.example:443"]


def test_a_resolver_that_never_answers_is_not_waited_for_behind_a_proxy(
    tunnel: Proxy, monkeypatch: pytest.MonkeyPatch, network: Network
) -> None:
    monkeypatch.setattr("upstream.connections.LOOKUP_SECONDS", 0.1)
    network.silent.add("idp.example")
    assert http.request("GET", DISCOVERY).status == 200
    network.silence.set()


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"], ["::1"]])
def test_what_a_name_resolves_to_here_is_checked_all_the_same(
    tunnel: Proxy, network: Network, addresses: list[str]
) -> None:
    network.names["idp.example"] = [addresses]
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        http.request("GET", DISCOVERY)
    assert network.connected == []


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "[::1]", "localhost", "foo.localhost", "2130706433"])
def test_no_literal_and_no_name_of_this_machine_gets_to_the_proxy(tunnel: Proxy, network: Network, host: str) -> None:
    with pytest.raises(OutboundRefused):
        http.request("GET", f"https://{host}/")
    assert network.connected == []


@pytest.mark.parametrize(
    ("exempt", "direct"),
    [
        ("idp.example", True),
        ("IDP.example", True),
        (".example", True),
        ("*.example", True),
        ("other.test, example", True),
        ("*", True),
        ("", False),
        (",", False),
        ("p.example", False),
        ("idp.example.com", False),
        ("*other", False),
    ],
)
def test_whoever_no_proxy_names_is_called_directly(
    tunnel: Proxy, settings: Settings, exempt: str, direct: bool
) -> None:
    settings.UPSTREAM_NO_PROXY = exempt
    assert http.request("GET", DISCOVERY).status == 200
    assert (tunnel.heads == []) == direct


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>",
        b"HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
def test_a_proxy_that_makes_no_tunnel_is_a_failure_of_its_own(idp: Idp, tunnel: Proxy, reply: bytes) -> None:
    tunnel.reply = reply
    with pytest.raises(OutboundFailed) as failure:
        http.request("GET", DISCOVERY, timeout_seconds=2)
    assert failure.value.kind in {"proxy", "timeout"}
    assert idp.seen == []


def test_a_proxy_that_is_not_there_is_the_same_failure(idp: Idp, tunnel: Proxy, network: Network) -> None:
    del network.routes["127.0.0.1", tunnel.port]
    with pytest.raises(OutboundFailed, match="proxy"):
        http.request("GET", DISCOVERY)
    assert ("8.8.8.8", 443) not in network.connected, "and it is not gone round"


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["silent", "half an answer"])
def test_the_deadline_covers_the_proxy(tunnel: Proxy, reply: bytes) -> None:
    tunnel.reply = reply
    began = time.monotonic()
    with pytest.raises(OutboundFailed) as failure:
        http.request("GET", DISCOVERY, timeout_seconds=0.5)
    assert failure.value.kind == "timeout"
    assert time.monotonic() - began < 5


def test_a_password_that_the_proxy_refuses_is_neither_said_nor_logged(
    tunnel: Proxy, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.UPSTREAM_PROXY = f"http://us:CANARY-wrong@127.0.0.1:{tunnel.port}"
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs, pytest.raises(OutboundFailed) as failure:
        http.request("GET", DISCOVERY)
    assert failure.value.kind == "proxy"
    assert {"event": "outbound.proxy_failed", "reason": "http_407", "log_level": "warning"} in logs
    said = f"{failure.value!r} {failure.value.__cause__!r} {failure.value.__context__!r} {logs} {caplog.text}"
    assert "CANARY" not in said


@pytest.mark.django_db
def test_a_refresh_behind_a_proxy_that_refuses_may_be_tried_again(idp: Idp, tunnel: Proxy) -> None:
    held, clock = Held(idp, Provider.Type.OIDC), Clock()
    on_the_public_internet(held.provider)
    clock.to(hours=1)
    tunnel.reply = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"
    with pytest.raises(TemporarilyUnavailable, match="proxy"):
        held.fresh(clock)
    assert held.stored(clock) == held.tokens


def started(**variables: str) -> subprocess.CompletedProcess[str]:
    """The settings as a new process reads them: it prints which proxy there is, or why it cannot start."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {*VARIABLES, "no_proxy", "NO_PROXY"}
    }
    return subprocess.run(
        [sys.executable, "-c", "import authserver.settings as s; print(s.UPSTREAM_PROXY, s.UPSTREAM_NO_PROXY)"],
        cwd=ROOT, env=environment | variables, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"HTTPS_PROXY": "http://a.example:3128", "NO_PROXY": "b.example"}, ""),
        ({"AUTHSERVER_OUTBOUND_PROXY": "http://us:p%40ss@proxy.example:3128"}, "http://us:p%40ss@proxy.example:3128"),
        ({"AUTHSERVER_OUTBOUND_PROXY": "http://[fd00::1]:3128/"}, "http://[fd00::1]:3128/"),
        (
            {"AUTHSERVER_OUTBOUND_PROXY": "http://10.0.0.1:1", "HTTPS_PROXY": "http://a.example:3128"},
            "http://10.0.0.1:1",
        ),
        (
            {
                "AUTHSERVER_OUTBOUND_PROXY": "environment",
                "HTTPS_PROXY": "http://a.example:3128",
                "NO_PROXY": "b.example",
            },
            "http://a.example:3128 b.example",
        ),
        (
            {
                "AUTHSERVER_OUTBOUND_PROXY": "environment",
                "https_proxy": "c.example:8080",
                "HTTPS_PROXY": "http://a.example:1",
            },
            "http://c.example:8080",
        ),
        ({"AUTHSERVER_OUTBOUND_PROXY": "environment", "HTTP_PROXY": "http://a.example:3128"}, ""),
        ({"AUTHSERVER_OUTBOUND_PROXY": "environment"}, ""),
    ],
)
def test_the_operator_says_which_proxy(variables: dict[str, str], proxy: str) -> None:
    process = started(**variables)
    assert process.stdout.strip() == proxy, process.stderr


WRONG = [
    "http://us:CANARY@proxy.example",
    "https://us:CANARY@proxy.example:3128",
    "socks5://us:CANARY@proxy.example:1080",
    "http://us:CANARY@proxy.example:0",
    "http://us:CANARY@proxy.example:65536",
    "http://us:CANARY@proxy.example:3128/path",
    "http://us:CANARY/@proxy.example:3128",
    "http://us:CANARY pass@proxy.example:3128",
]


@pytest.mark.parametrize(
    "variables",
    [
        {"AUTHSERVER_OUTBOUND_PROXY": "us:CANARY@proxy.example:3128"},
        *({"AUTHSERVER_OUTBOUND_PROXY": url} for url in WRONG),
        *({"AUTHSERVER_OUTBOUND_PROXY": "environment", "HTTPS_PROXY": url} for url in WRONG),
    ],
    ids=str,
)
def test_a_proxy_that_makes_no_sense_stops_the_start_and_its_password_is_not_repeated(
    variables: dict[str, str],
) -> None:
    process = started(**variables)
    assert process.returncode != 0
    assert "AUTHSERVER_OUTBOUND_PROXY: `http://[user:password@]host:port`" in process.stderr
    assert "CANARY" not in process.stdout + process.stderr
