"""Who calls: a resource server, by Basic, by form, or by a short access token of `/api/v1/token`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from authserver import limits, verify
from authserver.addresses import client_address, network_of
from authserver.client_authentication import Presented, presented, secret_matches
from authserver.conf import load
from authserver.errors import BASIC_CHALLENGE, OAuthError, invalid_client
from authserver.models import ResourceServer
from authserver.parameters import form, query

FORM_FIELDS = frozenset({"client_id", "client_secret", "grant_type", "scope"})
CHALLENGES = {"WWW-Authenticate": f'{BASIC_CHALLENGE["WWW-Authenticate"]}, Bearer realm="authserver"'}


def audience() -> str:
    """The `aud` of the short access tokens: this API, and nothing else of ours."""
    return load().url("/api/v1")


@dataclass(frozen=True)
class Caller:
    """An authenticated, enabled resource server. `pk` is its row's."""

    pk: int
    client_id: str
    address: str | None

    is_authenticated = True


class ResourceServerAuthentication(BaseAuthentication):
    """For DRF: the caller is `request.user`. Raises `OAuthError`, which the API's exception handler writes."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        return authenticate(request._request), None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGES["WWW-Authenticate"]


def authenticate(request: HttpRequest, *, by_secret: bool = False) -> Caller:
    """The caller. `by_secret` leaves out access tokens: nobody gets one for one. One statement.

    Raises `OAuthError`: 401 for whoever is not a resource server of ours now, 429 for too many such attempts from one
    address or too many requests of one caller, 400 for a request that cannot be read.
    """
    address = client_address(request)
    try:
        caller = _by_token(request, address) if _has_token(request) and not by_secret else _by_secret(request, address)
    except OAuthError as error:
        if error.status != 401:
            raise
        limits.enforce("client_authentication", f"address {network_of(address)}")
        raise OAuthError(error.error, error.description, status=401, detail=error.detail, headers=CHALLENGES) from None
    limits.enforce("api", caller.client_id)
    return caller


def _has_token(request: HttpRequest) -> bool:
    given: str = request.META.get("HTTP_AUTHORIZATION", "")
    return given[:7].lower() == "bearer "


def _by_token(request: HttpRequest, address: str | None) -> Caller:
    token = request.META["HTTP_AUTHORIZATION"][7:].strip()
    try:
        client_id = verify.caller_token(token, audience=audience(), now=timezone.now())
    except verify.InvalidToken as invalid:
        raise OAuthError(
            "invalid_token", "The access token is not valid here.", status=401, detail=str(invalid)
        ) from None
    row = ResourceServer.objects.filter(client_id=client_id, enabled=True).values_list("pk", flat=True).first()
    if row is None:
        raise OAuthError("invalid_token", "The access token is not valid here.", status=401, detail="disabled or gone")
    return Caller(row, client_id, address)


def _by_secret(request: HttpRequest, address: str | None) -> Caller:
    given = _presented(request)
    if given.method == "none":
        raise invalid_client("a resource server authenticates with its secret")
    rows = ResourceServer.objects.filter(client_id__in=given.client_ids, enabled=True)
    for pk, client_id, secret in rows.values_list("pk", "client_id", "client_secret"):
        if secret_matches(given.secrets_for(client_id), secret):
            return Caller(pk, client_id, address)
    raise invalid_client("unknown, disabled, or wrong secret")


def _presented(request: HttpRequest) -> Presented:
    """From the header, or from the form of a POST; never from the query, which is logged by everything in between."""
    if {"client_secret", "client_assertion"} & query(request).keys():
        raise OAuthError(
            "invalid_request", "A secret does not belong into the address: use Basic, or POST it as a form."
        )
    fields: dict[str, Any] = form(request, FORM_FIELDS) if has_form(request) else {}
    return presented(request.META.get("HTTP_AUTHORIZATION", ""), fields)


def has_form(request: HttpRequest) -> bool:
    """Whether there is a body to read credentials from: a POST with Basic or Bearer may come without one."""
    return request.method == "POST" and request.META.get("CONTENT_LENGTH") not in {None, "", "0"}
