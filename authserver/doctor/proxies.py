"""What stands in front of us, as far as it shows: what its answers lost on the way, and where people seem to come from."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import AuditEvent
from authserver.conf import load
from authserver.doctor.calls import Calls
from authserver.doctor.findings import Finding, ok, warning

LOOKED_AT = 500
FEWEST = 20
"""Of so many registrations and approvals, all from one place, something may be concluded."""
_FROM_PEOPLE = ("client.registered", "authorization.granted")


def look(through: Calls) -> Iterator[Finding]:
    """Of an https issuer only: on loopback nothing stands in front."""
    if load().secure:
        yield _forwarded_scheme(through)
    yield _addresses()


def _forwarded_scheme(through: Calls) -> Finding:
    """Django promises HSTS, and takes forms, only where it knows that the person came over TLS."""
    check, title = "proxy.scheme", _("X-Forwarded-Proto and cookies")
    came = through.own(load().url(f"/{settings.ADMIN_PATH}login/"))
    if came.kind or came.status >= 500:
        return warning(
            check,
            title,
            _("The console's sign-in page could not be looked at, so this cannot be told."),
            _("Look again once our address is reached."),
        )
    if "Strict-Transport-Security" not in came.headers:
        return warning(
            check,
            title,
            _("The server does not know that people come over TLS: it takes none of the console's forms."),
            _("Let the proxy set X-Forwarded-Proto to https, and remove what a caller sends under that name."),
        )
    cookies = came.headers.get("Set-Cookie", "")
    if came.status == 200 and cookies and not ("__Host-" in cookies and "secure" in cookies.lower()):
        return warning(
            check,
            title,
            _("Cookies lose their __Host- name or Secure on the way: browsers do not bring them back as they should."),
            _("Let the proxy leave Set-Cookie as it is."),
        )
    return ok(check, title, _("The server knows that people come over TLS, and its cookies arrive as they were set."))


def _addresses() -> Finding:
    """Whether `AUTHSERVER_TRUSTED_PROXIES` fits, from where the latest registrations and approvals came."""
    check, title = "proxy.addresses", _("X-Forwarded-For")
    latest = AuditEvent.objects.order_by("-id").values_list("event", "address")[:LOOKED_AT]
    addresses = [address for event, address in latest if event in _FROM_PEOPLE and address]
    names = {"count": load().trusted_proxies}
    loopback = (urlsplit(load().issuer).hostname or "") in {"localhost", "127.0.0.1", "::1"}
    if loopback or len(addresses) < FEWEST or len(set(addresses)) > 1 or ip_address(addresses[0]).is_global:
        return ok(check, title, _("Nothing speaks against %(count)s trusted proxies.") % names)
    return warning(
        check,
        title,
        _("All people seem to be at %(address)s, which is a proxy's address: they share one rate limit.")
        % {"address": addresses[0]},
        _("Set AUTHSERVER_TRUSTED_PROXIES (now %(count)s) to the number of proxies that add to X-Forwarded-For.")
        % names,
    )
