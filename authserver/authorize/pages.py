"""What people read when an authorization cannot go on: what happened, and what to do next.

Where the client is known, the page offers the way back to it; the client then hears `access_denied` or `server_error`,
never a provider's words.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from authserver.authorize.checks import Unanswerable
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.responses import error_url
from authserver.errors import OAuthError
from authserver.models import App
from authserver.responses import page


def start_again(raw: dict[str, str]) -> str:
    """The client's own request once more, on our address."""
    return f"{reverse('authorize')}?{urlencode(raw)}"


def back(asked: AuthorizationRequest, error: str, description: str) -> dict[str, str]:
    """The way back to the client, and what it hears."""
    app = asked.client.name
    return {
        "return_url": error_url(asked.destination, OAuthError(error, description)),
        "return_label": _("Return to %(app)s") % {"app": app} if app else _("Return to the app"),
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


def signed_out(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("You were signed out while this page was loading"),
        explanation=_("Nothing was approved. If you still want to use the app, sign in again."),
        links={
            **_retry(start_again(asked.raw), _("Start again")),
            **back(asked, "access_denied", "The person was signed out."),
        },
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
            **_retry(start_again(asked.raw), _("Start again")),
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


def blocked(request: HttpRequest, app: App) -> HttpResponse:
    """403, and never a redirect: whoever is behind a blocked app has been found not worth one."""
    return page(
        request,
        status=403,
        heading=_("This app is not let in here"),
        explanation=_(
            "The people who run this server have blocked it. Nothing was approved, and nothing was sent to it."
        ),
        steps=(
            *((_("They say: “%(words)s”") % {"words": app.told},) if app.told else ()),
            _("If a link or a message brought you here, close this page."),
            _("If you need the app, ask the people who run this server, and tell them the request id below."),
        ),
    )


def not_here(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    """The resource is for apps that an operator chose, and nobody is to be asked."""
    return page(
        request,
        status=403,
        heading=_("%(resource)s is open to chosen apps only") % {"resource": asked.resource.name},
        explanation=_("The people who run this server decide which apps may use it, and this one is not among them."),
        steps=(_("If you need it, ask them, and tell them the request id below."),),
        links=back(asked, "access_denied", "This resource is for apps that the server's operator chose."),
    )


def unanswerable(request: HttpRequest, problem: Unanswerable) -> HttpResponse:
    """400, and never a redirect: nobody has shown that the address is the client's own. A blocked app hears 403."""
    if problem.client is not None and problem.problem == "blocked":
        return blocked(request, problem.client.app)
    if problem.client is None:
        return page(
            request,
            status=400,
            heading=_("This app is not registered here"),
            explanation=_(
                "The app that sent you here is not known to this server. Its registration may have been removed, or it "
                "belongs to another server."
            ),
            steps=(
                _("Go back to the app, remove this connection there and add it again: that registers the app anew."),
                _("In Claude Code or VS Code, clear the saved sign-in of this MCP server and connect again."),
                _("For developers: register at /oauth/register and use the client_id you are given."),
            ),
            details=(
                ("client_id", problem.sent[:200] or _("none was sent")),
                *(((_("Reason"), problem.reason),) if problem.reason else ()),
            ),
        )
    registered = tuple((_("Redirect URI registered"), uri) for uri in problem.client.redirect_uris.split())
    return page(
        request,
        status=400,
        heading=_("The app asked to be answered at an address it has not registered"),
        explanation=_("To keep your sign-in from reaching somebody else, nothing was sent there."),
        steps=(
            _("If you did not start this yourself, close this page."),
            _("Otherwise remove the connection in the app and add it again."),
            _(
                "For developers: send exactly a registered redirect URI. On a loopback address only the port may differ."
            ),
        ),
        details=((_("Redirect URI sent"), problem.sent[:500] or _("none was sent")), *registered),
    )
