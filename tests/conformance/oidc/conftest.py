"""Documents that say what is true now: each test has a database, and so a signing key, of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from authserver import keys
from authserver.conf import load
from authserver.metadata import views
from authserver.models import ResourceUpstream
from tests.conformance.oidc.scene import Scene
from tests.fakes.oidc import FakeOidc
from tests.unit.authorize.conftest import door  # noqa: F401  # a fixture
from tests.unit.authorize.sitting import new_sitting
from tests.unit.upstream.journeys import provider_at
from upstream import discovery
from upstream.models import Provider

PemKeys = Callable[..., None]
PRIVATE_KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def published_anew() -> None:
    """What a document said is kept for two seconds, across tests."""
    for view in (views.jwks, views.openid_configuration, views.authorization_server):
        view.__wrapped__._built = None  # type: ignore[attr-defined]  # `cross_origin` wraps the object that keeps it


@pytest.fixture(autouse=True)
def _published_anew() -> None:
    published_anew()


@pytest.fixture
def pem_keys(settings: Any, tmp_path: Path) -> Iterator[PemKeys]:
    """A function that lets the server start again with keys of these algorithms in a file, the signing one first."""
    file = tmp_path / "signing.pem"

    def start(*algorithms: str) -> None:
        chosen = [PRIVATE_KEYS[algorithm] for algorithm in algorithms]
        file.write_bytes(
            b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in chosen)
        )
        path = "authserver.keys.pem.PemSigner"
        settings.AUTHSERVER = {**settings.AUTHSERVER, "signing_backend": path, "signing_key_file": str(file)}
        load.cache_clear()
        keys.signer.cache_clear()
        published_anew()

    yield start
    load.cache_clear()
    keys.signer.cache_clear()


@pytest.fixture
def scene(db: None) -> Iterator[Scene]:
    discovery.forget()
    with FakeOidc() as idp:
        sitting = new_sitting()
        provider = provider_at(idp, Provider.Type.OIDC, "idp", scopes=["openid"], sign_in=True)
        ResourceUpstream.objects.create(resource=sitting.resource, provider=provider, scopes=[], required=True)
        yield Scene(idp, sitting)
    discovery.forget()
