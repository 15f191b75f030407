"""An issuer that answers the example's questions as it is told to: its keys, and what an exchange gives.

It is a real server, so that the example is tested as it is deployed; the flow with our own server is in the other files.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

KEY_ID = "pretend-1"
UPSTREAM_TOKEN = "the-persons-own-token"


@dataclass
class PretendIssuer:
    """`exchange` is the status, body and headers of the next answers at the token endpoint; `asked` is what came in."""

    port: int = 0
    exchange: tuple[int, bytes, dict[str, str]] = (500, b"", {})
    asked: list[dict[str, str]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def answers(self, status: int, body: object, **headers: str) -> None:
        """What the token endpoint says from now on."""
        self.exchange = (status, json.dumps(body).encode(), headers)

    def token(
        self, audience: str, *, typ: str = "at+jwt", key: ec.EllipticCurvePrivateKey | None = None, **claims: Any
    ) -> str:
        """An access token for `audience` of somebody called "user-1"; a claim given as None is left out."""
        now = int(time.time())
        payload = {
            "iss": self.url,
            "sub": "user-1",
            "aud": audience,
            "client_id": "client-1",
            "scope": "mcp:tools",
            "iat": now,
            "exp": now + 600,
        } | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, key or self.key, algorithm="ES256", headers={"kid": KEY_ID, "typ": typ})

    @property
    def jwks(self) -> dict[str, Any]:
        public = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": KEY_ID, "alg": "ES256", "use": "sig"}]}


@contextmanager
def running() -> Iterator[PretendIssuer]:
    issuer = PretendIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/.well-known/jwks.json":
                self.answer(200, json.dumps(issuer.jwks).encode(), {})
            elif self.path == "/api/me" and self.headers["Authorization"] == f"Bearer {UPSTREAM_TOKEN}":
                self.answer(200, b'{"sub": "upstream-7", "name": "Ada Lovelace"}', {})
            else:
                self.answer(401, b"{}", {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            scheme, _, credentials = self.headers["Authorization"].partition(" ")
            caller = base64.b64decode(credentials).decode()
            form = {name: value for name, [value] in parse_qs(body).items()}
            issuer.asked.append({"path": self.path, "scheme": scheme, "caller": caller, **form})
            self.answer(*issuer.exchange)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name for it
            """Quiet: what was asked is in `asked`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield issuer
        server.shutdown()
