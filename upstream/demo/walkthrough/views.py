"""`/demo/`: shows the walk, does the next step, and takes the answer to the authorization request."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from . import places, story, walk
from .masking import in_query
from .steps import STEPS, VARIANTS, Doing, Stuck
from .wire import Unreachable, Wire

NAMES = tuple(STEPS)
MAX_PARAMETER = 4096


@require_http_methods(["GET", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return take(request, request.POST.get("step", ""))
    return show(request, walk.load(request))


def show(request: HttpRequest, reached: walk.Walk, *, problem: str = "", status: int = 200) -> HttpResponse:
    current = next((name for name in NAMES if not reached.is_done(name)), "")
    response = render(request, "walkthrough/index.html", {
        "steps": [chapter(name, reached, current) for name in NAMES],
        "parties": [(name, *words) for name, words in story.PARTIES.items() if words[1]],
        "finished": not current,
        "begun": bool(reached.records),
        "problem": problem,
        "mcp_server": places.mcp_server(),
    }, status=status)  # fmt: skip
    response["Cache-Control"] = "no-store"
    return response


def chapter(name: str, reached: walk.Walk, current: str) -> dict[str, Any]:
    """One step as the template needs it."""
    record = reached.records.get(name, {})
    claims: dict[str, Any] = record.get("claims", {})
    return {
        "name": name,
        "chapter": story.CHAPTERS[name],
        "is_current": name == current,
        "is_done": reached.is_done(name),
        "record": record,
        "messages": [
            message | {"from": story.PARTIES[message["sender"]][0], "to": story.PARTIES[message["receiver"]][0]}
            for message in record.get("messages", [])
        ],
        "claims": [
            (claim, readable(claim, claims[claim]), words) for claim, words in story.CLAIMS.items() if claim in claims
        ],
        "authorization_url": reached.authorization_url() if name == current == "authorize" else "",
    }


def readable(claim: str, value: Any) -> str:
    if claim in {"iat", "exp"} and isinstance(value, int):
        return f"{value} ({datetime.fromtimestamp(value, UTC):%H:%M:%S} UTC)"
    return str(value)


def take(request: HttpRequest, wanted: str) -> HttpResponse:
    """Do the step, if it is the next one; then show the page anew, so that reloading does nothing twice."""
    if wanted == "reset":
        response = HttpResponseRedirect(reverse("walkthrough"))
        walk.forget(request, response)
        return response
    reached = walk.load(request)
    current = next((name for name in NAMES if not reached.is_done(name)), "")
    name, do = VARIANTS.get(wanted, (wanted, STEPS.get(wanted)))
    if name != current or do is None:
        return HttpResponseRedirect(reverse("walkthrough") + (f"#{current}" if current else ""))
    doing, record = Doing(), {}
    try:
        do(reached, doing)
    except Stuck as why:
        record = {"stuck": str(why), "stuck_url": why.url}
        if why.rewind_to:
            for later in NAMES[NAMES.index(why.rewind_to) : NAMES.index(name)]:
                reached.records.pop(later, None)
    except Unreachable as why:
        record = {"stuck": _("No answer came (%(reason)s). Try again.") % {"reason": why}}
    reached.records[name] = {
        **record,
        "messages": doing.wire.records,
        "findings": doing.findings,
        "claims": doing.claims,
    }
    response = HttpResponseRedirect(f"{reverse('walkthrough')}#{name}")
    walk.save(request, response, reached)
    return response


@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """The client's redirect URI. Checks what a client owes itself: its own state, and the issuer (RFC 9207)."""
    reached = walk.load(request)
    given = {name: request.GET.get(name, "")[:MAX_PARAMETER] for name in ("code", "error", "state", "iss")}
    if not reached.state or not hmac.compare_digest(given["state"].encode(), reached.state.encode()):
        return show(
            request,
            reached,
            status=400,
            problem=_("That answer belongs to no request of this browser. Nothing was done with it."),
        )
    if given["iss"] != reached.metadata.get("issuer"):
        return show(
            request,
            reached,
            status=400,
            problem=_("That answer comes from another issuer (RFC 9207). Nothing was done with it."),
        )
    wire = Wire()
    asked = reached.authorization_url()
    wire.note("browser", "authserver", f"GET {_path(asked)}", "GET " + in_query(asked))
    wire.note("browser", "client", f"GET {request.path}", "GET " + in_query(request.get_full_path()))
    record: dict[str, Any] = {"messages": wire.records}
    if given["code"]:
        reached.code = given["code"]
        reached.state = ""  # answered
        record["findings"] = [(_("State and issuer"), _("are the ones the client expects"))]
    else:
        reached.prepare_authorization()
        record["stuck"] = refusal(given["error"])
    reached.records["authorize"] = record
    response = HttpResponseRedirect(f"{reverse('walkthrough')}#{'token' if given['code'] else 'authorize'}")
    walk.save(request, response, reached)
    return response


def refusal(error: str) -> str:
    if error == "access_denied":
        return _("You said no. The client hears “access_denied” and nothing else. You can ask again.")
    return _("Authserver answered with an error: %(error)s. You can ask again.") % {"error": error[:80]}


def _path(url: str) -> str:
    return in_query(url).partition("\n")[0]
