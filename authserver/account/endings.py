"""What a person ends: first the page that says what would end with it, then the cascade, then the receipt."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.models import Credential, User
from authserver import cascade
from authserver.account import browsers, foresight, overview, pages
from authserver.account.events import PERSON
from authserver.account.names import names_of
from authserver.account.personal import actor, personal, see_other
from authserver.addresses import client_address
from authserver.cascade import Receipt
from authserver.models import Client, Consent

asks_first = require_http_methods(["GET", "HEAD", "POST"])


@asks_first
@personal
def disconnect(request: HttpRequest, person: User, provider: str) -> HttpResponse:
    """A connection, and the sessions that cannot do without it. What was approved with it is forgotten: otherwise an app
    could connect it again without a word."""
    if not Credential.objects.filter(user=person, provider=provider).exists():
        raise Http404
    if request.method == "POST":
        Consent.objects.filter(user=person, upstream_scopes__has_key=provider).delete()
        return _done(
            cascade.revoke_connection(
                person, provider, reason=PERSON, actor=actor(person), address=client_address(request)
            )
        )
    title = names_of((), (), [provider]).provider(provider)
    return _ask(
        request,
        heading=_("Disconnect %(provider)s?") % {"provider": title},
        sentences=foresight.of_disconnecting(person.pk, provider, title, now=timezone.now()),
        button=_("Disconnect %(provider)s") % {"provider": title},
    )


@asks_first
@personal
def remove_session(request: HttpRequest, person: User, tsid: str) -> HttpResponse:
    """One app's access to one server. What was approved for both is forgotten: the app has to ask again."""
    session = overview.open_sessions(person.pk, now=timezone.now()).filter(tsid=tsid).first()
    if session is None:
        raise Http404
    if request.method == "POST":
        Consent.objects.filter(
            user=person, client__client_id=session.client_id, resource__identifier=session.resource
        ).delete()
        receipt = cascade.revoke_session(tsid, reason=PERSON, actor=actor(person), address=client_address(request))
        return _done(receipt) if receipt else see_other("account")
    names = names_of([session.client_id], [session.resource], ())
    said = {"app": names.app(session.client_id), "resource": names.resource(session.resource)}
    return _ask(
        request,
        heading=_("Remove the access of %(app)s to %(resource)s?") % said,
        sentences=foresight.of_removing([tsid], now=timezone.now()),
        button=_("Remove access"),
    )


@asks_first
@personal
def remove_app(request: HttpRequest, person: User, client: int) -> HttpResponse:
    """All that one client may do."""
    found = Client.objects.filter(pk=client).first() if client < 2**63 else None
    tsids = cascade.sessions_with(person.pk, found.client_id) if found else ()
    if found is None or not tsids:
        raise Http404
    if request.method == "POST":
        return _done(
            cascade.revoke_access(
                person, found.client_id, reason=PERSON, actor=actor(person), address=client_address(request)
            )
        )
    app = names_of([found.client_id], (), ()).app(found.client_id)
    return _ask(
        request,
        heading=_("Remove all access of %(app)s?") % {"app": app},
        sentences=foresight.of_removing(tsids, now=timezone.now()),
        button=_("Remove access"),
    )


@asks_first
@personal
def sign_out(request: HttpRequest, person: User) -> HttpResponse:
    """This browser or all of them, and with `apps` every app too."""
    if request.method != "POST":
        others = len(browsers.rows_of(person, now=timezone.now())) - 1
        return render(request, "account/sign_out.html", {"others": others})
    everywhere, apps_too = request.POST.get("where") == "everywhere", "apps" in request.POST
    address = client_address(request)
    if apps_too:
        Consent.objects.filter(user=person).delete()
        cascade.revoke_user(person, reason=PERSON, actor=actor(person), address=address)
    browsers.sign_out(request, person, everywhere=everywhere)
    audit.record("browser_session.ended", reason=PERSON, actor=actor(person), user_id=person.pk, address=address,
                 everywhere=everywhere)  # fmt: skip
    return pages.signed_out(request, everywhere=everywhere, apps_too=apps_too)


def _ask(request: HttpRequest, *, heading: str, sentences: Sequence[str], button: str) -> HttpResponse:
    return render(request, "account/confirm.html", {"heading": heading, "sentences": sentences, "button": button})


def _done(receipt: Receipt) -> HttpResponse:
    return see_other("account-receipt", receipt.id)
