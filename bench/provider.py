"""An upstream provider that refreshes whatever it is shown: `python -m bench.provider PORT`.

Its tokens live for a second, so that a session is due again at the next repeat. What it costs is not counted.
"""

from __future__ import annotations

import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        tokens = {
            "access_token": secrets.token_urlsafe(32), "refresh_token": secrets.token_urlsafe(32),
            "token_type": "Bearer", "expires_in": 1, "scope": "repo",
        }  # fmt: skip
        body = json.dumps(tokens).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
