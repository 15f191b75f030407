"""What people read behind a `connect_url`, and when it cannot go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from authserver import responses, visit_outcomes
from authserver.connect.asked import Asked
from authserver.responses import Choices, page
from upstream.models import Provider, Visit


def context(asked: Asked, person: User | None, choices: Sequence[Provider]) -> dict[str, Any]:
    """Of the page that asks."""
    granted = asked.held.scopes if asked.held is not None and asked.held.live else ()
    return {
        "why": asked.why,
        "provider_title": asked.provider.title,
        "resource_name": asked.resource.name,
        "resource_identifier": asked.resource.identifier,
        "client_name": asked.client.name,
        "client_name_is_checked": asked.client.name_is_checked,
        "scopes": [{"name": scope, "new": scope not in granted} for scope in asked.scopes],
        "person": person.get_full_name() if person else "",
        "provider_choices": [{"name": provider.name, "title": provider.title} for provider in choices],
    }


def connected(request: HttpRequest, asked: Asked) -> HttpResponse:
    return page(
        request,
        status=200,
        heading=_("%(provider)s is connected") % _names(asked),
        explanation=_("%(resource)s can use it now. You can close this page and go back to the app.") % _names(asked),
    )


def granted_too_little(request: HttpRequest, asked: Asked, ticket: str) -> HttpResponse:
    return page(
        request,
        status=200,
        heading=_("%(provider)s is connected, but did not give all that %(resource)s needs") % _names(asked),
        explanation=_("Some of the permissions were left out or refused there. What you gave is kept."),
        details=((_("What is missing"), " ".join(asked.lacking)),),
        links=_again(ticket, _("Ask again")),
    )


def of_visit(request: HttpRequest, asked: Asked, ticket: str, visit: Visit) -> HttpResponse:
    """The page about a visit that brought nothing. What was stored before is untouched by all of them."""
    names = {**_names(asked), "provider": visit.provider.title}
    said = visit_outcomes.in_words(visit)
    if visit.outcome == Visit.Outcome.NOT_THEM:
        said = (
            _("This link is for another person"),
            _("The account you chose at %(provider)s is not that of whoever signed the app in.") % names,
        )
    if said is None:
        return failed(request, asked, ticket)
    heading, explanation = said
    return page(
        request,
        status=403,
        heading=heading,
        explanation=explanation,
        links=_again(ticket, _("Try again")),
    )


def failed(request: HttpRequest, asked: Asked, ticket: str) -> HttpResponse:
    return page(
        request,
        status=502,
        heading=_("Connecting %(provider)s did not work") % _names(asked),
        explanation=_("The provider did not confirm it. What was stored before is untouched."),
        links=_again(ticket, _("Try again")),
    )


def too_late(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("This link is no longer good"),
        explanation=_("It was made for one app’s sign-in, and for fifteen minutes; one of the two is over."),
        steps=(_("Go back to the app and try again what you were doing: it will show a new link if one is needed."),),
    )


def used_up(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("This link has been used"),
        explanation=_("Each link works once, in the browser that used it first."),
        steps=(_("Go back to the app and try again what you were doing: it will show a new link if one is needed."),),
    )


def somebody_else(request: HttpRequest, asked: Asked, ticket: str) -> HttpResponse:
    words = _(
        "It connects %(provider)s for whoever signed the app in, and that is not the account you are signed in with here."
    )
    return page(
        request,
        status=403,
        heading=_("This link is for another person"),
        explanation=words % _names(asked),
        steps=(_("If both accounts are yours, sign in with the other one."),),
        choices=Choices(
            reverse("connect-switch", args=[ticket]),
            (("switch", "1", _("Sign in with another account")),),
            protected=True,
        ),
    )


def nowhere_to_sign_in(request: HttpRequest, asked: Asked) -> HttpResponse:
    return page(
        request,
        status=403,
        heading=_("Sign in first"),
        explanation=_(
            "To connect %(provider)s we have to know that it is you, and there is no way to sign in from here."
        )
        % _names(asked),
        steps=(
            _("Open the link in the browser where you signed the app in."),
            _("Or remove the connection in the app and add it again."),
        ),
    )


def too_often(request: HttpRequest, wait_seconds: int) -> HttpResponse:
    return responses.too_often(request, wait_seconds, heading=_("Too many attempts from your network"), reloads=False)


def _names(asked: Asked) -> dict[str, str]:
    return {"provider": asked.provider.title, "resource": asked.resource.name}


def _again(ticket: str, label: str) -> dict[str, str]:
    return {"retry_url": reverse("connect", args=[ticket]), "retry_label": label}
