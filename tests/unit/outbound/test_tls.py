"""Whom a call over TLS trusts: public authorities and the operator's own, for the name that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.fakes.certificates import self_signed, server_side
from tests.unit.outbound.network import Network
from tests.unit.outbound.servers import Page
from upstream import http
from upstream.errors import OutboundFailed


@pytest.fixture
def tls_page(tmp_path: Path) -> Iterator[tuple[Page, Path, list[str | None]]]:
    """A page over TLS as `trusted.example`, the authority to trust for it, and the names (SNI) it was asked for."""
    chain, private = tmp_path / "chain.pem", tmp_path / "key.pem"
    self_signed("trusted.example", chain, private)
    context = server_side(chain, private)
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, context: names.append(name)
    page = Page()
    page.wrap(context)
    with page:
        yield page, chain, names


def test_an_operators_own_authority_is_trusted_and_the_name_is_verified(
    tls_page: tuple[Page, Path, list[str | None]], settings: Settings, network: Network
) -> None:
    page, authority, names = tls_page
    settings.UPSTREAM_CA_FILE = str(authority)
    port = int(page.url.rpartition(":")[2])
    network.open(port)
    network.names |= {"trusted.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    answer = http.request("GET", f"https://trusted.example:{port}/", allow_private_network=True)
    assert answer.json() == {"a": 1}
    assert names == ["trusted.example"]  # SNI and the certificate are the name's, though the address was called
    assert page.seen[0].headers["host"] == f"trusted.example:{port}"
    with pytest.raises(OutboundFailed, match="tls"):
        http.request("GET", f"https://other.example:{port}/", allow_private_network=True)


def test_an_unknown_authority_is_not_trusted(tls_page: tuple[Page, Path, list[str | None]], network: Network) -> None:
    page, _, _ = tls_page
    port = int(page.url.rpartition(":")[2])
    network.open(port)
    network.names["trusted.example"] = [["127.0.0.1"]]
    with pytest.raises(OutboundFailed) as failure:
        http.request("GET", f"https://trusted.example:{port}/", allow_private_network=True)
    assert failure.value.kind == "tls"
    assert page.seen == []
