"""Merging apps that are really one: which of them stays, what that changes, and why it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin_base import ConsoleAdmin, actor
from authserver import app_merging, cascade, receipts
from authserver.app_merging import Block
from authserver.console import threshold
from authserver.console.receipts import receipt_url
from authserver.console.registry import counts, filters, words
from authserver.console.registry.forms import MergeForm
from authserver.models import App


@dataclass(frozen=True)
class Row:
    """One of the apps. `after` is its state once they are merged, None while the operator has a choice to make."""

    app: App
    suspicion: str
    registrations: counts.AtLeast
    people: counts.AtLeast
    sessions: counts.AtLeast
    after: str | None
    settings: Sequence[words.Setting]


@dataclass(frozen=True)
class Choice:
    """What the address names: the apps that there are of those, and the one of them that is to stay."""

    apps: Sequence[App]
    main: App | None
    others: Sequence[App]
    is_whole: bool
    """None of those that it names has been merged or removed meanwhile."""

    @property
    def is_possible(self) -> bool:
        return len(self.apps) > 1 and not any(app.kind == App.Kind.CONFIGURED for app in self.apps)


def merge_view(model_admin: ConsoleAdmin, request: HttpRequest) -> HttpResponse:
    """GET shows the apps that its address names, and once one of them is chosen what would change; POST merges them."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    if asked := threshold.ask_again(request):
        return asked
    choice = _choice(request)
    main = choice.main if choice.is_possible else None
    blocks = app_merging.blocks(main, choice.others) if main else ()
    form = MergeForm(blocks, request.POST if request.method == "POST" else None)
    if request.method == "POST" and not (main and choice.is_whole):
        return _overtaken(model_admin, request)
    if main and form.is_valid():
        return _merge(model_admin, request, main, choice.others, form)
    after = app_merging.afterwards(main, choice.others, "") if main and not blocks else {}
    ending = chain.from_iterable(cascade.sessions_of_app(app) for app in choice.apps if not app.is_blocked)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Merge apps"),
        "opts": model_admin.opts,
        "choice": choice,
        "main": main,
        "rows": [_row(app, main, after) for app in choice.apps],
        "blocks": blocks,
        "lifts": Block.LIFT in blocks,
        "preview": receipts.preview(ending, now=timezone.now()) if blocks else None,
        "form": form,
    }
    return TemplateResponse(request, "admin/merge_apps.html", context)


def _choice(request: HttpRequest) -> Choice:
    wanted = filters.keys(request.GET.getlist("app"), most=app_merging.MOST)
    into = filters.keys([request.GET.get("into", "")], most=1)
    standing = App.objects.filter(pk__in=wanted, merged_into=None).order_by("pk")
    apps = list(counts.counted(standing, now=timezone.now()))
    main = next((app for app in apps if app.pk in into), None)
    return Choice(apps, main, [app for app in apps if app is not main], len(apps) == len(wanted))


def _row(app: App, main: App | None, after: Mapping[int, str]) -> Row:
    state = str(App.State(after[app.pk]).label) if app.pk in after else None
    settings = list(words.differing(app, main)) if main and app is not main else []
    return Row(app, words.suspicion(app), counts.registrations(app), counts.people(app), counts.sessions(app),
               state, settings)  # fmt: skip


def _merge(
    model_admin: ConsoleAdmin, request: HttpRequest, main: App, others: Sequence[App], form: MergeForm
) -> HttpResponse:
    try:
        done = app_merging.merge(
            main.pk,
            [app.pk for app in others],
            seen=_seen(request.POST.getlist("seen")),
            block=form.cleaned_data.get("block", ""),
            actor=actor(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
            address=model_admin.address_of(request),
        )
    except app_merging.Refused:
        return _overtaken(model_admin, request)
    said = ngettext("Merged %(count)d app into this one.", "Merged %(count)d apps into this one.", len(others))
    tell_done(model_admin, request, said % {"count": len(others)}, done)
    return HttpResponseRedirect(reverse("admin:authserver_app_change", args=[main.pk]))


def _overtaken(model_admin: ConsoleAdmin, request: HttpRequest) -> HttpResponse:
    """Nothing was changed. Back to the same page, as things are now."""
    said = _("Somebody else has decided about one of these apps meanwhile. Look again before you merge them.")
    model_admin.message_user(request, said, messages.ERROR)
    return HttpResponseRedirect(request.get_full_path())


def _seen(unverified: Sequence[str]) -> dict[int, str]:
    """The states that the page showed, sent back as `12:approved`."""
    pairs = (one.partition(":") for one in unverified[: app_merging.MOST])
    return {filters.keys([key], most=1)[0]: state for key, _colon, state in pairs if filters.keys([key], most=1)}


def tell_done(model_admin: ConsoleAdmin, request: HttpRequest, said: str, done: app_merging.Done) -> None:
    if done.sessions:
        said += " " + ngettext("%d token session ended.", "%d token sessions ended.", done.sessions) % done.sessions
    message = format_html('{} <a href="{}">{}</a>', said, receipt_url(done.receipt), _("Show the receipt"))
    model_admin.message_user(request, message, messages.SUCCESS)
