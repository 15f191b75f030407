"""Where tests turn the knobs: GET, POST, DELETE of `knobs`, from this machine, with the client's secret."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from . import clients, counters, knobs, opaque, rules, signing
from .addresses import issuer
from .errors import OAuthError
from .models import Client
from .rules import BadKnob

ROTATE_KEYS = rules.one_of("overlap", "replace")
CLIENT_FIELDS = {
    "client_id": rules.TEXT,
    "client_secret": rules.TEXT,
    "name": rules.TEXT,
    "redirect_uris": rules.TEXTS,
    "backchannel_logout_uri": rules.WEB_URL,
}
OPTIONAL_FIELDS = {"name", "backchannel_logout_uri"}


@csrf_exempt
@require_http_methods(["GET", "POST", "DELETE"])
def control(request: HttpRequest) -> HttpResponse:
    """Answers the knobs and counters as they are afterwards. DELETE puts them all back."""
    if not settings.DEMO or not _is_local(request):
        return JsonResponse({"error": "only a program on this machine turns the knobs, in demo mode"}, status=403)
    if not _knows_the_secret(request):
        challenge = {"WWW-Authenticate": f'Basic realm="{issuer()}"'}
        return JsonResponse({"error": "the demo client's id and secret are needed"}, status=401, headers=challenge)
    try:
        if request.method == "POST":
            _turn(rules.parse(request.body))
        elif request.method == "DELETE":
            knobs.reset()
            counters.reset()
    except BadKnob as error:
        return JsonResponse({"error": str(error)}, status=400)
    except RequestDataTooBig:
        return JsonResponse({"error": "the body is too large"}, status=413)
    except UnreadablePostError:
        return JsonResponse({"error": "the body ended early"}, status=400)
    return JsonResponse({"knobs": knobs.snapshot(), "counters": counters.snapshot()})


def _is_local(request: HttpRequest) -> bool:
    """Whether the peer is a loopback address, and no proxy on this machine that speaks for somebody else."""
    if request.headers.keys() & {"X-Forwarded-For", "Forwarded"}:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _knows_the_secret(request: HttpRequest) -> bool:
    try:
        client_id, secret = clients.basic_credentials(request.headers.get("Authorization", ""))
    except OAuthError:
        return False
    known = f"{settings.DEMO_UPSTREAM_CLIENT_ID}:{settings.DEMO_UPSTREAM_CLIENT_SECRET}"
    return secrets.compare_digest(f"{client_id}:{secret}".encode(), known.encode())


def _turn(given: Any) -> None:
    """Knobs are kept; `rotate_keys` and `clients` are deeds, done at once."""
    if not isinstance(given, Mapping):
        raise BadKnob("the body must be an object")
    turned = dict(given)
    rotation = turned.pop("rotate_keys", None)
    new_clients = turned.pop("clients", [])
    if rotation is not None and not ROTATE_KEYS.allows(rotation):
        raise BadKnob(f"'rotate_keys' must be {ROTATE_KEYS.wanted}")
    with transaction.atomic():
        knobs.turn(turned)
        for client in new_clients if isinstance(new_clients, list) else [new_clients]:
            _register(rules.check(client, CLIENT_FIELDS, CLIENT_FIELDS, where="a client"))
        if rotation is not None:
            signing.rotate(knobs.load().alg, replace=rotation == "replace")


def _register(client: Mapping[str, Any]) -> None:
    """Add a client, or change the one of that id."""
    if missing := CLIENT_FIELDS.keys() - client.keys() - OPTIONAL_FIELDS:
        raise BadKnob(f"a client needs {', '.join(sorted(missing))}")
    Client.objects.update_or_create(
        client_id=client["client_id"],
        defaults={
            "secret_hash": opaque.digest(client["client_secret"]),
            "name": client.get("name", client["client_id"]),
            "redirect_uris": client["redirect_uris"],
            "backchannel_logout_uri": client.get("backchannel_logout_uri", ""),
        },
    )
