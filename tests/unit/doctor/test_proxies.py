"""What a proxy takes away on the way is seen on the answers that come back through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authserver.doctor import proxies
from authserver.doctor.calls import Calls
from authserver.doctor.findings import Level
from tests.fakes.server import Reply
from tests.unit.doctor.conftest import Configure, Front, by_check
from tests.unit.outbound.network import Network

pytestmark = [pytest.mark.django_db]

HSTS = {"Strict-Transport-Security": "max-age=31536000"}


@pytest.mark.parametrize(
    ("headers", "level", "words"),
    [
        ({**HSTS, "Set-Cookie": "__Host-authserver-csrf=x; Path=/; Secure; HttpOnly"}, Level.OK, "come over TLS"),
        ({"Set-Cookie": "__Host-authserver-csrf=x; Path=/; Secure"}, Level.WARNING, "none of the console's forms"),
        ({**HSTS, "Set-Cookie": "authserver-csrf=x; Path=/"}, Level.WARNING, "lose their __Host- name"),
    ],
)
def test_what_arrives_over_tls_says_what_the_proxy_does(
    headers: dict[str, str],
    level: Level,
    words: str,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    tmp_path: Path,
) -> None:
    front = Front()
    authority = Network(monkeypatch).publish(front, "auth.example.com", "8.8.8.8", tmp_path)
    settings.UPSTREAM_CA_FILE = str(authority)
    front.everywhere = Reply(200, body=b"", headers=headers)
    with front:
        configure(issuer="https://auth.example.com", demo=False)
        found = by_check(list(proxies.look(Calls())))["proxy.scheme"]
    assert (found.level, words in found.meaning) == (level, True), found
