"""What every endpoint has in common: it is counted, it may have a fault, and it refuses as OAuth refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from . import faults, knobs
from .counters import count
from .errors import OAuthError
from .faults import Fault
from .knobs import Knobs

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
NO_CACHE = {"Cache-Control": "no-cache"}  # public, but a knob can change it at any moment


@dataclass(frozen=True)
class Call:
    """One request, at one moment, under the knobs and the fault that were found at its start."""

    request: HttpRequest
    endpoint: str
    knobs: Knobs
    fault: Fault
    now: datetime

    def answer(self, document: Mapping[str, Any], headers: Mapping[str, str] = NO_STORE) -> JsonResponse:
        """`document`, unless a fault changes it."""
        return JsonResponse(faults.merged(document, self.fault.answer), headers=dict(headers))

    def refusal(self, error: OAuthError) -> JsonResponse:
        """RFC 6749 s5.2."""
        document = {"error": error.error, "error_description": error.description}
        status = 200 if _hides_errors(self.knobs, self.endpoint) else error.status
        return JsonResponse(document, status=status, headers={**NO_STORE, **error.headers})


def _hides_errors(habits: Knobs, endpoint: str) -> bool:
    """GitHub's token endpoint answers errors with status 200."""
    return habits.errors_with_200 and endpoint in {"token", "refresh"}


Handler = Callable[[Call], HttpResponse]
View = Callable[[HttpRequest], HttpResponseBase]
Name = Callable[[HttpRequest], str]


def endpoint(name: str | Name, counter: str, *methods: str) -> Callable[[Handler], View]:
    """Make a handler a view. `name` is the fault's knob, or finds it out from the request."""

    def decorate(handler: Handler) -> View:
        @require_http_methods(list(methods))
        @wraps(handler)
        def view(request: HttpRequest) -> HttpResponseBase:
            count(counter)
            fault_name = name if isinstance(name, str) else name(request)
            habits = knobs.load()
            fault = habits.claim_fault(fault_name)
            error_status = 200 if _hides_errors(habits, fault_name) else 400
            if spoiled := faults.interfere(fault, "start", error_status=error_status):
                return spoiled
            call = Call(request, fault_name, habits, fault, timezone.now())
            try:
                response = handler(call)
            except OAuthError as error:
                response = call.refusal(error)
            return faults.interfere(fault, "end", response, error_status=error_status) or response

        return view

    return decorate


def machine_endpoint(name: str | Name, counter: str, *methods: str) -> Callable[[Handler], View]:
    """The same for endpoints that no browser's cookie opens: they need no protection against forged forms."""

    def decorate(handler: Handler) -> View:
        return csrf_exempt(endpoint(name, counter, *methods)(handler))

    return decorate
