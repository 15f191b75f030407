"""What the client hears at its redirect URI, and the page for when nothing may be sent there."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from authserver.authorize.checks import Unanswerable
from authserver.authorize.request import Destination
from authserver.conf import load
from authserver.errors import OAuthError
from authserver.responses import page


def client_url(to: Destination, parameters: dict[str, str]) -> str:
    """The redirect URI with the answer added: its own query kept, `state` as it came, `iss` (RFC 9207)."""
    answer = dict(parameters)
    if to.state is not None:
        answer["state"] = to.state
    if load().authorization_response_iss:
        answer["iss"] = load().issuer
    joint = "&" if "?" in to.redirect_uri else "?"
    if to.redirect_uri.endswith(("?", "&")):
        joint = ""
    return to.redirect_uri + joint + urlencode(answer)


def error_url(to: Destination, error: OAuthError) -> str:
    return client_url(to, {"error": error.error, "error_description": error.description})


def unanswerable(request: HttpRequest, problem: Unanswerable) -> HttpResponse:
    """400, and never a redirect: nobody has shown that the address is the client's own."""
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
