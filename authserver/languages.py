"""Which language a person reads: the one the app asked for, else the one their browser asks for, else English.

`settings.LANGUAGES` says what there is. An app asks by `ui_locales` (OpenID Connect Core section 3.1.2.1), and whoever
knows that request calls `speak`; a `connect_url` knows of none. No cookie, no path: an address says the same to all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header

from authserver.machine_paths import MACHINE_PATHS
from authserver.middleware import under

MAX_UI_LOCALES = 100
ENGLISH_PATHS = (*MACHINE_PATHS, "/demo/")
"""Read by programs and by those who write them."""


def supported() -> list[str]:
    """The tags of the languages there are, English first."""
    return [tag for tag, _name in settings.LANGUAGES]


def bounded(ui_locales: str) -> str:
    """What an app may say; more than that is as good as nothing, and no error."""
    return ui_locales if len(ui_locales) <= MAX_UI_LOCALES else ""


def asked_for(ui_locales: str) -> str:
    """The first of these languages that there is; empty if there is none."""
    return first_known(bounded(ui_locales).split(" "))


def speak(ui_locales: str) -> None:
    """Go on in what the app asked for, until the request ends. Nothing changes if we do not have it."""
    if language := asked_for(ui_locales):
        translation.activate(language)


def first_known(tags: Iterable[str]) -> str:
    """RFC 4647 section 3.4, lookup: `de-AT` finds `de`, in whatever case. Empty for nothing."""
    known = supported()
    for tag in tags:
        wanted = tag.lower()
        while wanted:
            if wanted in known:
                return wanted
            wanted = wanted.rpartition("-")[0]
    return ""


def of_browser(request: HttpRequest) -> str:
    """By `Accept-Language` (RFC 9110 section 12.5.4)."""
    ranges = parse_accept_lang_header(request.headers.get("Accept-Language", ""))
    return first_known(tag for tag, quality in ranges if quality > 0) or settings.LANGUAGE_CODE


class Languages:
    """Instead of Django's LocaleMiddleware, which believes a cookie, speaks to programs too, and leaves the language of
    one request to whatever its thread does next."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        in_english = under(request, ENGLISH_PATHS)
        with translation.override(settings.LANGUAGE_CODE if in_english else of_browser(request)):
            response = self.get_response(request)
            if response.get("Content-Type", "").startswith("text/"):
                response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
                if not in_english:
                    patch_vary_headers(response, ("Accept-Language",))
        return response
