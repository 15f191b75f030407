"""An operator at a browser who comes into the console through a provider, and the policy that lets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.test import Client as Http

from accounts.models import User
from authserver import policy
from authserver.models import Policy
from tests.harness import policies
from tests.unit.console.crawl import ROOT
from tests.unit.upstream.journeys import query_of
from upstream import http as outbound

ROLES = {"security_administrator": ["admins"], "operator": ["on-call", "sre"], "viewer": ["everybody"]}
BEGIN = f"{ROOT}upstream-sign-in/"


@contextmanager
def let_in_by(upstream: str = "fake", **more: Any) -> Iterator[None]:
    """The configuration file's `console.sign_in`, in force."""
    sign_in = {"upstream": upstream, "groups_claim": "groups", "roles": ROLES, **more}
    with policies.in_force(console={"sign_in": sign_in}):
        yield


def change(**more: Any) -> None:
    """The same, while it is in force; `None` takes the section away."""
    row = Policy.objects.get()
    row.console = {"sign_in": {**row.console["sign_in"], **more}} if more else {}
    row.save()
    policy.forget()


@dataclass
class Browser:
    """`asked` is what the provider was asked last."""

    http: Http = field(default_factory=Http)
    asked: dict[str, str] = field(default_factory=dict)

    def press(self, url: str = BEGIN, **form: str) -> Any:
        return self.http.post(url, form)

    def at_provider(self, page: Any) -> str:
        """Where the provider sends the browser back to, after the page that leads there."""
        url = page.context["target_url"]
        self.asked = query_of(url)
        answer = outbound.request("GET", url, allow_private_network=True)
        assert answer.status == 302, answer
        parts = urlsplit(answer.headers["Location"])
        return f"{parts.path}?{parts.query}"

    def sign_in(self, **form: str) -> Any:
        """The whole way; the answer of the page behind the callback."""
        return self.come_back(self.at_provider(self.press(**form)))

    def come_back(self, callback: str) -> Any:
        answer = self.http.get(callback)
        assert answer.status_code == 302, answer.content
        return self.http.get(answer["Location"])

    def prove(self, next_url: str = ROOT) -> Any:
        """The page that asks who they are, by the provider."""
        return self.come_back(self.at_provider(self.press(f"{ROOT}confirm/?next={next_url}")))

    @property
    def is_in(self) -> bool:
        return bool(self.http.get(ROOT).status_code == 200)

    @property
    def user(self) -> User:
        return User.objects.get(pk=self.http.session["_auth_user_id"])
