"""Which calls leave through the operator's forward proxy: those to public addresses, where one is configured.

`HTTPS_PROXY` and its like in the environment change nothing unless the operator says so (`AUTHSERVER_OUTBOUND_PROXY`), and a
provider on a private network is called directly. The proxy's own address is the operator's choice and is not checked.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit

from django.conf import settings


@dataclass(frozen=True)
class Proxy:
    """`authorization` is the value of `Proxy-Authorization`; empty for none."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)


def proxy_for(host: str) -> Proxy | None:
    """The proxy that leads to a host; None where it is called directly."""
    if not settings.UPSTREAM_PROXY or _is_exempt(host):
        return None
    parts = urlsplit(settings.UPSTREAM_PROXY)
    credentials = parts.netloc.rpartition("@")[0]
    basic = b64encode(unquote_to_bytes(credentials)).decode()
    return Proxy(parts.hostname or "", parts.port or 0, f"Basic {basic}" if credentials else "")


def _is_exempt(host: str) -> bool:
    """Whether `NO_PROXY` names the host, a name that it is below, or everything (`*`). A leading dot or star adds nothing."""
    for entry in settings.UPSTREAM_NO_PROXY.lower().split(","):
        name = entry.strip().removeprefix("*").removeprefix(".")
        if entry.strip() == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False
