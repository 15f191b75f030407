"""What is measured of our own server: each operation's requests, made ready before the clock runs, and its budget."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from urllib.parse import parse_qs, urlsplit

from bench import load
from bench.deployment import CLIENT_ID, REDIRECT_URI, RESOURCE, RESOURCE_SERVER, Deployment
from bench.http import Answer, Request, basic, get, post_form, post_json

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REGISTRATION = {
    "client_name": "Bench", "redirect_uris": ["http://127.0.0.1:7777/callback"],
    "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """Statements a request and CPU milliseconds, of application and database, at most: what was to be reached first, and
    then. A guide for the CPU time, a rule for the statements."""

    statements: tuple[int, int]
    cpu_milliseconds: tuple[float, float]


@dataclass(frozen=True)
class Operation:
    """`prepare` gives ready requests, `expect` is the status each is answered with, `after` learns from the answers."""

    name: str
    budget: Budget | None
    prepare: Callable[[int], list[Request]]
    expect: int = 200
    after: Callable[[Sequence[Answer]], None] = lambda answers: None
    times: int = 1
    """How many times as many requests it takes, being cheap, to be measured as well as the others."""


def of(deployment: Deployment) -> list[Operation]:
    """In the order of the budgets' table."""
    seeded, authorization = deployment.seeded, basic(RESOURCE_SERVER, deployment.resource_server_secret)

    def always(request: Request) -> Callable[[int], list[Request]]:
        return lambda count: [request] * count

    def authorize(count: int) -> list[Request]:
        browsers = islice(cycle(seeded.browsers), count)
        return [get("/oauth/authorize", _authorization(RESOURCE), Cookie=browser["cookie"]) for browser in browsers]

    def code(count: int) -> list[Request]:
        answers = load.drive(deployment.target.port, authorize(count), expect=302).answers
        return [redemption(answer, CLIENT_ID) for answer in answers]

    def refresh(count: int) -> list[Request]:
        return [
            post_form("/oauth/token", {"grant_type": "refresh_token", "client_id": CLIENT_ID,
                                       "refresh_token": session["refresh_token"]})
            for session in seeded.sessions[:count]
        ]  # fmt: skip

    def refreshed(answers: Sequence[Answer]) -> None:
        for session, answer in zip(seeded.sessions, answers, strict=False):
            session["refresh_token"] = answer.json()["refresh_token"]

    def exchange(sessions: list[dict[str, str]]) -> Callable[[int], list[Request]]:
        def requests(count: int) -> list[Request]:
            return [
                post_form("/oauth/token", {"grant_type": EXCHANGE, "subject_token": session["access_token"],
                                           "subject_token_type": ACCESS_TOKEN}, Authorization=authorization)
                for session in sessions[:count]
            ]  # fmt: skip

        return requests

    def introspect(count: int) -> list[Request]:
        return [
            post_form("/oauth/introspect", {"token": session["access_token"]}, Authorization=authorization)
            for session in islice(cycle(seeded.sessions[:200]), count)
        ]

    def revoke(count: int) -> list[Request]:
        """From the other end of the list: what is revoked is of no more use to anybody."""
        ended = [seeded.sessions.pop() for _ in range(count)]
        return [post_form("/oauth/revoke", {"client_id": CLIENT_ID, "token": one["refresh_token"]}) for one in ended]

    return [
        Operation("metadata", Budget((0, 0), (0.35, 0.28)),
                  always(get("/.well-known/oauth-authorization-server")), times=4),
        Operation("jwks", Budget((0, 0), (0.35, 0.28)), always(get("/.well-known/jwks.json")), times=4),
        Operation("register", Budget((3, 2), (1.5, 1.0)), always(post_json("/oauth/register", REGISTRATION)), 201),
        Operation("authorize", Budget((5, 5), (3, 2)), authorize, 302),
        Operation("code", Budget((5, 3), (1.5, 1.0)), code),
        Operation("refresh", Budget((4, 3), (1.2, 0.8)), refresh, after=refreshed),
        Operation("exchange", Budget((4, 3), (1.4, 1.0)), exchange(seeded.sessions)),
        Operation("exchange-refresh", Budget((6, 6), (4, 2.5)), exchange(seeded.due)),
        Operation("introspect", Budget((2, 2), (1.0, 0.7)), introspect),
        Operation("revoke", Budget((6, 4), (1.5, 1.5)), revoke),
    ]  # fmt: skip


def _authorization(resource: str) -> dict[str, str]:
    return {
        "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI, "state": secrets.token_urlsafe(16),
        "code_challenge": CHALLENGE, "code_challenge_method": "S256", "resource": resource,
    }  # fmt: skip


def redemption(answer: Answer, client_id: str, redirect_uri: str = REDIRECT_URI, path: str = "/oauth/token") -> Request:
    """The token request for the code that this answer sends the browser back with."""
    code = parse_qs(urlsplit(answer.location).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "client_id": client_id, "redirect_uri": redirect_uri,
            "code_verifier": VERIFIER}  # fmt: skip
    return post_form(path, form)
