"""Every limit, at the endpoint that it is for: the request too many is answered 429, with the seconds to wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client as Http
from pytest_django import Settings

from authserver import limits, rate_limits
from authserver.grant_types import TOKEN_EXCHANGE
from tests.harness.approval import RESOURCE_SERVER_SECRET, make_resource, make_resource_server, post
from tests.harness.server import ROOT
from tests.unit.api.conftest import basic

pytestmark = pytest.mark.django_db

CALLER = {"client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET}
WAITING = "/oauth/authorize/approval/00000000-0000-4000-8000-000000000000/state"
UNKNOWN_SESSION = f"/api/v1/sessions/{'a' * 32}/upstream-tokens"


def asking(path: str, **headers: str) -> Callable[[], Any]:
    return lambda: Http().get(path, headers=headers)


def sending(path: str, **form: str) -> Callable[[], Any]:
    return lambda: Http().post(path, form)


ASKS: dict[str, list[Callable[[], Any]]] = {
    "token": [
        lambda: post({"grant_type": "refresh_token", "client_id": "nobody", "refresh_token": "asr_x"}),
        lambda: Http().post(
            "/oauth/revoke", "token=x&client_id=nobody", content_type="application/x-www-form-urlencoded"
        ),
    ],
    "register": [lambda: Http().post("/oauth/register", {}, content_type="application/json")],
    "authorize": [asking("/oauth/authorize?client_id=nobody")],
    "userinfo": [asking("/oauth/userinfo", Authorization="Bearer made-up")],
    "exchange": [lambda: post({"grant_type": TOKEN_EXCHANGE, "subject_token": "x", **CALLER})],
    "api": [asking(UNKNOWN_SESSION, **basic())],
    "api_unknown": [asking(UNKNOWN_SESSION, **basic())],
    "introspect": [
        lambda: Http().post("/oauth/introspect", _form({"token": "x", **CALLER}), "application/x-www-form-urlencoded")
    ],
    "client_authentication": [
        lambda: post({"grant_type": TOKEN_EXCHANGE, "subject_token": "x", **CALLER, "client_secret": "a guess"}),
        asking(UNKNOWN_SESSION, Authorization="Bearer made-up"),
    ],
    "logout": [asking("/oauth/logout")],
    "backchannel_logout": [sending("/oauth/backchannel-logout/github", logout_token="a.b.c")],
    "admin_login": [sending("/admin/login/", username="root", password="a guess")],
    "approval": [sending("/oauth/authorize/approval", ticket="x", note="")],
    "approval_state": [asking(WAITING)],
}
CASES = [(name, number) for name, asks in ASKS.items() for number in range(len(asks))]


def _form(fields: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in fields.items())


@pytest.fixture(autouse=True)
def fresh_windows() -> Iterator[None]:
    limits._limiter.cache_clear()
    yield
    limits._limiter.cache_clear()


def test_every_limit_is_asked_for_here() -> None:
    assert set(ASKS) == set(rate_limits.DEFAULTS)


@pytest.mark.parametrize(("name", "number"), CASES, ids=[f"{name}-{number}" for name, number in CASES])
def test_the_request_too_many_hears_how_long_to_wait(name: str, number: int, settings: Settings) -> None:
    make_resource_server(make_resource())
    settings.RATE_LIMITS = {**dict.fromkeys(settings.RATE_LIMITS, ""), name: "2/minute"}
    answers = [ASKS[name][number]() for _ in range(3)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert re.fullmatch(r"[1-9]|[1-5][0-9]|60", answers[2]["Retry-After"])


def test_no_limit_is_counted_that_is_not_in_the_list() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "authserver").rglob("*.py"))
    counted = set(re.findall(r'limits\.(?:hit|enforce)\(\s*"(\w+)"', sources)) | {"admin_login"}
    assert counted == set(rate_limits.DEFAULTS)
