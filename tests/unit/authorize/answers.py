"""What an authorization request holds, and where an answer to it leads."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def ticket_of(page: Any) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page.content.decode())
    assert found, page.content.decode()[:2000]
    return unescape(found[1])


def sent_to(answer: Any) -> tuple[str, dict[str, str]]:
    """Where an answer sends the browser: the address without its query, and the query."""
    if answer.status_code in {302, 303}:
        url = answer["Location"]
    else:
        found = re.search(r'http-equiv="refresh" content="0; ?url=([^"]+)"', answer.content.decode())
        assert found, answer.content.decode()[:2000]
        url = unescape(found[1])
    parts = urlsplit(url)
    return parts._replace(query="").geturl(), dict(parse_qsl(parts.query, keep_blank_values=True))
