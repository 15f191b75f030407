"""Splitting an alias out again: which registrations go with it, and what holds for them afterwards."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.admin_base import ConsoleAdmin, actor, row_for
from authserver import app_merging, cascade, receipts
from authserver.console import threshold
from authserver.console.registry import counts, filters
from authserver.console.registry.merging import tell_done
from authserver.console.registry.page import ALIASES
from authserver.console.sessions import ReasonForm
from authserver.models import App


def split_view(model_admin: ConsoleAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """GET lists the aliases, and shows what would change for the one that its address names; POST splits that out."""
    main = row_for(model_admin, request, object_id, allowed=model_admin.has_change_permission(request))
    if asked := threshold.ask_again(request):
        return asked
    wanted = filters.keys([request.GET.get("alias", "")], most=1)
    alias = counts.counted(main.aliases.filter(pk__in=wanted), now=timezone.now()).first()
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if alias and form.is_valid():
        return _split(model_admin, request, main, alias, form)
    after = app_merging.state_after_split(alias) if alias else None
    ending = alias if alias and after == App.State.BLOCKED and not alias.is_blocked else None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Split an app out again"),
        "opts": model_admin.opts,
        "object": main,
        "aliases": main.aliases.order_by("pk")[:ALIASES],
        "alias": alias,
        "after": after,
        "registrations": counts.registrations(alias) if alias else None,
        "people": counts.people(alias) if alias else None,
        "sessions": counts.sessions(alias) if alias else None,
        "preview": receipts.preview(cascade.sessions_of_app(ending), now=timezone.now()) if ending else None,
        "form": form,
    }
    return TemplateResponse(request, "admin/split_app.html", context)


def _split(model_admin: ConsoleAdmin, request: HttpRequest, main: App, alias: App, form: ReasonForm) -> HttpResponse:
    try:
        done = app_merging.split(
            main.pk,
            alias.pk,
            seen=request.POST.get("seen", ""),
            actor=actor(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
            address=model_admin.address_of(request),
        )
    except app_merging.Refused:
        said = _("Somebody else has decided about this app meanwhile. Look again before you split it out.")
        model_admin.message_user(request, said, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())
    tell_done(model_admin, request, _("This app is one of its own again."), done)
    return HttpResponseRedirect(reverse("admin:authserver_app_change", args=[alias.pk]))
