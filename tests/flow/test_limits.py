"""Two processes of one server limit together, and each for itself while the cache between them is away. Metrics tell which."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import StartServer
from tests.harness import redis
from tests.harness.server import Server

LIMITS = "register=4/hour"
PROXY, STRANGER = "127.0.9.1", "127.0.9.2"


def register(server: Server, *, by: str = PROXY, **headers: str) -> httpx.Response:
    """An empty registration: 400, or 429 where it is not even looked at. `by` is the address that connects."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=by), timeout=30) as http:
        return http.post(f"http://127.0.0.1:{server.port}/oauth/register", json={}, headers=headers)


def statuses(answers: list[httpx.Response]) -> list[int]:
    assert all(0 < int(answer.headers["Retry-After"]) <= 3600 for answer in answers if answer.status_code == 429)
    return [answer.status_code for answer in answers]


def counted(server: Server) -> dict[str, float]:
    """What it says of the limit `register`, and of the cache."""
    text = httpx.get(f"http://127.0.0.1:{server.port}/metrics").text
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("limit", "register") == "register" and "total" in sample.name
    }


def test_two_processes_count_together_and_without_their_cache_each_for_itself(
    start_server: StartServer, tmp_path: Path
) -> None:
    with ExitStack() as running:
        cache = running.enter_context(redis.server(tmp_path))
        first = start_server(AUTHSERVER_CACHE_URL=cache, AUTHSERVER_RATE_LIMITS=LIMITS)
        second = start_server(
            data_dir=first.data_dir,
            issuer=first.issuer,
            AUTHSERVER_CACHE_URL=cache,
            AUTHSERVER_RATE_LIMITS=LIMITS,
        )
        both = [first, second]
        assert statuses([register(server) for server in both * 3]) == [400] * 4 + [429] * 2
        assert [counted(server)["authserver_rate_limited_total"] for server in both] == [1, 1]
        assert "authserver_rate_limits_alone_total" not in counted(first) | counted(second)

        running.close()  # and the cache is gone
        assert statuses([register(server) for server in both * 5]) == [400] * 8 + [429] * 2
        for server in both:
            said = counted(server)
            assert said["authserver_rate_limited_total"] == 2
            assert said["authserver_rate_limits_alone_total"] == 5
            assert 1 <= said["authserver_cache_errors_total"] <= 5
            server.stop()


def test_a_cache_that_hangs_is_waited_for_once_and_not_by_every_request(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cache = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        server = start_server(AUTHSERVER_CACHE_URL=cache, AUTHSERVER_RATE_LIMITS=LIMITS)
        assert statuses([register(server) for _ in range(12)]) == [400] * 4 + [429] * 8
        said = counted(server)
        assert said["authserver_rate_limits_alone_total"] == 12
        assert said["authserver_cache_errors_total"] < 12
        server.stop()


def test_only_a_proxys_word_on_whom_it_speaks_for_is_taken(start_server: StartServer) -> None:
    server = start_server(
        AUTHSERVER_RATE_LIMITS=LIMITS,
        AUTHSERVER_TRUSTED_PROXIES="2",
        AUTHSERVER_PROXY_NETWORKS=f"{PROXY}/32, 10.0.0.0/8",
    )

    def through(by: str, chain: str) -> httpx.Response:
        return register(server, by=by, **{"X-Forwarded-For": chain})

    invented = [through(STRANGER, f"203.0.113.{number}, 10.0.0.1") for number in range(6)]
    assert statuses(invented) == [400] * 4 + [429] * 2, "it is one address, whatever it writes"

    one_caller = [through(PROXY, f"198.51.100.{number}, 203.0.113.7, 10.0.0.1") for number in range(6)]
    assert statuses(one_caller) == [400] * 4 + [429] * 2, "what stands before the proxies' own entries is invented"

    many_callers = [through(PROXY, f"203.0.113.{number}, 10.0.0.1") for number in range(20, 26)]
    assert statuses(many_callers) == [400] * 6, "each has an allowance of its own"
    server.stop()
