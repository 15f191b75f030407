"""Whom a call over TLS trusts: public authorities and the operator's own, for the name that was asked for."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from tests.unit.upstream.outbound import Page, resolving_to
from upstream import http
from upstream.errors import OutboundFailed


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a DNS name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
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
