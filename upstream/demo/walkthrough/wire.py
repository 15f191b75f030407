"""HTTP as the demo's parties speak it, and the record of each message with its secrets masked."""

from __future__ import annotations

import json as jsonlib
import re
from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from upstream import http
from upstream.errors import OutboundFailed, OutboundRefused

from . import masking

TIMEOUT_SECONDS = 20  # an exchange may wait for a refresh at the provider
_SHORT_LIST = re.compile(r"\[\n\s+([^\[\]{}]{1,200}?)\n\s+\]")
SHOWN_HEADERS = ("Content-Type", "Cache-Control", "WWW-Authenticate", "Retry-After")


class Unreachable(Exception):
    """No answer came. The message is a machine word: `timeout`, `connection`."""


class Wire:
    """Makes calls and keeps `records`: dicts of `sender`, `receiver`, `line`, `status`, `request`, `answer`, all text.

    Senders and receivers are `client`, `authserver`, `mcp`, `provider`, `browser`.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def call(
        self,
        sender: str,
        receiver: str,
        method: str,
        url: str,
        *,
        bearer: str = "",
        basic: tuple[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> http.Answer:
        """One call, recorded whether it succeeds or not. Raises `Unreachable`."""
        headers = {"Accept": "application/json, text/event-stream" if receiver == "mcp" else "application/json"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        elif basic:
            headers["Authorization"] = "Basic " + b64encode(":".join(basic).encode()).decode()
        try:
            answer = http.request(
                method, url, headers=headers, data=form, json=json, timeout_seconds=TIMEOUT_SECONDS,
                allow_private_network=True,  # we are the only server that is called
            )  # fmt: skip
        except (OutboundFailed, OutboundRefused) as error:
            raise Unreachable(error.reason) from error
        lines = [f"{method} {urlsplit(url).path}", f"Host: {urlsplit(url).netloc}"]
        if "Authorization" in headers:
            lines.append(f"Authorization: {masking.in_credentials(headers['Authorization'])}")
        if form is not None:
            shown = masking.in_form(form)
            lines += ["Content-Type: application/x-www-form-urlencoded", ""]
            lines += [f"{'&' if index else ''}{name}={value}" for index, (name, value) in enumerate(shown.items())]
        elif json is not None:
            lines += ["Content-Type: application/json", "", pretty(json)]
        self.note(sender, receiver, lines[0], "\n".join(lines), answer.status, _shown(answer))
        return answer

    def note(self, sender: str, receiver: str, line: str, request: str, status: int = 0, answer: str = "") -> None:
        """Write down a message that somebody else carried: the person's browser."""
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
        self.records.append(
            {
                "sender": sender,
                "receiver": receiver,
                "line": line,
                "status": f"{status} {phrase}".strip() if status else "",
                "refused": status >= 400,
                "request": request,
                "answer": answer,
            }
        )


def members(answer: http.Answer) -> dict[str, Any]:
    """The answer's JSON object; empty for anything else."""
    try:
        body = answer.json()
    except OutboundFailed:
        return {}
    return body if isinstance(body, dict) else {}


def pretty(document: Any) -> str:
    """The document, secrets masked, to be read: short lists on one line."""
    text = jsonlib.dumps(masking.in_json(document), indent=2, ensure_ascii=False)
    return _SHORT_LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", text)


def _shown(answer: http.Answer) -> str:
    lines = [f"{answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {answer.headers[name]}" for name in SHOWN_HEADERS if name in answer.headers]
    body = members(answer)
    return "\n".join([*lines, "", pretty(body)] if body else lines)
