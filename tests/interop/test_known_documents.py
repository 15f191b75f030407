"""The clients that publish a metadata document, each with the shape of its own, from its first request to its last."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import StartServer
from tests.fakes.documents import Documents, served
from tests.fakes.server import Reply, Seen
from tests.harness import environment, oauth
from tests.harness.demo import exchange_form
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server
from tests.harness.topology import Topology
from tests.unit.cimd.test_known_clients import CHATGPT, CLAUDE, CLAUDE_CODE, CODEX, VSCODE

pytestmark = pytest.mark.interop
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Host:
    """Where the documents are published, and a server that trusts its certificate."""

    documents: Documents
    server: Server
    key: ec.EllipticCurvePrivateKey

    def publish(self, shape: dict[str, Any]) -> str:
        """The shape at an address of this host; its `client_id`."""
        client_id = f"{self.documents.url}/{uuid.uuid4().hex}/client.json"
        document = {**shape, "client_id": client_id}
        if "jwks_uri" in shape:
            document["jwks_uri"] = f"{self.documents.url}/jwks.json"
        jwk = {**jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "k1", "alg": "ES256"}

        def answer(seen: Seen) -> Reply:
            return Reply(document={"keys": [jwk]} if seen.path == "/jwks.json" else document)

        self.documents.answer = answer  # type: ignore[method-assign]  # what this host serves from now on
        return client_id

    def proof(self, client_id: str, shape: dict[str, Any]) -> dict[str, str]:
        """How the client authenticates beside its `client_id`."""
        if shape["token_endpoint_auth_method"] != "private_key_jwt":
            return {}
        now = int(time.time())
        claims = {"iss": client_id, "sub": client_id, "aud": self.server.issuer, "iat": now, "exp": now + 60,
                  "jti": uuid.uuid4().hex}  # fmt: skip
        signed = jwt.encode(claims, self.key, "ES256", headers={"kid": "k1"})
        return {"client_assertion": signed, "client_assertion_type": ASSERTION}


@pytest.fixture(scope="module")
def host(
    request: pytest.FixtureRequest, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    key = ec.generate_private_key(ec.SECP256R1())
    if environment.on_postgres():  # behind nginx, whose certificate they trust already
        topology: Topology = request.getfixturevalue("topology")
        with Documents(topology.nginx.certificate, topology.nginx.private_key) as documents:
            yield Host(documents, topology.server, key)
        return
    directory: Path = tmp_path_factory.mktemp("documents")
    with served(directory) as documents:
        yield Host(documents, start_server(AUTHSERVER_CA_FILE=str(documents.authority)), key)


@pytest.mark.parametrize(
    ("shape", "redirect_uri"),
    [
        (VSCODE, "http://127.0.0.1:51004/"),
        (VSCODE, "https://vscode.dev/redirect"),
        (CLAUDE, "https://claude.ai/api/mcp/auth_callback"),
        (CLAUDE_CODE, "http://localhost:49152/callback"),
        (CODEX, "http://127.0.0.1:1455/callback"),
        (CHATGPT, "https://chatgpt.com/connector_platform_oauth_redirect"),
    ],
    ids=["VS Code", "VS Code on the web", "Claude", "Claude Code", "Codex", "ChatGPT"],
)
def test_its_document_is_all_it_needs(host: Host, shape: dict[str, Any], redirect_uri: str) -> None:
    issuer, client_id = host.server.issuer, host.publish(shape)
    assert oauth.discover(issuer)["client_id_metadata_document_supported"] is True
    known, person = OAuthClient(issuer, client_id, redirect_uri), Person("Ada")
    flow = known.begin(resource=f"{issuer}/demo/mcp", state="s" * 600)
    code = known.code(flow, person.authorize(flow.url))
    tokens = oauth.taken(known.redeem(flow, code, **host.proof(client_id, shape)))
    refreshed = known.refresh(tokens["refresh_token"], **host.proof(client_id, shape))

    assert f"“{shape['client_name']}” wants to use" in person.seen[0].text
    assert "An app published by localhost" in person.seen[0].text
    assert oauth.claims(refreshed["access_token"])["client_id"] == client_id
    traded = httpx.post(f"{issuer}/oauth/token", data=exchange_form(host.server, refreshed["access_token"]))
    assert oauth.taken(traded)["access_token"]
    ended = httpx.post(
        f"{issuer}/oauth/revoke",
        data={"client_id": client_id, "token": refreshed["refresh_token"], **host.proof(client_id, shape)},
    )
    assert ended.status_code == 200
    over = known.token({"grant_type": "refresh_token", "refresh_token": refreshed["refresh_token"],
                        **host.proof(client_id, shape)})  # fmt: skip
    assert (over.status_code, over.json()["error"]) == (400, "invalid_grant")
