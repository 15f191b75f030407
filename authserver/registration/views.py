"""`POST /oauth/register`; `GET`, `PUT`, `DELETE /oauth/register/<client_id>`. No cookie is read or set."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

import structlog
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import audit, metrics
from authserver import cascade, client_registry, limits, redirects, refusals
from authserver.addresses import client_address, network_of
from authserver.client_authentication import secret_matches
from authserver.client_metadata import SECRET_METHODS, ClientMetadata
from authserver.cors import cross_origin
from authserver.errors import OAuthError, json_response, render
from authserver.failures import PASSING, try_again
from authserver.hashers import new_secret
from authserver.models import Client
from authserver.registration import modes, ownership, requests, unused
from authserver.registration.answers import describe

log = structlog.get_logger("oauth.registration")

View = Callable[..., HttpResponse]


def _answering(view: View) -> View:
    """Turn what the view raises into the endpoint's own errors."""

    @wraps(view)
    def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, **kwargs)
        except OAuthError as error:
            return render(error)
        except Client.DoesNotExist:  # removed by another request since we looked
            return render(ownership.refused("client is gone"))
        except PASSING as error:
            return render(try_again(error))
        except DatabaseError as error:
            log.exception("storage refused", error=type(error).__name__)
            return render(OAuthError("server_error", "The registration could not be stored.", status=500))

    return wrapper


@cross_origin(methods=("POST",))
@_answering
def register(request: HttpRequest) -> HttpResponse:
    """Register a client under an id of our choosing (RFC 7591 section 3)."""
    try:
        answer = _registered(request)
    except OAuthError as error:
        metrics.REGISTRATIONS.count(error.error)
        refusals.note_error(request, refusals.Step.REGISTER, error)
        raise
    metrics.REGISTRATIONS.count("ok")
    return answer


def _registered(request: HttpRequest) -> HttpResponse:
    limits.enforce("register", network_of(client_address(request)))
    now = timezone.now()
    admission = modes.admit(request.META.get("HTTP_AUTHORIZATION", ""), now=now)
    metadata = requests.metadata(requests.document(request))
    try:
        answer = _create(request, metadata, admission, now)
    except IntegrityError:  # maintenance removed the app, empty until now, between our look at it and our commit
        answer = _create(request, metadata, admission, now)
    return json_response(answer, status=201)


def _create(
    request: HttpRequest, metadata: ClientMetadata, admission: modes.Admission, now: datetime
) -> dict[str, Any]:
    address = client_address(request)
    token = ownership.new_token()
    secret = new_secret() if metadata.token_endpoint_auth_method in SECRET_METHODS else None
    with transaction.atomic():
        by = admission.spend(now)
        client = client_registry.create(
            f"dcr-{secrets.token_hex(16)}",
            metadata,
            source=Client.RegistrationSource.DCR,
            secret=secret,
            registration_token_hash=ownership.digest(token),
            registration_address=address,
            vouched_for=bool(by),
            likeness=unused.likeness(metadata, network_of(address)),
        )
        modes.refuse_blocked(client.app)  # and what was written is undone
        client.app.seen(now)
        _record("client.registered", client, request, **by)
    return describe(client, registration_token=token, secret=secret)


@cross_origin(methods=("GET", "PUT", "DELETE"))
@_answering
def configuration(request: HttpRequest, client_id: str) -> HttpResponse:
    """Read, replace or remove one's own registration (RFC 7592 section 2)."""
    client, token = ownership.owned(client_id, request.META.get("HTTP_AUTHORIZATION", ""))
    if request.method == "PUT":
        return _replace(request, client, token)
    if request.method == "DELETE":
        return _remove(request, client)
    return json_response(describe(client, registration_token=token))


def _replace(request: HttpRequest, client: Client, token: str) -> HttpResponse:
    """RFC 7592 section 2.2: what is left out is gone, and the rules are those of a registration."""
    limits.enforce("register", network_of(client_address(request)))  # it may become an app that nobody has seen
    modes.admit_change(client)
    sent = requests.document(request)
    if sent.get("client_id") != client.client_id:
        raise OAuthError("invalid_client_metadata", "client_id: the one that was registered is needed.")
    _check_secret(client, sent)
    metadata = requests.metadata(sent)
    before, after = client.token_endpoint_auth_method, metadata.token_endpoint_auth_method
    wants_another = before not in SECRET_METHODS or "client_secret" not in sent
    secret = new_secret() if after in SECRET_METHODS and wants_another else None
    was = client.app

    def write(row: Client) -> None:
        with transaction.atomic():
            client_registry.replace(row, metadata, secret=secret, now=timezone.now())
            modes.refuse_blocked(row.app)
            _record("client.changed", row, request)

    try:
        write(client)
    except IntegrityError:  # as for a registration
        client = Client.objects.select_related("app").get(pk=client.pk)
        write(client)
    if client.app_id != was.pk:  # or its sessions would be out of reach for whoever blocks what they were opened as
        cascade.revoke_client(client, reason="client became another app", actor=client.client_id)
    return json_response(describe(client, registration_token=token, secret=secret))


def _check_secret(client: Client, sent: dict[str, Any]) -> None:
    """A client may repeat its secret and may not choose one."""
    given = sent.get("client_secret")
    if given is None:
        return
    if client.is_public or not isinstance(given, str) or not secret_matches((given,), client.client_secret):
        raise OAuthError("invalid_client_metadata", "client_secret: it is not the one that was issued.")


def _remove(request: HttpRequest, client: Client) -> HttpResponse:
    """Disabled first, so that no session opens between the end of the last one and the end of the row."""
    client_registry.disable(client, timezone.now())
    cascade.revoke_client(client, reason="client deleted", actor=client.client_id)
    with transaction.atomic():
        _record("client.deleted", client, request)
        client.delete()
    response = HttpResponse(status=204)
    response["Cache-Control"] = "no-store"
    return response


def _record(event: str, client: Client, request: HttpRequest, **detail: Any) -> None:
    audit.record(
        event,
        actor=client.client_id,
        client_id=client.client_id,
        address=client_address(request),
        hosts=sorted({redirects.host_of(uri) for uri in client.redirect_uris.split()}),
        auth_method=client.token_endpoint_auth_method,
        **detail,
    )
