"""Answers to a browser: on to another origin, or a page that says what happened and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authserver import redirects


class Redirect(HttpResponse):
    """A 302 to any scheme: the target was checked against the client's registration, not against a list of schemes."""

    status_code = 302

    def __init__(self, url: str) -> None:
        super().__init__()
        self["Location"] = url


@dataclass(frozen=True)
class Choices:
    """Buttons of a page, the likelier first: each a name, a value and its words, sent to `url`, which may ask for a CSRF
    token (`protected`)."""

    url: str
    buttons: tuple[tuple[str, str, str], ...]
    protected: bool = False


def leave(
    request: HttpRequest, url: str, *, app_name: str = "", provider_title: str = "", is_error: bool = False
) -> HttpResponse:
    """Send the browser to another origin.

    A 302 after a GET or HEAD. After a POST a short page with a link: Chromium applies `form-action` to the whole chain of
    redirects that a form starts, and Firefox's HTTPS-only mode blocks a 302 to `http://localhost`.
    """
    if request.method in {"GET", "HEAD"}:
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
    links: dict[str, str] | None = None,
    choices: Choices | None = None,
) -> HttpResponse:
    """A page that says what happened and what to do.

    `links`: return_url, return_label, retry_url, retry_label.
    """
    context: dict[str, Any] = {
        "heading": heading,
        "explanation": explanation,
        "steps": steps,
        "details": details,
        "choices": choices,
        "request_id": getattr(request, "id", ""),
        **dict.fromkeys(("return_url", "return_label", "retry_url", "retry_label"), ""),
        **(links or {}),
    }
    return private(render_template(request, "authorize/error.html", context, status=status))


def too_often(request: HttpRequest, wait_seconds: int, *, heading: str, reloads: bool) -> HttpResponse:
    """429 with `Retry-After`. `reloads`: the same address is to be loaded again, not the step before it tried again."""
    words = (
        ngettext(
            "Wait one second, then load this page again.",
            "Wait %(seconds)s seconds, then load this page again.",
            wait_seconds,
        )
        if reloads
        else ngettext("Wait one second, then try again.", "Wait %(seconds)s seconds, then try again.", wait_seconds)
    )
    response = page(
        request,
        status=429,
        heading=heading,
        explanation=_("To protect everybody, this address has to wait a little."),
        steps=(words % {"seconds": wait_seconds},),
    )
    response["Retry-After"] = str(wait_seconds)
    return response
