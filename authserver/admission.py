"""Which clients may reach which resource: an operator's decision about the app, and the registration mode in force.

A resource's own mode counts where it has one. The server's says who may register, and besides, in `approval`, that a
registered app waits until it is approved; what was registered before a server became `token` or `closed` goes on.
"""

from __future__ import annotations

from enum import Enum

from authserver import policy
from authserver.models import Client, Resource

MODES = ("open", "approval", "token", "closed")


class Admission(Enum):
    ADMITTED = "admitted"
    WAITS = "waits"
    """for an operator's decision"""
    NOT_HERE = "not_here"
    """The resource is for other apps; nobody is asked."""
    BLOCKED = "blocked"


def of(client: Client, resource: Resource) -> Admission:
    """Whether this client may be approved for this resource now. No statement: the client comes with its app."""
    if not client.is_usable(None):
        return Admission.BLOCKED
    mode = resource.registration_mode or _servers_mode()
    if mode == "open" or client.registration_source == Client.RegistrationSource.MANUAL:
        return Admission.ADMITTED
    if mode in {"approval", "token"}:
        if client.app.is_approved or client.vouched_for:
            return Admission.ADMITTED
        return Admission.WAITS if mode == "approval" else Admission.NOT_HERE
    return Admission.NOT_HERE


def _servers_mode() -> str:
    return "approval" if policy.current().registration.mode == "approval" else "open"
