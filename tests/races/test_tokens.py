"""Codes and refresh tokens under real parallel requests: two processes, one PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from tests.harness.oauth import claims
from tests.races.conftest import WAYS, Racers

ROUNDS = 80


def rows(racers: Racers, sql: str, *values: object) -> list[tuple[object, ...]]:
    """What the servers' own database says."""
    url = racers.servers[0].database_url
    with psycopg.connect(url) as connection:
        return connection.execute(sql, values).fetchall()


@pytest.mark.parametrize("part", range(4))
def test_of_twelve_parallel_redemptions_one_succeeds_and_nothing_is_left_over(racers: Racers, part: int) -> None:
    for _ in range(ROUNDS // 4):
        answers = racers.at_once(racers.code_form(*racers.approve()))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] + [400] * (WAYS - 1)
        assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
        (won,) = (answer.json() for answer in answers if answer.status_code == 200)
        tsid = claims(won["access_token"])["tsid"]
        assert rows(racers, "SELECT count(*) FROM authserver_refreshtoken WHERE tsid = %s", tsid) == [(1,)]


@pytest.mark.parametrize("part", range(4))
def test_twelve_parallel_refreshes_get_twelve_identical_answers_and_one_lineage(racers: Racers, part: int) -> None:
    flow, code = racers.approve()
    token = racers.one(racers.code_form(flow, code)).json()
    tsid = claims(token["access_token"])["tsid"]
    for generation in range(2, ROUNDS // 4 + 2):
        answers = racers.at_once(racers.refresh_form(token["refresh_token"]))
        assert [answer.status_code for answer in answers] == [200] * WAYS
        assert len({answer.content for answer in answers}) == 1
        token = answers[0].json()
        lineage = rows(racers, "SELECT generation, revoked FROM authserver_refreshtoken WHERE tsid = %s", tsid)
        assert lineage == [(generation, None)]


def test_a_grandparent_presented_by_twelve_at_once_ends_the_session_once(racers: Racers) -> None:
    flow, code = racers.approve()
    grandparent = racers.one(racers.code_form(flow, code)).json()
    parent = racers.one(racers.refresh_form(grandparent["refresh_token"])).json()
    child = racers.one(racers.refresh_form(parent["refresh_token"])).json()
    answers = racers.at_once(racers.refresh_form(grandparent["refresh_token"]))
    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(400, "invalid_grant")}
    assert racers.one(racers.refresh_form(child["refresh_token"])).json()["error"] == "invalid_grant"
    tsid = claims(child["access_token"])["tsid"]
    ended = rows(racers, "SELECT count(*) FROM accounts_auditevent WHERE event = 'session.revoked' AND tsid = %s", tsid)
    assert ended == [(1,)]


def test_after_a_late_replay_nothing_of_the_session_works(racers: Racers) -> None:
    flow, code = racers.approve()
    first = racers.one(racers.code_form(flow, code)).json()
    second = racers.one(racers.refresh_form(first["refresh_token"])).json()
    tsid = claims(first["access_token"])["tsid"]
    url = racers.servers[0].database_url
    with psycopg.connect(url) as connection:  # the replay window is over
        connection.execute(
            "UPDATE authserver_refreshtoken SET replay_until = now() - interval '1 second' WHERE tsid = %s", (tsid,)
        )
    assert racers.one(racers.refresh_form(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert racers.one(racers.refresh_form(second["refresh_token"])).json()["error"] == "invalid_grant"
