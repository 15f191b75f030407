"""What bounds a token exchange: the caller's allowance, which is its own, and the scopes of one request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from authserver import limits
from authserver.grant_types import TOKEN_EXCHANGE
from tests.harness.approval import RESOURCE_SERVER_SECRET, Approval, approve, make_provider, make_resource_server, post

pytestmark = pytest.mark.django_db
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture(autouse=True)
def fresh_windows() -> Iterator[None]:
    limits._limiter.cache_clear()
    yield
    limits._limiter.cache_clear()


@pytest.fixture
def approval() -> Approval:
    made = approve(provider=make_provider())
    make_resource_server(made.resource)
    return made


@pytest.fixture
def subject_token(approval: Approval) -> str:
    token: str = approval.redeem()["access_token"]
    return token


def exchange(subject_token: str, secret: str = RESOURCE_SERVER_SECRET, **form: str) -> Any:
    named = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN}
    return post({**named, "client_id": "rs-a", "client_secret": secret, **form})


def test_a_caller_has_an_allowance_and_hears_how_long_to_wait(subject_token: str, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "exchange": "2/minute"}
    assert [exchange(subject_token).status_code for _ in range(3)] == [200, 200, 429]
    refused = exchange(subject_token)
    assert refused.json()["error"] == "temporarily_unavailable"
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_nobody_else_can_use_up_a_callers_allowance(subject_token: str, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "exchange": "2/minute", "client_authentication": ""}
    for _ in range(5):
        assert exchange(subject_token, secret="a guess").status_code == 401
    assert exchange(subject_token).status_code == 200


def test_guesses_at_a_secret_are_counted_by_address(subject_token: str, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "client_authentication": "2/minute"}
    guesses = [exchange(subject_token, secret="a guess").status_code for _ in range(4)]
    assert guesses == [401, 401, 429, 429]


@pytest.mark.parametrize(
    "scope", [" ".join(f"s{number}" for number in range(51)), "x" * 129, 'say"so', "back\\slash", "tab\tbed", "ümlaut"]
)
def test_scopes_are_bounded_in_number_and_shape(subject_token: str, scope: str) -> None:
    answer = exchange(subject_token, scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
