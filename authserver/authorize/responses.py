"""Ways out of the authorization endpoint: back to the client, on to a provider, or a page that explains."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template

from authserver import redirects
from authserver.authorize.checks import Unanswerable
from authserver.authorize.request import Destination
from authserver.conf import load
from authserver.errors import OAuthError


class Redirect(HttpResponse):
    """A 302 to any scheme: the target was checked against the client's registration, not against a list of schemes."""

    status_code = 302

    def __init__(self, url: str) -> None:
        super().__init__()
        self["Location"] = url


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


def leave(
    request: HttpRequest, url: str, *, app_name: str = "", provider_title: str = "", is_error: bool = False
) -> HttpResponse:
    """Send the browser to another origin.

    A 302 after a GET. After a POST a short page with a link: Chromium applies `form-action` to the whole chain of
    redirects that a form starts, and Firefox's HTTPS-only mode blocks a 302 to `http://localhost`.
    """
    if request.method == "GET":
        response: HttpResponse = Redirect(url)
    else:
        parts = urlsplit(url)
        response = render_template(
            request,
            "authorize/returning.html",
            {
                "target_url": url,
                "kind": "provider" if provider_title else "client",
                "app_name": app_name,
                "provider_title": provider_title,
                "target_host": parts.hostname or redirects.host_of(url),
                "is_error": is_error,
            },
        )
    return private(response)


def private(response: HttpResponse) -> HttpResponse:
    """Personal pages and redirects with codes are stored nowhere."""
    response["Cache-Control"] = "no-store"
    return response


def page(
    request: HttpRequest,
    *,
    status: int,
    heading: str,
    explanation: str,
    steps: tuple[str, ...] = (),
    details: tuple[tuple[str, str], ...] = (),
    **links: str,
) -> HttpResponse:
    """A page that says what happened and what to do. `links`: return_url, return_label, retry_url, retry_label."""
    context: dict[str, Any] = {
        "heading": heading,
        "explanation": explanation,
        "steps": steps,
        "details": details,
        "request_id": getattr(request, "id", ""),
        **dict.fromkeys(("return_url", "return_label", "retry_url", "retry_label"), ""),
        **links,
    }
    return private(render_template(request, "authorize/error.html", context, status=status))


def unanswerable(request: HttpRequest, problem: Unanswerable) -> HttpResponse:
    """400, and never a redirect: nobody has shown that the address is the client's own."""
    if problem.problem in {"no_client", "unknown_client"}:
        return page(
            request,
            status=400,
            heading="This app is not registered here",
            explanation="The app that sent you here is not known to this server. Its registration may have been removed, "
            "or it belongs to another server.",
            steps=(
                "Go back to the app and remove this connection there, then add it again: that registers the app anew.",
                "In Claude Code or VS Code, clear the saved sign-in of this MCP server and connect again.",
                "For developers: register at /oauth/register and use the client_id you are given.",
            ),
            details=(("client_id sent", problem.sent[:200] or "none"),),
        )
    registered = (
        tuple(("Redirect URI registered", uri) for uri in problem.client.redirect_uris.split())
        if problem.client
        else ()
    )
    sent = (("Redirect URI sent", problem.sent[:500]),) if problem.sent else (("Redirect URI sent", "none"),)
    return page(
        request,
        status=400,
        heading="The app asked to be answered at an address it has not registered",
        explanation="To keep your sign-in from reaching somebody else, nothing was sent there.",
        steps=(
            "If you did not start this yourself, close this page.",
            "Otherwise remove the connection in the app and add it again.",
            "For developers: send exactly a registered redirect URI. On a loopback address only the port may differ.",
        ),
        details=(*sent, *registered),
    )
