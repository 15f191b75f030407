"""The consent page, and what is remembered of an answer."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db.models import BigAutoField, QuerySet, UUIDField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.browser import ensure_browser, remember
from accounts.models import User
from accounts.prepared import Prepared, slot
from authserver import app_registry, policy, redirects
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.ticket import Ticket
from authserver.authorize.upstreams import Connections, optional, scopes_of, sign_in_choices
from authserver.claims import PERSONAL
from authserver.models import App, Client, Consent, PendingAuthorization
from authserver.people import signed_in
from authserver.responses import private
from authserver.scopes import IDENTITY_SCOPES

REGISTERED = {
    Client.RegistrationSource.DCR: "self-registered",
    Client.RegistrationSource.CIMD: "metadata document",
    Client.RegistrationSource.MANUAL: "configured by the operator",
}


def show(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    """The page. Writes nothing: its form carries a signed ticket, its cookie names the browser."""
    person = signed_in(request)
    whose = str(person.pk) if person else ""
    ticket = Ticket(uuid.uuid4(), asked.raw, ensure_browser(request), whose, optional(asked), digest(asked))
    response = render(request, "authorize/consent.html", context(asked, person, ticket))
    return private(remember(request, response))


def digest(asked: AuthorizationRequest) -> str:
    """Of everything that an approval is for. Most of it is the client's or an operator's to change while the page is open,
    some of it is not in the request at all: the only redirect URI, the default scopes."""
    said = [
        asked.client.name,
        asked.redirect_uri,
        asked.resource.identifier,
        [(scope, asked.resource.scopes.get(scope)) for scope in asked.scopes],
        [(entry.provider.name, entry.required, scopes_of(entry.provider, entry)) for entry in asked.upstreams],
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def context(asked: AuthorizationRequest, person: User | None, ticket: Ticket) -> dict[str, Any]:
    client, connections = asked.client, Connections(person) if person else None
    choices = [] if person else sign_in_choices(asked)
    signing_in = {provider.pk for provider in choices}
    upstreams = [
        {
            "name": entry.provider.name,
            "title": entry.provider.title,
            "scopes": list(scopes_of(entry.provider, entry)),
            "optional": not entry.required,
            "lacking": list(connections.lacking(entry)) if connections else [],
            "why": connections.why(entry)
            if connections
            else "sign_in"
            if entry.provider_id in signing_in
            else "unknown",
        }
        for entry in asked.upstreams
        if entry.provider.enabled
    ]
    if not asked.upstreams:
        upstreams = [{"title": provider.title, "scopes": [], "why": "sign_in"} for provider in choices[:1]]
    kind = redirects.kind_of(asked.redirect_uri)
    cimd = client.registration_source == Client.RegistrationSource.CIMD
    likeness = app_registry.looks_like(client)
    told = {PERSONAL[claim] for claim in asked.resource.claims if claim in PERSONAL}
    return {
        "client_name": client.name,
        "client_is_proven": client.identity_is_proven,
        "client_name_is_checked": client.name_is_checked,
        "client_standing": standing(client),
        "likeness": likeness,
        "suspicions": app_registry.imitations(client.app, likeness, name=client.name),
        "client_origin": urlsplit(client.client_id).hostname or "" if cimd else "",
        "client_id": client.client_id,
        "registered_how": REGISTERED[Client.RegistrationSource(client.registration_source)],
        "redirect_host": redirects.host_of(asked.redirect_uri),
        "redirect_kind": kind,
        "redirect_port": urlsplit(asked.redirect_uri).port if kind == "loopback" else None,
        "redirect_uri": asked.redirect_uri,
        "resource_name": asked.resource.name,
        "resource_identifier": asked.resource.identifier,
        "scopes": [
            {
                "name": scope,
                "words": asked.resource.scopes.get(scope) or IDENTITY_SCOPES.get(scope, ""),
                "resource_is_told": scope in told,
            }
            for scope in asked.scopes
        ],
        "upstreams": upstreams,
        "person": describe(person) if person else "",
        "provider_choices": [{"name": provider.name, "title": provider.title} for provider in choices],
        "form_action": reverse("authorize"),
        "form_fields": [("ticket", ticket.dumps())],
        "lasts_days": policy.current().lifetimes.refresh_idle // 86400,
        "not_you_url": reverse("authorize-switch") if person else "",
    }


def standing(client: Client) -> str:
    """What is known of an app, the best first: "verified", "configured", "published", "approved" or "unverified"."""
    app = client.app
    if app.is_verified:
        return "verified"
    if app.kind != App.Kind.NAMED:
        return "configured" if app.kind == App.Kind.CONFIGURED else "published"
    return "approved" if app.is_approved else "unverified"


def describe(person: User) -> str:
    return f"{person.name} ({person.email})" if person.name and person.email else person.get_full_name()


def _one() -> QuerySet[Consent]:
    """What was approved, by the four things that an approval is for (slots)."""
    return Consent.objects.filter(
        user_id=slot("user", UUIDField()),
        client_id=slot("client", BigAutoField()),
        redirect_host=slot("redirect_host"),
        resource_id=slot("resource", BigAutoField()),
    )


_GIVEN: Prepared[Consent] = Prepared(_one)
_HELD: Prepared[int] = Prepared(lambda: _one().select_for_update().values_list("pk", flat=True))


def still_given(pending: PendingAuthorization) -> bool:
    """Whether what an authorization that nobody was asked for rests on is there. Inside a transaction: and nobody takes it
    back until that is over. Whoever does so ends the sessions after it, this one among them."""
    host = redirects.host_of(pending.parameters["raw"]["redirect_uri"])
    found = _HELD.first(
        user=pending.user_id, client=pending.client_id, redirect_host=host, resource=pending.resource_id
    )
    return found is not None


def remembered(request: HttpRequest, asked: AuthorizationRequest, person: User) -> frozenset[str] | None:
    """Whether this person approved all of this before (behaviour.md, authorize 3): the upstreams they left out then, or
    None where they are to be asked.

    Only for a client whose identity is proven; never when another site opened the page on the way to this computer's
    own programs, where any of them may listen.
    """
    if not asked.client.identity_is_proven or "consent" in asked.prompt:
        return None
    own_computer = redirects.kind_of(asked.redirect_uri) != "https"
    if own_computer and request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        return None
    given = _GIVEN.first(**{name: getattr(value, "pk", value) for name, value in _key(asked, person).items()})
    if given is None or not set(asked.scopes) <= set(given.scope.split()):
        return None
    skipped = {name for name, scopes in given.upstream_scopes.items() if scopes is None}
    for entry in asked.upstreams:
        name = entry.provider.name
        if not entry.required and (name in skipped or not entry.provider.enabled):
            continue
        if not set(scopes_of(entry.provider, entry)) <= set(given.upstream_scopes.get(name) or ()):
            return None
    return frozenset(skipped)


def remember_answer(asked: AuthorizationRequest, person: User, skipped: Collection[str], *, now: datetime) -> None:
    """Keep an approval, joined with what was approved before. What was left out is kept as left out: null, no list."""
    if not asked.client.identity_is_proven:
        return
    key = _key(asked, person)
    before = Consent.objects.filter(**key).first()
    scopes = dict.fromkeys([*(before.scope.split() if before else []), *asked.scopes])
    upstream_scopes = dict(before.upstream_scopes) if before else {}
    for entry in asked.upstreams:
        name = entry.provider.name
        earlier = upstream_scopes.get(name) or []
        joined = list(dict.fromkeys([*earlier, *scopes_of(entry.provider, entry)]))
        upstream_scopes[name] = None if name in skipped else joined
    if before and before.scope.split() == list(scopes) and before.upstream_scopes == upstream_scopes:
        return
    Consent.objects.update_or_create(
        **key, defaults={"scope": " ".join(scopes), "upstream_scopes": upstream_scopes, "granted_at": now}
    )


def _key(asked: AuthorizationRequest, person: User) -> dict[str, Any]:
    """What an approval is for."""
    return {
        "user": person,
        "client": asked.client,
        "redirect_host": redirects.host_of(asked.redirect_uri),
        "resource": asked.resource,
    }
