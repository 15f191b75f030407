"""What a decision's line says, and by which name a request is known."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from django.test import Client as Http
from pytest_django import Settings

from authserver import conf
from tests.harness.approval import approve, post
from tests.harness.oauth import claims

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines() -> Any:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        yield logs


def test_a_refresh_has_one_line_that_says_whose_it_is(lines: list[dict[str, Any]]) -> None:
    approval = approve()
    tokens = approval.redeem()
    lines.clear()
    answer = post(approval.refresh_form(tokens["refresh_token"]))
    [line] = lines
    assert (line["event"], line["grant"], line["outcome"]) == ("token", "refresh_token", "ok")
    assert line["client_id"] == approval.client.client_id
    assert line["tsid"] == claims(tokens["access_token"])["tsid"]
    assert line["request_id"] == answer["X-Request-ID"]


def test_a_refused_refresh_has_one_line_that_says_why(lines: list[dict[str, Any]]) -> None:
    approval = approve()
    form = approval.refresh_form(approval.redeem()["refresh_token"])
    lines.clear()
    post({**form, "scope": "more"})
    [line] = [line for line in lines if line["event"] == "refused"]
    assert line["error"] == "invalid_scope"
    assert line["client_id"] == approval.client.client_id


@pytest.mark.parametrize(
    ("proxies", "given", "taken"),
    [
        (1, "01JD9Z-edge.7", True),
        (0, "01JD9Z-edge.7", False),
        (1, "short", False),
        (1, "x" * 65, False),
        (1, "with space and\ttab", False),
        (1, "{'$ne': 1}", False),
        (1, "-leading-dash", False),
    ],
)
def test_a_trusted_proxys_name_for_a_request_is_taken_if_it_is_one(
    settings: Settings, proxies: int, given: str, taken: bool
) -> None:
    settings.AUTHSERVER = {**settings.AUTHSERVER, "trusted_proxies": proxies}
    conf.load.cache_clear()
    try:
        answered = Http().get("/livez", headers={"X-Request-ID": given})["X-Request-ID"]
    finally:
        conf.load.cache_clear()
    assert (answered == given) is taken
    assert len(answered) >= 8
