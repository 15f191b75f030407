"""What people read when an upstream stands in the way of an authorization: why, and what they may do about it.

One that the resource does not require can be left out; the others can be tried once more, or end at the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from authserver.authorize.pages import back
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.upstreams import optional
from authserver.models import PendingAuthorization
from authserver.responses import Choices, page
from upstream.models import Provider, Visit


@dataclass(frozen=True)
class Obstacle:
    """An upstream that a visit of this purpose to it did not clear away."""

    request: HttpRequest
    asked: AuthorizationRequest
    pending: PendingAuthorization
    provider: Provider
    purpose: Visit.Purpose

    @property
    def may_be_left_out(self) -> bool:
        """Without a connection an authorization can go on; without a sign-in it cannot."""
        return self.purpose == Visit.Purpose.CONNECT and self.provider.name in optional(self.asked)

    @property
    def names(self) -> dict[str, str]:
        return {"provider": self.provider.title, "resource": self.asked.resource.name}

    def page(
        self,
        *,
        status: int,
        heading: str,
        explanation: str,
        again: str,
        steps: tuple[str, ...] = (),
        details: tuple[tuple[str, str], ...] = (),
        error: str = "access_denied",
    ) -> HttpResponse:
        """What happened; then once more, and on without it where that can be, else back to the client."""
        buttons = [("try_again", self.provider.name, again)]
        links = None
        if self.may_be_left_out:
            buttons.append(("go_on_without", self.provider.name, _("Go on without %(provider)s") % self.names))
        else:
            links = back(self.asked, error, f"The visit to {self.provider.name} brought nothing.")
        return page(
            self.request,
            status=status,
            heading=heading,
            explanation=explanation,
            steps=steps,
            details=details,
            choices=Choices(reverse("authorize-continue", args=[self.pending.pk]), tuple(buttons)),
            links=links,
        )


def of_visit(met: Obstacle, outcome: str) -> HttpResponse:
    """The page about a visit that brought nothing."""
    if outcome == Visit.Outcome.DENIED:
        return declined(met)
    if outcome == Visit.Outcome.IN_USE:
        return in_use(met)
    if outcome == Visit.Outcome.ANOTHER:
        return another_account(met)
    if outcome == Visit.Outcome.NOT_ALLOWED:
        return not_let_in(met)
    return failed(met, reason="sign_in_failed")


def declined(met: Obstacle) -> HttpResponse:
    """Only where it may be left out: declining one that is needed is the client's to hear."""
    return met.page(
        status=200,
        heading=_("%(provider)s was not connected") % met.names,
        explanation=_("You did not agree there. %(resource)s works without it, but cannot use it for you.") % met.names,
        again=_("Ask me again"),
    )


def in_use(met: Obstacle) -> HttpResponse:
    return met.page(
        status=403,
        heading=_("This %(provider)s account belongs to another person here") % met.names,
        explanation=_(
            "Somebody else has signed in or connected with it on this server, so it cannot be connected to you as well. "
            "Nothing was changed."
        ),
        steps=(
            _("If you have another account at %(provider)s, take that one.") % met.names,
            _("If it is your own: start again, choose “Not you?”, and sign in with %(provider)s itself.") % met.names,
        ),
        again=_("Choose another account"),
    )


def another_account(met: Obstacle) -> HttpResponse:
    return met.page(
        status=403,
        heading=_("You have connected a different %(provider)s account before") % met.names,
        explanation=_("Here a person has one account at %(provider)s. What is stored of yours is untouched.")
        % met.names,
        steps=(_("At %(provider)s, choose the account that you used the first time.") % met.names,),
        again=_("Choose the other account"),
    )


def not_let_in(met: Obstacle) -> HttpResponse:
    return met.page(
        status=403,
        heading=_("This %(provider)s account is not let in here") % met.names,
        explanation=_("%(provider)s knows you, but whoever runs this server lets only certain accounts in.")
        % met.names,
        steps=(
            _("If you have another account, for example one of your organisation, sign in with that one."),
            _("Otherwise ask the people who run this server, and tell them the request id below."),
        ),
        again=_("Try another account"),
    )


def failed(met: Obstacle, *, reason: str) -> HttpResponse:
    heading = (
        _("Connecting %(provider)s did not work")
        if met.purpose == Visit.Purpose.CONNECT
        else _("Signing in with %(provider)s did not work")
    )
    return met.page(
        status=502,
        heading=heading % met.names,
        explanation=_("%(provider)s gave no answer that can be used. Nothing was approved and nothing was stored.")
        % met.names,
        steps=(
            _("Try once more; often that is enough."),
            _("If it happens again, tell the people who run this server the request id below."),
        ),
        details=((_("What failed"), reason),),
        again=_("Try again"),
        error="server_error",
    )


def not_granted(met: Obstacle, lacking: Sequence[str]) -> HttpResponse:
    return met.page(
        status=403,
        heading=_("%(provider)s did not give what %(resource)s needs") % met.names,
        explanation=_("Some of the permissions were left out or refused there."),
        steps=(_("Ask again, and leave every permission selected at %(provider)s.") % met.names,),
        details=((_("What is missing"), " ".join(lacking)),) if lacking else (),
        again=_("Ask again"),
    )


def switched_off(met: Obstacle) -> HttpResponse:
    """Only of one that is needed: others are left out without a word. Trying again would change nothing."""
    return page(
        met.request,
        status=503,
        heading=_("%(provider)s is switched off here") % met.names,
        explanation=_("%(resource)s needs it. Whoever runs this server can switch it on again.") % met.names,
        links=back(met.asked, "server_error", "An upstream that is needed is switched off."),
    )
