"""A threaded HTTP server on a free loopback port, as a context manager. It records what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit


@dataclass
class Seen:
    """One request. `query` and `form` are decoded, `headers` has lower-case names, `peer` is the connection's port, `body`
    is what `form` was read from."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    peer: int
    body: str = ""


@dataclass
class Reply:
    """An answer: `document` as JSON, or `body` as it is. `delay` is an event to wait for before answering."""

    status: int = 200
    document: Any = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: threading.Event | None = None


def redirect(url: str, params: Mapping[str, str]) -> Reply:
    separator = "&" if "?" in url else "?"
    return Reply(302, body=b"", headers={"Location": f"{url}{separator}{urlencode(params)}"})


class FakeServer:
    """`answer` is the whole behaviour. Requests are handled in parallel; `lock` guards what subclasses keep."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.seen: list[Seen] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                parts = urlsplit(self.path)
                seen = Seen(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    form=dict(parse_qsl(body, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    peer=self.client_address[1],
                    body=body,
                )
                with fake.lock:
                    fake.seen.append(seen)
                reply = fake.answer(seen)
                if reply.delay is not None:
                    reply.delay.wait(30)
                content = reply.body if reply.body is not None else json.dumps(reply.document).encode()
                try:
                    if "Date" in reply.headers:  # a clock of its own
                        self.send_response_only(reply.status)
                    else:
                        self.send_response(reply.status)
                    self.send_header("Content-Length", str(len(content)))
                    if reply.body is None:
                        self.send_header("Content-Type", "application/json")
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the caller did not wait

            do_POST = do_DELETE = do_GET

            def log_message(self, *args: Any) -> None:
                """Quiet: `seen` is the record."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def wrap(self, context: ssl.SSLContext) -> None:
        """Speak TLS. Before the server is entered."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def answer(self, seen: Seen) -> Reply:
        raise NotImplementedError

    def requests_to(self, path: str) -> list[Seen]:
        with self.lock:
            return [seen for seen in self.seen if seen.path == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
