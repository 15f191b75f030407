"""What every page of a person's own starts from: somebody is signed in, and nothing of the answer is kept anywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.models import User
from authserver.people import signed_in
from authserver.responses import Redirect, private


def personal(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Call `view(request, person, ...)`; whoever is not signed in goes to the page that lets them."""

    @wraps(view)
    def for_person(request: HttpRequest, **named: Any) -> HttpResponse:
        person = signed_in(request)
        return see_other("account") if person is None else private(view(request, person, **named))

    return for_person


def see_other(name: str, *args: Any) -> HttpResponse:
    """To another page of ours, with GET (RFC 9110 section 15.4.4)."""
    response = Redirect(reverse(name, args=args))
    response.status_code = 303
    return private(response)


def actor(person: User) -> str:
    """As the audit trail names a person who acts for themselves."""
    return f"user:{person.pk}"
