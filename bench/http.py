"""Requests as bytes, and just enough of an answer: for a load generator that has to be cheap."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)

    def encode(self, port: int) -> bytes:
        head = {"Host": f"localhost:{port}", "User-Agent": "bench", "Accept": "*/*", **self.headers}
        if self.method == "POST":
            head["Content-Length"] = str(len(self.body.encode()))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


@dataclass(frozen=True)
class Answer:
    status: int
    location: str
    body: str = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)


def get(path: str, query: Mapping[str, str] | None = None, **headers: str) -> Request:
    return Request("GET", f"{path}?{urlencode(query)}" if query else path, headers)


def post_form(path: str, form: Mapping[str, str], **headers: str) -> Request:
    return Request("POST", path, {"Content-Type": FORM, **headers}, urlencode(form))


def post_json(path: str, document: Mapping[str, Any]) -> Request:
    return Request("POST", path, {"Content-Type": JSON}, json.dumps(document))


def basic(name: str, secret: str) -> str:
    """The value of an `Authorization` header."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def read_answer(received: bytes) -> Answer | None:
    """The answer in these bytes; None while it is not complete."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(status_line.split()[1])
    if headers.get("transfer-encoding") == "chunked":
        if not body.endswith(b"0\r\n\r\n"):
            return None
    elif len(body) < int(headers.get("content-length", 0)):
        return None
    return Answer(status, headers.get("location", ""), body.decode("utf-8", "replace"))
