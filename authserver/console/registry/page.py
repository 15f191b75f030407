"""What stands beneath an app's form: what is merged into it, what operators wrote down, and its newest registrations."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.admin_base import ConsoleAdmin, actor
from authserver import app_registry
from authserver.console.registry.forms import NoteForm
from authserver.models import App, AppNote, Client

REGISTRATIONS, NOTES, ALIASES = 20, 50, 100


def context(model_admin: ConsoleAdmin, request: HttpRequest, app: App) -> dict[str, Any]:
    """For `admin/app_change_form.html`."""
    together = App.together([app.pk])
    clients = Client.objects.filter(app__in=together).order_by("-pk").select_related("app")[: REGISTRATIONS + 1]
    notes = AppNote.objects.filter(app__in=together).order_by("-pk").select_related("app")[: NOTES + 1]
    return {
        "aliases": app.aliases.order_by("pk")[:ALIASES],
        "clients": clients[:REGISTRATIONS],
        "more_clients": len(clients) > REGISTRATIONS,
        "notes": notes[:NOTES],
        "more_notes": len(notes) > NOTES,
        "note_form": NoteForm() if model_admin.has_change_permission(request) else None,
        "may_merge": model_admin.has_change_permission(request) and app.kind != App.Kind.CONFIGURED,
        "seen_clients": request.user.has_perm("authserver.view_client"),
    }


def note(model_admin: ConsoleAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """POST adds a note. To the app that the page shows, though it may have become an alias meanwhile: they read both."""
    if not model_admin.has_change_permission(request):  # before looking, so that nobody learns which rows there are
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    key = unquote(object_id)
    app = App.objects.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 19 else None
    if app is None:
        raise Http404
    form = NoteForm(request.POST)
    if form.is_valid():
        app_registry.note(
            app,
            form.cleaned_data["text"],
            actor=actor(request),
            now=timezone.now(),
            address=model_admin.address_of(request),
        )
        model_admin.message_user(request, _("The note was added."), messages.SUCCESS)
    else:
        wrong = " ".join(str(error) for errors in form.errors.values() for error in errors)
        model_admin.message_user(request, _("The note was not added: %s") % wrong, messages.ERROR)
    return HttpResponseRedirect(reverse("admin:authserver_app_change", args=[app.main_key]))
