"""What a provider does wrong while two processes refresh: nothing is lost that it still honours, and dead is said so.

The demo provider rotates refresh tokens, and ends the grant of one that comes twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.harness.demo import knobs
from tests.harness.oauth import claims
from tests.harness.person import Person
from tests.races.conftest import Racers

WAYS = 12


@pytest.fixture(autouse=True)
def as_it_should_be(racers: Racers) -> Iterator[None]:
    yield
    knobs(racers.servers[0], "DELETE")


def told(answers: list[httpx.Response]) -> Counter[Any]:
    """How many answers of each kind: "a token", or the state that stands in its way."""
    return Counter(answer.json().get("state", "a token") for answer in answers)


def counted(racers: Racers) -> tuple[int, int, int]:
    """Refreshes asked for, given, and refused for a token that came twice."""
    counters = knobs(racers.servers[0], "GET")
    return counters["refresh_requests"], counters["refresh_successes"], counters["reuse_detected"]


def deaths(racers: Racers, form: dict[str, str]) -> list[str]:
    with psycopg.connect(racers.servers[0].database_url, autocommit=True) as connection:
        sql = "SELECT reason FROM accounts_auditevent WHERE event = 'upstream.credential_died' AND tsid = %s"
        return [reason for (reason,) in connection.execute(sql, (claims(form["subject_token"])["tsid"],))]


TRANSIENT: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503},
    "429": {"status": 429},
    "404": {"status": 404},
    "a page": {"garbage": "html"},
    "half a document": {"garbage": "truncated"},
    "nothing at all": {"garbage": "empty"},
    "bytes": {"garbage": "binary"},
    "a document without end": {"garbage": "huge"},
    "a redirect to itself": {"redirect": "{issuer}/demo/idp/token"},
    "a redirect elsewhere": {"redirect": "https://elsewhere.example/token"},
    "hanging up early": {"close_early": True},
    "our secret refused": {"error": {"error": "invalid_client"}, "status": 401},
    "its own word for it": {"error": {"error": "temporarily_unavailable"}},
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_what_may_pass_is_said_so_and_costs_nothing(racers: Racers, fault: str) -> None:
    form = racers.with_an_expired_upstream_token()
    settings = {
        key: value.format(issuer=racers.issuer) if isinstance(value, str) else value
        for key, value in TRANSIENT[fault].items()
    }
    knobs(racers.servers[0], "POST", refresh=settings)
    answers = racers.at_once(form, WAYS)
    assert told(answers) == {"temporarily_unavailable": WAYS}
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    knobs(racers.servers[0], "POST", refresh=None)
    assert told(racers.at_once(form, WAYS)) == {"a token": WAYS}
    assert counted(racers)[1:] == (1, 0)
    assert deaths(racers, form) == []


def test_one_that_hangs_is_waited_for_ten_seconds_and_not_by_everybody(racers: Racers) -> None:
    """Who asked it is told; the others wait for that, and the next of them gets through."""
    form = racers.with_an_expired_upstream_token()
    knobs(racers.servers[0], "POST", refresh={"slow_seconds": 11, "status": 503, "times": 1})
    assert told(racers.at_once(form, 6)) == {"temporarily_unavailable": 1, "a token": 5}
    assert counted(racers)[1:] == (1, 0)


def test_one_that_is_slow_is_waited_for(racers: Racers) -> None:
    form = racers.with_an_expired_upstream_token()
    knobs(racers.servers[0], "POST", refresh={"slow_seconds": 2})
    assert told(racers.at_once(form, WAYS)) == {"a token": WAYS}
    assert counted(racers) == (1, 1, 0)


LOST: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "half a document": {"garbage": "truncated"},
    "hanging up early": {"close_early": True},
}


@pytest.mark.parametrize("fault", LOST)
def test_an_answer_that_is_lost_after_a_rotation_is_found_out_once(racers: Racers, fault: str) -> None:
    """The provider no longer honours what is held, and cannot be asked for what it gave."""
    form = racers.with_an_expired_upstream_token()
    knobs(racers.servers[0], "POST", refresh={**LOST[fault], "at": "end", "times": 1})
    assert told(racers.at_once(form, WAYS)) == {"temporarily_unavailable": 1, "needs_reauthorization": WAYS - 1}
    assert told(racers.at_once(form, WAYS)) == {"needs_reauthorization": WAYS}
    assert counted(racers) == (2, 1, 1)
    assert deaths(racers, form) == ["refused_by_provider"]


@pytest.mark.parametrize("fault", LOST)
def test_an_answer_that_is_lost_without_a_rotation_is_asked_for_again(racers: Racers, fault: str) -> None:
    form = racers.with_an_expired_upstream_token()
    knobs(racers.servers[0], "POST", rotate=False, refresh={**LOST[fault], "at": "end", "times": 1})
    assert told(racers.at_once(form, WAYS)) == {"temporarily_unavailable": 1, "a token": WAYS - 1}
    assert counted(racers) == (2, 2, 0)
    assert deaths(racers, form) == []


def test_an_answer_without_a_refresh_token_keeps_the_one_held(racers: Racers) -> None:
    form = racers.with_an_expired_upstream_token()
    over_at_once = {"answer": {"expires_in": 0}}
    knobs(racers.servers[0], "POST", no_refresh_token=["refresh"], refresh=over_at_once)
    tokens = {http.post("/oauth/token", data=form).json()["access_token"] for http in racers.https[10:14]}
    assert len(tokens) == 4
    assert counted(racers) == (4, 4, 0)


def test_a_refused_refresh_token_is_asked_about_once(racers: Racers) -> None:
    form = racers.with_an_expired_upstream_token()
    knobs(racers.servers[0], "POST", refresh={"error": {"error": "invalid_grant"}, "at": "end"})
    assert told(racers.at_once(form, WAYS)) == {"needs_reauthorization": WAYS}
    assert counted(racers)[0] == 1  # the fault comes at the end, after it was counted
    assert deaths(racers, form) == ["refused_by_provider"]


def test_another_persons_tokens_are_given_to_nobody(racers: Racers) -> None:
    form = racers.with_an_expired_upstream_token()
    knobs(racers.servers[0], "POST", refresh={"id_token": {"sub": "demo-ada"}})
    assert told(racers.at_once(form, WAYS)) == {"needs_reauthorization": WAYS}
    assert counted(racers) == (1, 1, 0)
    assert deaths(racers, form) == ["id_token_subject_changed"]


def test_new_keys_at_the_provider_stop_nobody(racers: Racers) -> None:
    """Neither a refresh nor, at either process, a new sign-in."""
    form = racers.with_an_expired_upstream_token()
    knobs(racers.servers[0], "POST", rotate_keys="replace")
    assert told(racers.at_once(form, WAYS)) == {"a token": WAYS}
    for server in racers.servers:
        racers.person = Person("Grace")
        answer = httpx.post(f"{server.url}/oauth/token", data=racers.code_form(*racers.approve()))
        assert answer.status_code == 200, answer.text
