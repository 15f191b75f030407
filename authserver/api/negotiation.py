"""Content negotiation: there is none. Every answer is JSON, as at the OAuth endpoints, whatever `Accept` says."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request


class AlwaysJson(BaseContentNegotiation):
    """RFC 9110 section 12.5.1 lets a server disregard `Accept`; a caller that wants something else can say so to nobody."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
