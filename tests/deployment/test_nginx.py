"""`deploy/nginx/`, as it is deployed, in front of a server that tells what reached it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.fakes.server import FakeServer, Reply, Seen
from tests.harness import nginx, processes
from tests.harness.nginx import Nginx
from tests.harness.slow import BODY, Slow

STRANGER = "127.0.0.9"  # of none of the operators' networks
PER_ADDRESS = 100


class Behind(FakeServer):
    def answer(self, seen: Seen) -> Reply:
        return Reply(document={"path": seen.path})


@pytest.fixture
def behind() -> Iterator[Behind]:
    with Behind() as server:
        yield server


@pytest.fixture
def proxy(behind: Behind, tmp_path: Path) -> Iterator[Nginx]:
    port = urlsplit(behind.url).port or 0
    with nginx.running(tmp_path, port=processes.free_port(), backends=(port, port)) as running:
        yield running


@pytest.fixture
def from_(proxy: Nginx) -> Iterator[Callable[..., httpx.Client]]:
    """A client whose requests come from an address of the loopback network."""
    clients: list[httpx.Client] = []

    def client(address: str = "127.0.0.1") -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=address)
        clients.append(httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", transport=transport, timeout=20))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


From = Callable[..., httpx.Client]


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "behind TLS"])
def test_nginx_takes_the_files(tmp_path: Path, tls: bool) -> None:
    main = nginx.render(tmp_path, port=processes.free_port(), backends=(1, 2), tls=tls)
    checked = subprocess.run(nginx.command(main, "-t"), capture_output=True, text=True, timeout=20, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr.replace('the "user" directive', ""), checked.stderr


def test_what_a_caller_says_about_itself_is_overwritten(behind: Behind, from_: From) -> None:
    invented = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Real-IP": "192.0.2.1",
        "Forwarded": "for=192.0.2.1",
        "X_Forwarded_For": "192.0.2.1",
        "Proxy": "http://evil.example",
    }
    assert from_(STRANGER).get("/livez", headers={**invented, "Host": "localhost:1234"}).status_code == 200

    [seen] = behind.seen
    reached = {name: value for name, value in seen.headers.items() if name.startswith(("x-", "forwarded", "proxy"))}
    assert reached == {"x-forwarded-for": STRANGER, "x-forwarded-proto": "http"}
    assert seen.headers["host"] == "localhost:1234", "with its port: the browser's Origin has it too"


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/readyz"])
def test_strangers_see_neither_the_console_nor_the_state_of_the_seams(behind: Behind, from_: From, path: str) -> None:
    assert from_(STRANGER).get(path).status_code == 404
    assert behind.seen == []
    assert from_().get(path).status_code == 200


def test_nobody_reaches_the_metrics_through_the_proxy(behind: Behind, from_: From) -> None:
    assert [from_(address).get("/metrics").status_code for address in ("127.0.0.1", STRANGER)] == [404, 404]
    assert behind.seen == []


def test_a_huge_body_is_refused_as_an_oauth_error_and_reaches_nobody(behind: Behind, from_: From) -> None:
    answer = from_().post("/oauth/token", content=b"x" * 1_000_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")
    assert behind.seen == []


def test_a_body_without_a_length_has_the_same_end(behind: Behind, from_: From) -> None:
    """In chunks nobody says beforehand how long it is."""
    answer = from_().post("/oauth/token", content=iter([b"x" * 16384] * 5))
    assert answer.status_code == 413
    assert behind.seen == []


def test_what_authserver_takes_is_passed_on(behind: Behind, from_: From) -> None:
    from_().post("/oauth/token", content=b"a=" + b"x" * (64 * 1024 - 2))
    assert [len(seen.body) for seen in behind.seen] == [64 * 1024]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/livez?state=" + "s" * 8000, {}, 200),
        ("/livez?state=" + "s" * 8200, {}, 414),
        ("/", {"Cookie": "c" * 9000}, 400),
    ],
    ids=["2 KiB of state, encoded", "a longer line", "a long header"],
)
def test_a_request_line_has_room_for_2_kib_of_state_and_an_end(
    from_: From, path: str, headers: dict[str, str], status: int
) -> None:
    assert from_().get(path, headers=headers).status_code == status


def test_a_request_is_passed_on_when_all_of_it_is_there(behind: Behind, proxy: Nginx, from_: From) -> None:
    """So whoever is slow holds a connection of nginx, and no thread of ours."""
    head = b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", proxy.port)) as slow:
        slow.sendall(head + b"ab")
        assert from_().get("/quick").status_code == 200
        assert [seen.path for seen in behind.seen] == ["/quick"]
        slow.sendall(b"cd")
        assert slow.makefile("rb").readline().split()[1] == b"200"
    assert [(seen.path, seen.body) for seen in behind.seen] == [("/quick", ""), ("/slow", "abcd")]


def test_one_address_does_not_get_all_connections(proxy: Nginx, from_: From) -> None:
    with Slow(proxy.port, [STRANGER], count=PER_ADDRESS, kinds=[BODY]):
        deadline = time.monotonic() + 20  # until nginx has seen all of them
        while (refused := from_(STRANGER).get("/livez")).status_code == 200 and time.monotonic() < deadline:
            pass
        assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
        assert refused.headers["Retry-After"] == "1"
        assert from_().get("/livez").status_code == 200


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Nginx]:
    """Nobody listens behind it."""
    backends = processes.free_port(), processes.free_port()
    with nginx.running(tmp_path, port=processes.free_port(), backends=backends) as running:
        yield running


def test_while_nobody_answers_callers_hear_when_to_come_again(alone: Nginx) -> None:
    answer = httpx.get(f"http://127.0.0.1:{alone.port}/.well-known/jwks.json")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["error"] == "temporarily_unavailable"


def test_no_log_holds_a_query_a_ticket_or_a_referrer_also_when_something_fails(alone: Nginx) -> None:
    where = f"http://127.0.0.1:{alone.port}"
    secrets: dict[str, Any] = {"headers": {"Referer": f"{where}/?code=a-canary", "Authorization": "Bearer a-canary"}}
    httpx.get(f"{where}/oauth/callback/github?code=a-canary&state=a-canary", **secrets)
    httpx.get(f"{where}/oauth/connect/a-canary/back", **secrets)
    httpx.post(f"{where}/oauth/token?a-canary", content=b"x" * 70000, **secrets)
    httpx.get(f"{where}/?code=a-canary" + "x" * 9000, **secrets)

    lines = [line for line in alone.log.splitlines() if line.startswith("{")]
    assert [line.split('"path":"')[1].split('"')[0] for line in lines[:3]] == [
        "/oauth/callback", "/oauth/connect", "/oauth/token"
    ]  # fmt: skip
    assert "a-canary" not in alone.log
