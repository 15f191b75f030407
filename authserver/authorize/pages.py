"""What people read when an authorization cannot go on: what happened, and what to do next.

Where the client is known, the page offers the way back to it; the client then hears `access_denied` or `server_error`,
never a provider's words.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.responses import error_url
from authserver.errors import OAuthError
from authserver.responses import page


def start_again(raw: dict[str, str]) -> str:
    """The client's own request once more, on our address."""
    return f"{reverse('authorize')}?{urlencode(raw)}"


def back(asked: AuthorizationRequest, error: str, description: str) -> dict[str, str]:
    """The way back to the client, and what it hears."""
    app = asked.client.name or _("the app")
    return {
        "return_url": error_url(asked.destination, OAuthError(error, description)),
        "return_label": _("Return to %(app)s") % {"app": app},
    }


def _retry(url: str, label: str) -> dict[str, str]:
    return {"retry_url": url, "retry_label": label}


def expired(request: HttpRequest, raw: dict[str, str]) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("This page waited too long"),
        explanation=_("For your safety a sign-in that is not finished in time is dropped. Nothing was approved."),
        links=_retry(start_again(raw), _("Start again")),
    )


def not_this_browser(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("This sign-in did not start in this browser"),
        explanation=_("A sign-in can only be finished where it was started. Nothing was approved."),
        steps=(
            _("Go back to the app and connect again; finish in the browser window that opens."),
            _("If you followed a link that somebody sent you, close this page."),
            _("If your browser refuses cookies, allow them for this site."),
        ),
    )


def already_answered(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("You have answered this already"),
        explanation=_("The app has its answer. You can close this page and go back to the app."),
    )


def gone(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("This app was removed while you were signing in"),
        explanation=_("Nothing was approved. If you still want to use it, connect it again from the app."),
    )


def somebody_else(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("Somebody else is signed in now"),
        explanation=_("This approval was begun by another person in this browser. It was not given to the app."),
        links={
            "retry_url": start_again(asked.raw),
            "retry_label": _("Start again"),
            **back(asked, "access_denied", "The person at the browser changed."),
        },
    )


def not_allowed(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    return page(
        request,
        status=403,
        heading=_("You may not use %(resource)s") % {"resource": asked.resource.name},
        explanation=_("You are signed in, but whoever runs this server has not given you access to it."),
        steps=(_("Ask the people who run this server for access, and tell them the request id below."),),
        links=back(asked, "access_denied", "This person may not use the resource."),
    )


def nobody_can_sign_in(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    return page(
        request,
        status=503,
        heading=_("Nobody can sign in here yet"),
        explanation=_("No identity provider is switched on. Whoever runs this server has to add one."),
        links=back(asked, "server_error", "No identity provider is configured."),
    )
