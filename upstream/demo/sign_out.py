"""Signing out everywhere: each client that has a `backchannel_logout_uri` is told (OpenID Connect Back-Channel Logout
1.0 s2.4, s2.5).

Nobody stays signed in at this provider, so there is nothing to end here: it is the page of a company's own sign-out, or
of its service desk when somebody leaves.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string

from upstream import http
from upstream.errors import OutboundFailed, OutboundRefused

from . import clients, faults, signing
from .addresses import issuer
from .counters import count
from .endpoint import NO_STORE, Call, endpoint
from .models import Client, Grant
from .people import BY_LOGIN, PEOPLE, Person

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFETIME_SECONDS = 120  # s2.4: at most two minutes
TIMEOUT_SECONDS = 10


@endpoint("sign_out", "sign_out_requests", "GET", "POST")
def sign_out(call: Call) -> HttpResponse:
    """Choose who has left, and see what the clients answered."""
    person = BY_LOGIN.get(call.request.POST.get("choice", "")) if call.request.method == "POST" else None
    told = [(client.name, _tell(client, person, call)) for client in _clients_of(person)] if person else []
    context = {"people": PEOPLE, "person": person, "told": told}
    status = 400 if call.request.method == "POST" and person is None else 200
    html = render_to_string("upstream_demo/sign_out.html", context, call.request)
    return HttpResponse(html, status=status, headers=NO_STORE)


def _clients_of(person: Person) -> Sequence[Client]:
    """Those that the person has signed in for, and that want to know."""
    names = Grant.objects.filter(subject=person.subject).order_by("client_id").values_list("client_id", flat=True)
    found = [clients.find(name) for name in names.distinct()]
    return [client for client in found if client is not None and client.backchannel_logout_uri]


def _tell(client: Client, person: Person, call: Call) -> str:
    """The status of the client's answer, or why there was none."""
    fault = call.knobs.claim_fault("backchannel_logout")
    claims = faults.merged(_claims(client, person, call), fault.logout_token)
    token = signing.sign(claims, call.knobs.alg, fault.signature, typ="logout+jwt")
    count("logout_tokens")
    try:
        answer = http.request(
            "POST",
            client.backchannel_logout_uri,
            data={"logout_token": token},
            timeout_seconds=TIMEOUT_SECONDS,
            allow_private_network=True,  # the clients of a demo are on this machine
        )
    except (OutboundFailed, OutboundRefused) as error:
        return error.reason
    return str(answer.status)


def _claims(client: Client, person: Person, call: Call) -> dict[str, Any]:
    """All of the person's sessions, so without a `sid`; a knob can add one."""
    issued_at = int(call.now.timestamp())
    return {
        "iss": issuer(),
        "aud": client.client_id,
        "iat": issued_at,
        "exp": issued_at + LIFETIME_SECONDS,
        "jti": secrets.token_urlsafe(16),
        "sub": person.subject,
        "events": {EVENT: {}},
    }
