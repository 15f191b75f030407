"""What people read when a visit from their own page is over, or could not be."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from authserver import responses, visit_outcomes
from authserver.responses import page
from upstream.models import Provider, Visit


def reconnected(request: HttpRequest, provider: Provider) -> HttpResponse:
    return page(
        request,
        status=200,
        heading=_("%(provider)s is connected") % {"provider": provider.title},
        explanation=_("Your apps go on working with it; nothing else changed."),
        links=_to_the_page(),
    )


def of_visit(request: HttpRequest, visit: Visit) -> HttpResponse:
    """What was stored before is untouched by all of them."""
    said = visit_outcomes.in_words(visit)
    if visit.purpose == Visit.Purpose.SIGN_IN and visit.outcome == Visit.Outcome.DENIED:
        said = _("You are not signed in"), _("You did not agree there. Nothing was changed.")
    if said is None:
        return failed(request, visit.provider)
    heading, explanation = said
    return page(request, status=403, heading=heading, explanation=explanation, links=_to_the_page())


def failed(request: HttpRequest, provider: Provider) -> HttpResponse:
    return page(
        request,
        status=502,
        heading=_("%(provider)s gave no answer that can be used") % {"provider": provider.title},
        explanation=_("The provider did not confirm it. What was stored before is untouched."),
        links=_to_the_page(),
    )


def nothing_came_back(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("This address leads nowhere"),
        explanation=_("It belongs to a sign-in in another browser, or to one that was long ago. Nothing was changed."),
        links=_to_the_page(),
    )


def signed_out(request: HttpRequest, *, everywhere: bool, apps_too: bool) -> HttpResponse:
    apps = _("No app has access any more.") if apps_too else _("Your apps keep their access.")
    browsers = _("You are signed out in every browser.") if everywhere else _("You are signed out in this browser.")
    return page(
        request, status=200, heading=_("You are signed out"), explanation=f"{browsers} {apps}", links=_to_the_page()
    )


def too_often(request: HttpRequest, wait_seconds: int) -> HttpResponse:
    return responses.too_often(request, wait_seconds, heading=_("Too many attempts from your network"), reloads=False)


def _to_the_page() -> dict[str, str]:
    return {"return_url": reverse("account"), "return_label": _("To your page")}
