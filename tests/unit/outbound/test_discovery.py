"""What a process keeps of discovery documents and keys: asked for once at a time, left alone after a failure, bounded."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.server import Reply
from tests.unit.outbound.network import Network
from tests.unit.outbound.servers import Idp
from upstream import discovery
from upstream.errors import OutboundFailed, UpstreamError
from upstream.models import Provider

WELL_KNOWN = "/.well-known/openid-configuration"
DOWN = Reply(503, {"error": "down"})


def provider(name: str = "idp", issuer: str = "https://idp.example") -> Provider:
    return Provider(name=name, type=Provider.Type.OIDC, client_id="us", issuer=issuer)


def failure(row: Provider) -> UpstreamError:
    with pytest.raises(UpstreamError) as failed:
        discovery.endpoints(row)
    return failed.value


def test_a_failure_answers_everybody_for_a_few_seconds(idp: Idp, monkeypatch: pytest.MonkeyPatch) -> None:
    idp.instead[WELL_KNOWN] = DOWN
    for name in ("one", "two", "three"):
        failed = failure(provider(name))
        assert (failed.reason, failed.provider) == ("http_503", name)
    assert len(idp.requests_to(WELL_KNOWN)) == 1
    monkeypatch.setattr(discovery, "BACK_OFF_SECONDS", 0)
    del idp.instead[WELL_KNOWN]
    assert discovery.endpoints(provider()).token == f"{idp.url}/token"


def test_one_urls_failure_is_not_anothers(idp: Idp) -> None:
    failure(provider(issuer="https://idp.example/tenant"))  # it says it is somebody else
    assert discovery.endpoints(provider()).token == f"{idp.url}/token"


def test_what_is_refused_is_left_alone_too(network: Network) -> None:
    network.names["private.example"] = [["10.0.0.1"]]
    for _ in range(3):
        assert failure(provider(issuer="https://private.example")).reason == "address_not_allowed"
    assert network.asked == ["private.example"]


def test_while_a_provider_is_down_what_is_not_yet_stale_is_served_without_asking_it_each_time(
    idp: Idp, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = discovery.endpoints(provider())
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0)
    idp.instead[WELL_KNOWN] = DOWN
    for _ in range(3):
        assert discovery.endpoints(provider()) == known
    assert len(idp.requests_to(WELL_KNOWN)) == 2


def test_many_who_need_the_same_document_cause_one_request(idp: Idp) -> None:
    gate = threading.Event()
    idp.instead[WELL_KNOWN] = Reply(200, idp.discovery(), delay=gate)
    with ThreadPoolExecutor(6) as threads:
        waiting = [threads.submit(discovery.endpoints, provider()) for _ in range(6)]
        gate.set()
        found = {future.result(timeout=30).token for future in waiting}
    assert found == {f"{idp.url}/token"}
    assert len(idp.requests_to(WELL_KNOWN)) == 1


def test_many_who_wait_for_a_provider_that_fails_fail_with_the_first(idp: Idp) -> None:
    gate = threading.Event()
    idp.instead[WELL_KNOWN] = Reply(503, {}, delay=gate)
    with ThreadPoolExecutor(6) as threads:
        waiting = [threads.submit(failure, provider()) for _ in range(6)]
        gate.set()
        assert {future.result(timeout=30).reason for future in waiting} == {"http_503"}
    assert len(idp.requests_to(WELL_KNOWN)) == 1


def test_nobody_waits_behind_a_thread_that_renews_what_is_not_yet_stale(
    idp: Idp, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = discovery.endpoints(provider())
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0)
    gate = threading.Event()
    idp.instead[WELL_KNOWN] = Reply(200, idp.discovery(), delay=gate)
    with ThreadPoolExecutor(1) as thread:
        renewing = thread.submit(discovery.endpoints, provider())
        until = time.monotonic() + 10
        while len(idp.requests_to(WELL_KNOWN)) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert discovery.endpoints(provider()) == known
        assert not renewing.done()
        gate.set()
        assert renewing.result(timeout=30) == known


def test_a_thread_that_hangs_is_not_waited_for_without_end(idp: Idp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "WAIT_SECONDS", 0.05)
    gate = threading.Event()
    idp.instead[WELL_KNOWN] = Reply(200, idp.discovery(), delay=gate)
    with ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(discovery.endpoints, provider())
        until = time.monotonic() + 10
        while not idp.requests_to(WELL_KNOWN) and time.monotonic() < until:
            time.sleep(0.01)
        assert failure(provider()).reason == "timeout"
        gate.set()
        hanging.result(timeout=30)


def test_a_provider_that_hangs_holds_a_thread_for_seconds_only(idp: Idp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "TIMEOUT_SECONDS", 0.2)
    gate = threading.Event()
    idp.instead[WELL_KNOWN] = Reply(200, {}, delay=gate)
    began = time.monotonic()
    assert failure(provider()).reason == "timeout"
    assert time.monotonic() - began < 4
    gate.set()


def test_a_provider_that_names_other_keys_each_time_does_not_fill_the_memory(
    idp: Idp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_KEPT", 8)
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0)
    for count in range(20):
        idp.document = {"jwks_uri": f"{idp.url}/jwks?{count}"}
        discovery.signing_keys(provider(), "ES256", "key-1")
    assert len(discovery._kept) == 8


@pytest.mark.parametrize("path", [WELL_KNOWN, "/jwks"])
def test_a_document_larger_than_any_real_one_is_refused(idp: Idp, path: str) -> None:
    idp.instead[path] = Reply(200, body=b" " * (discovery.MAX_BYTES + 1))
    with pytest.raises(OutboundFailed, match="too_large"):
        discovery.signing_keys(provider(), "ES256", "key-1")


def test_keys_at_the_address_of_the_document_are_no_keys(idp: Idp) -> None:
    """Both are kept by their address, and one is never taken for the other."""
    idp.document = {"jwks_uri": idp.url}
    discovery.endpoints(provider())
    with pytest.raises(OutboundFailed):
        discovery.signing_keys(provider(), "ES256", "key-1")
