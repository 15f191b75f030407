"""Whom a call over TLS trusts: public authorities and the operator's own, for the name that was asked for."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.fakes.certificates import self_signed
from tests.unit.upstream.outbound import Page, resolving_to
from upstream import http
from upstream.errors import OutboundFailed


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a DNS name, and its key."""
    chain, private = directory / "chain.pem", directory / "key.pem"
    self_signed(name, chain, private)
    return chain, private


@pytest.fixture
def tls_page(tmp_path: Path) -> Iterator[tuple[Page, Path, list[str | None]]]:
    """A page over TLS as `trusted.example`, the authority to trust for it, and the names (SNI) it was asked for."""
    chain, private = certificate(tmp_path, "trusted.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, context: names.append(name)
    page = Page()
    page.wrap(context)
    with page:
        yield page, chain, names


@pytest.fixture
def fresh_pools() -> Iterator[None]:
    """TLS trust is read once a process."""
    for cached in (http._pools, http._tls_context):
        cached.cache_clear()
    yield
    for cached in (http._pools, http._tls_context):
        cached.cache_clear()


@pytest.mark.usefixtures("fresh_pools")
def test_an_operators_own_authority_is_trusted_and_the_name_is_verified(
    tls_page: tuple[Page, Path, list[str | None]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, authority, names = tls_page
    settings.UPSTREAM_CA_FILE = str(authority)
    resolving_to(monkeypatch, ["127.0.0.1"])
    port = page.url.rpartition(":")[2]
    answer = http.request("GET", f"https://trusted.example:{port}/", allow_private_network=True)
    assert answer.json() == {"a": 1}
    assert names == ["trusted.example"]  # SNI and the certificate are the name's, though the address was called
    assert page.seen[0].headers["host"] == f"trusted.example:{port}"
    with pytest.raises(OutboundFailed, match="tls"):
        http.request("GET", f"https://other.example:{port}/", allow_private_network=True)


@pytest.mark.usefixtures("fresh_pools")
def test_an_unknown_authority_is_not_trusted(
    tls_page: tuple[Page, Path, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, _, _ = tls_page
    resolving_to(monkeypatch, ["127.0.0.1"])
    with pytest.raises(OutboundFailed) as failure:
        http.request("GET", f"https://trusted.example:{page.url.rpartition(':')[2]}/", allow_private_network=True)
    assert failure.value.kind == "tls"
    assert page.seen == []
