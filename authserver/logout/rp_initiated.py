"""`/oauth/logout`, the `end_session_endpoint` (OpenID Connect RP-Initiated Logout 1.0): the browser session ends.

At once for an app that shows an ID token of the very person who is signed in; everybody else's visitors are asked. A page
of another site that only links here can so sign nobody out, and nobody is sent where no client has registered to be.
What apps were allowed to do lives on, and the page says so.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import auth
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.browser import browser_hash, ensure_browser, remember
from accounts.models import User
from authserver import languages, limits, policy, redirects, responses
from authserver.addresses import client_address, network_of
from authserver.errors import OAuthError
from authserver.logout.asked import PARAMETERS, Asked, read
from authserver.parameters import form, query
from authserver.people import signed_in
from authserver.responses import Redirect, page, private

TICKET = "ticket"
_SALT = "authserver.logout"


@csrf_exempt  # apps may POST here (section 2); what signs out is a ticket bound to the browser, or an ID token
@require_http_methods(["GET", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """An app's request, or the answer to our own question."""
    try:
        given = form(request, PARAMETERS | {TICKET}) if request.method == "POST" else query(request, PARAMETERS)
    except OAuthError as error:
        return malformed(request, error)
    languages.speak(given.get("ui_locales", ""))
    wait_seconds = limits.hit("logout", network_of(client_address(request)))
    if wait_seconds is not None:
        return too_often(request, wait_seconds)
    if TICKET in given:
        return confirmed(request, given[TICKET])
    if request.method == "POST":  # from another site it came without cookies; the GET that follows has them (SameSite)
        return see(given)
    asked, person = read(given), signed_in(request)
    if person is None:
        return left(request, asked) if asked.hinted else over(request, asked)
    if asked.flaw or asked.hinted != person.pk:
        return ask(request, asked, person, given)
    sign_out(request, person, asked)
    return left(request, asked)


def ask(request: HttpRequest, asked: Asked, person: User, given: dict[str, str]) -> HttpResponse:
    """Section 2: without a hint, and with one of somebody else's, the person decides. Writes nothing."""
    kept = {name: value for name, value in given.items() if name != "id_token_hint" or asked.hinted}
    ticket = signing.dumps([kept, ensure_browser(request), str(person.pk)], salt=_SALT, compress=True)
    context = {**about(asked), "form_action": reverse("logout"), "ticket": ticket, "person": str(person)}
    return private(remember(request, render(request, "logout/confirm.html", context)))


def confirmed(request: HttpRequest, unverified: str) -> HttpResponse:
    """The button was pressed, on a page that this browser was shown, by whoever is still signed in."""
    try:
        given, shown_to, person_id = signing.loads(unverified, salt=_SALT, max_age=policy.current().lifetimes.pending)
    except (signing.BadSignature, ValueError, TypeError):
        return see({})
    if shown_to != browser_hash(request):
        return see({})
    languages.speak(given.get("ui_locales", ""))
    asked, person = read(given), signed_in(request)
    if person is not None:
        if str(person.pk) != person_id:
            return see(given)
        sign_out(request, person, asked)
    return over(request, asked, goes_on=True)


def sign_out(request: HttpRequest, person: User, asked: Asked) -> None:
    """The session's row goes: an old cookie opens nothing."""
    auth.logout(request)
    audit.record("browser_session.ended", reason="logout", user_id=person.pk,
                 client_id=asked.client.client_id if asked.client else "", address=client_address(request))  # fmt: skip


def left(request: HttpRequest, asked: Asked) -> HttpResponse:
    """Back to the app, if it has said where; its ID token shows that the person has been there."""
    return private(Redirect(asked.return_url)) if asked.return_url else over(request, asked)


def over(request: HttpRequest, asked: Asked, *, goes_on: bool = False) -> HttpResponse:
    """ "You are signed out". It goes on by itself only where the person has pressed the button that said so."""
    return private(render(request, "logout/signed_out.html", {**about(asked), "goes_on": goes_on}))


def about(asked: Asked) -> dict[str, Any]:
    """What both pages say."""
    return {
        "app_name": asked.client.name if asked.client else "",
        "return_url": asked.return_url,
        "return_host": redirects.host_of(asked.return_url) if asked.return_url else "",
        "flaw": asked.flaw,
    }


def see(given: dict[str, str]) -> HttpResponse:
    """303: the same, asked by GET."""
    kept = {name: value for name, value in given.items() if name in PARAMETERS}
    response = Redirect(f"{reverse('logout')}?{urlencode(kept)}" if kept else reverse("logout"))
    response.status_code = 303
    return private(response)


def malformed(request: HttpRequest, error: OAuthError) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("The app's request cannot be read"),
        explanation=_("What the app sent is damaged or incomplete. Nobody was signed out."),
        details=((_("Reason"), error.description),),
    )


def too_often(request: HttpRequest, wait_seconds: int) -> HttpResponse:
    return responses.too_often(request, wait_seconds, heading=_("Too many attempts from your network"), reloads=True)
