"""Commands and programs of the documents against a running server: each is typed as it stands, but for where and for whom.

The documents say auth.example.com, `example-mcp` and `github`; the demo has another address, caller and upstream.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm

from tests.documentation.documents import README, ROOT, fenced
from tests.harness import oauth
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server, environment

pytestmark = pytest.mark.interop

DOCS = ROOT / "docs"
CALLER = "demo-mcp-server"
DEMO = {
    '--user "example-mcp:': f'--user "{CALLER}:',
    "audience=github": "audience=demo",
    "upstream-tokens/github": "upstream-tokens/demo",
}
CURL = 'curl() { command curl --silent --show-error --fail-with-body "$@"; }'


def block(document: Path, begins: str, language: str = "sh") -> str:
    [found] = [one for one in fenced(document.read_text(), language) if one.startswith(begins)]
    return found


def here(text: str, server: Server) -> str:
    """The same for the demo."""
    for theirs, ours in {"https://auth.example.com": server.issuer, **DEMO}.items():
        text = text.replace(theirs, ours)
    return text


def signed_in(server: Server) -> tuple[OAuthClient, dict[str, Any]]:
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    return client, client.finish(flow, Person().authorize(flow.url))


def typed(command: str, server: Server, **variables: str) -> str:
    """What it prints. A command that fails, or is answered with an error, fails the test."""
    if shutil.which("curl") is None:
        pytest.skip("without curl")
    script = f"set -eu\n{CURL}\n{here(command, server)}"
    done = subprocess.run(
        ["/bin/bash", "-c", script], env=environment(variables), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("document", [README, DOCS / "connect-your-mcp-server.md"], ids=lambda path: str(path.name))
def test_the_exchange(demo_server: Server, document: Path) -> None:
    _client, tokens = signed_in(demo_server)
    secret = demo_server.secret("demo_resource_server_secret")
    command = block(document, "curl https://auth.example.com/oauth/token")
    answer = json.loads(typed(command, demo_server, EXAMPLE_MCP_SECRET=secret, ACCESS_TOKEN=tokens["access_token"]))
    assert answer["access_token"]
    assert answer["access_token"] != tokens["access_token"]


def test_reading_by_tsid(demo_server: Server) -> None:
    _client, tokens = signed_in(demo_server)
    secret, tsid = demo_server.secret("demo_resource_server_secret"), oauth.claims(tokens["access_token"])["tsid"]
    for command in fenced((DOCS / "by-tsid-api.md").read_text(), "sh"):
        answer = json.loads(typed(command, demo_server, EXAMPLE_MCP_SECRET=secret, TSID=tsid))
        assert answer.get("access_token") or answer["upstream_tokens"][0]["access_token"]


def test_introspecting_and_then_revoking(demo_server: Server) -> None:
    client, tokens = signed_in(demo_server)
    caller = {"RS_ID": CALLER, "RS_SECRET": demo_server.secret("demo_resource_server_secret")}
    introspect = block(DOCS / "revocation.md", "curl https://auth.example.com/oauth/introspect")
    revoke = block(DOCS / "revocation.md", "curl https://auth.example.com/oauth/revoke")
    assert json.loads(typed(introspect, demo_server, TOKEN=tokens["access_token"], **caller))["active"] is True
    assert typed(revoke, demo_server, CLIENT_ID=client.client_id, REFRESH_TOKEN=tokens["refresh_token"]) == ""
    assert json.loads(typed(introspect, demo_server, TOKEN=tokens["access_token"], **caller)) == {"active": False}


def test_an_initial_access_token_is_made_and_sent(demo_server: Server) -> None:
    make = block(DOCS / "registration.md", "manage.py create_initial_access_token")
    assert make.startswith('manage.py create_initial_access_token "Agents of the data team" ')
    made = demo_server.manage("create_initial_access_token", "Agents of the data team", *make.split('" ')[1].split())
    assert made.returncode == 0, made.stderr
    register = block(DOCS / "registration.md", "curl https://auth.example.com/oauth/register")
    answer = json.loads(typed(register, demo_server, INITIAL_ACCESS_TOKEN=made.stdout.strip()))
    assert answer["client_name"] == "Data agent"


def test_a_client_proves_itself_by_the_lines_for_it(demo_server: Server) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(ECAlgorithm.to_jwk(key.public_key())) | {"kid": "k1", "alg": "ES256"}
    client = OAuthClient.registered(
        demo_server.issuer, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jwk]}
    )
    flow = client.begin(resource=f"{demo_server.issuer}/demo/mcp")
    code = client.code(flow, Person().authorize(flow.url))
    program: dict[str, Any] = {}
    exec(here(block(DOCS / "registration.md", "import time, uuid", "python"), demo_server), program)  # noqa: S102 - ours
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": flow.redirect_uri,
        "code_verifier": flow.verifier,
    }
    assert oauth.taken(program["tokens"](form, client.client_id, key))["access_token"]


def test_the_lines_of_the_exchange_for_gateways(demo_server: Server) -> None:
    _client, tokens = signed_in(demo_server)
    program: dict[str, Any] = {"SECRET": demo_server.secret("demo_resource_server_secret")}
    text = block(DOCS / "token-exchange.md", "import httpx", "python").replace('"example-mcp"', f'"{CALLER}"')
    exec(here(text, demo_server), program)  # noqa: S102 - ours
    assert program["upstream_token"](tokens["access_token"], "demo") != tokens["access_token"]


def test_the_key_that_openssl_makes_signs(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("without openssl")
    command = block(DOCS / "signing-keys.md", "openssl genpkey")
    subprocess.run(["/bin/bash", "-ec", command], cwd=tmp_path, capture_output=True, check=True)
    key = load_pem_private_key((tmp_path / "signing.pem").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
