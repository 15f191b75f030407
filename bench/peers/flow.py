"""The operations of a peer: what each endpoint takes, made of the answers of the ones before."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

from bench import load
from bench.http import Answer, Request, basic, get, post_form, post_json
from bench.operations import CHALLENGE, REGISTRATION, Operation, redemption
from bench.target import Target


class Unavailable(Exception):
    """What a peer needs is not on this machine: the message says what, and whose."""


@dataclass(frozen=True)
class Endpoints:
    metadata: str
    jwks: str
    register: str
    authorize: str
    token: str
    introspect: str
    revoke: str


@dataclass(frozen=True)
class Peer:
    """A running peer with a public client whose people (`cookies`) have agreed, and a confidential one that introspects."""

    target: Target
    endpoints: Endpoints
    client_id: str
    redirect_uri: str
    cookies: list[str] = field(repr=False)
    introspector: tuple[str, str] = field(repr=False)
    scope: str = "read"
    authorize_status: int = 302
    resource: str = ""
    """What the tokens are for (RFC 8707), where the peer knows resources."""
    introspected_resource: str = ""
    """The same for the tokens that are introspected, where not all can be."""
    sign_in: Callable[[], str] | None = field(default=None, repr=False)
    """Cookies of one person more, where a revocation takes the consent with it."""
    fewer: int = 1
    """By how much to divide the number of requests, the peer being slow."""

    def operations(self) -> list[Operation]:
        """Under the names of our own."""
        at = self.endpoints

        def always(request: Request) -> Callable[[int], list[Request]]:
            return lambda count: [request] * count

        return [
            Operation("metadata", None, always(get(at.metadata)), times=4),
            Operation("jwks", None, always(get(at.jwks)), times=4),
            Operation("register", None, always(post_json(at.register, REGISTRATION)), 201),
            Operation("authorize", None, self._authorize, self.authorize_status),
            Operation("code", None, self._code),
            Operation("refresh", None, self._refresh),
            Operation("introspect", None, self._introspect),
            Operation("revoke", None, self._revoke),
        ]

    def warm_up(self, count: int) -> None:
        """Each operation so many times, measured by nobody: for a peer that compiles itself while it runs."""
        for operation in self.operations():
            self._drive(operation.prepare(count * operation.times), operation.expect)

    def _authorize(self, count: int, cookies: Sequence[str] = (), resource: str = "") -> list[Request]:
        query = authorization(self.client_id, self.redirect_uri, self.scope, resource or self.resource)
        browsers = islice(cycle(cookies or self.cookies), count)
        return [get(self.endpoints.authorize, query, Cookie=cookie) for cookie in browsers]

    def _code(self, count: int, cookies: Sequence[str] = (), resource: str = "") -> list[Request]:
        answers = self._drive(self._authorize(count, cookies, resource), self.authorize_status)
        return [redemption(answer, self.client_id, self.redirect_uri, self.endpoints.token) for answer in answers]

    def _tokens(self, count: int, cookies: Sequence[str] = (), resource: str = "") -> list[dict[str, str]]:
        return [answer.json() for answer in self._drive(self._code(count, cookies, resource), 200)]

    def _refresh(self, count: int) -> list[Request]:
        return [
            post_form(self.endpoints.token, {"grant_type": "refresh_token", "client_id": self.client_id,
                                             "refresh_token": tokens["refresh_token"]})
            for tokens in self._tokens(count)
        ]  # fmt: skip

    def _introspect(self, count: int) -> list[Request]:
        some = self._tokens(min(count, 50), resource=self.introspected_resource)
        return [
            post_form(
                self.endpoints.introspect, {"token": tokens["access_token"]}, Authorization=basic(*self.introspector)
            )
            for tokens in islice(cycle(some), count)
        ]

    def _revoke(self, count: int) -> list[Request]:
        cookies = [self.sign_in() for _ in range(count)] if self.sign_in else ()
        return [
            post_form(self.endpoints.revoke, {"client_id": self.client_id, "token": tokens["refresh_token"]})
            for tokens in self._tokens(count, cookies)
        ]

    def _drive(self, requests: list[Request], expect: int) -> list[Answer]:
        return load.drive(self.target.port, requests, expect=expect).answers


def authorization(client_id: str, redirect_uri: str, scope: str, resource: str) -> dict[str, str]:
    """The query of an authorization request."""
    query = {
        "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": scope,
        "state": secrets.token_urlsafe(16), "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    return {**query, "resource": resource} if resource else query
