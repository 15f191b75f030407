"""Who may read `/metrics`: whoever has the token, from anywhere; without it, who speaks to us directly from a known network.

Directly, because what a proxy forwards comes from everywhere, and the proxy itself is often in such a network. To all others
the page is not there.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from authserver.addresses import peer_address
from authserver.conf import load

_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_HOST", "HTTP_VIA")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def may_read(request: HttpRequest) -> bool:
    scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return constant_time_compare(given.strip().encode(), settings.METRICS_TOKEN.encode())
    if is_forwarded(request):
        return False
    peer = peer_address(request)
    return peer is not None and any(ip_address(peer) in network for network in settings.METRICS_NETWORKS)


def is_forwarded(request: HttpRequest) -> bool:
    """Whether somebody stands between: they say so, or the caller asked for our public name, which leads to them."""
    if any(header in request.META for header in _FORWARDED):
        return True
    public = urlsplit(load().issuer).hostname
    asked = urlsplit(f"//{request.META.get('HTTP_HOST', '')}")
    try:
        return public not in _LOOPBACK and asked.hostname == public
    except ValueError:
        return True
