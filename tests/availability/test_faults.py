"""What happens when what is away, while clients are at work. The checker says what must hold in each of them."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.availability import agents, checker
from tests.availability import hosts as deployments
from tests.availability.agents import Agent, Load
from tests.availability.history import History
from tests.availability.hosts import PROVIDER, Hosts

SHORT_SECONDS = 8  # what the provider's tokens live: each is refreshed after four


@pytest.fixture
def history() -> History:
    return History()


@contextmanager
def everything_held_against(hosts: Hosts, history: History) -> Iterator[Load]:
    """A load, and the judgement over all it recorded."""
    hosts.knobs("POST", access_token_seconds=SHORT_SECONDS)
    with agents.load(hosts, history) as load:
        before = load.upstream_before
        until_refreshed_upstream(hosts, history, load)
        yield load
        until_refreshed_upstream(hosts, history, load)
    counted = hosts.knobs("GET")
    hosts.knobs("DELETE")
    assert checker.violations(history.operations, history.faults) == []
    upstream = checker.one_upstream_refresh_an_expiry(
        history.operations,
        refreshed=counted["refresh_successes"] - before["refresh_successes"],
        asked=counted["refresh_requests"] - before["refresh_requests"],
        replayed=counted["reuse_detected"] - before["reuse_detected"],
        people=2,
        losses=len(checker.lost_answers(history.operations, history.faults)),
    )
    assert list(upstream) == []


def until_refreshed_upstream(hosts: Hosts, history: History, load: Load) -> None:
    """Until clients have got on, and a token of the provider's ran out and was refreshed meanwhile."""
    before = hosts.knobs("GET")["refresh_successes"]
    load.go_on(history, until=20)
    while hosts.knobs("GET")["refresh_successes"] == before:
        load.go_on(history, until=1)


def test_postgresql_crashes_and_comes_back(hosts: Hosts, history: History) -> None:
    with everything_held_against(hosts, history):
        with history.fault("postgresql"):
            hosts.postgres.stop(signal.SIGQUIT)
            began = time.monotonic()
            while 503 not in history.answers("exchange", since=began):
                time.sleep(0.05)
            hosts.postgres.start()
        hosts.until_ready()


def test_the_shared_cache_goes_and_comes_back(hosts: Hosts, history: History) -> None:
    with everything_held_against(hosts, history) as load:
        hosts.topology.cache.stop(signal.SIGKILL)
        load.go_on(history, until=20)
        hosts.topology.cache.start()
    assert {one.status for one in history.operations} <= {200, 201, 400}, "no fault at all, for anybody"


def test_a_host_is_killed_in_the_middle_of_everything_and_comes_back(hosts: Hosts, history: History) -> None:
    with everything_held_against(hosts, history) as load, history.fault("host", loses_answers=True):
        hosts.topology.replicas[1].kill()
        load.go_on(history, until=20)
        hosts.topology.start_again(1)


def exchanges(crowd: list[Agent], history: History) -> Counter[tuple[int, str]]:
    """What each of them is told now, with every access token it holds."""
    before = len(history.operations)
    for agent in crowd:
        agent.exchange(agent.access_tokens[-1])
    return Counter((one.status, one.error) for one in history.operations[before:])


def test_the_provider_is_away_for_an_hour(hosts: Hosts, history: History) -> None:
    """What is held is given out while it lasts, nobody is sent to sign in again, and it all works again by itself.

    The hour passes in the vault: its tokens become an hour older.
    """
    hosts.knobs("POST", access_token_seconds=1800)
    with agents.load(hosts, history) as load:
        load.stop()
        crowd = load.agents
        before = hosts.knobs("GET")
        with history.fault("provider"):
            hosts.provider.stop()
            assert exchanges(crowd, history) == {(200, ""): len(crowd)}, "what is held still lasts"
            for agent in crowd:
                agent.refresh()
            assert crowd[0].begin(), "who has signed in before lets another app in"

            an_hour_passes(hosts)
            assert exchanges(crowd, history) == {(503, "temporarily_unavailable temporarily_unavailable"): len(crowd)}
            for agent in crowd:
                agent.refresh()  # our own tokens need nobody else
            assert hosts.dead_credentials() == 0

            hosts.provider = deployments.start_provider_again(hosts.provider)
        assert exchanges(crowd, history) == {(200, ""): len(crowd)}
        assert crowd[0].begin()
    counted = hosts.knobs("GET")
    assert counted["refresh_requests"] - before["refresh_requests"] == 2, "one for each person"
    assert (counted["reuse_detected"], hosts.dead_credentials()) == (before["reuse_detected"], 0)
    assert checker.violations(history.operations, history.faults) == []


AN_HOUR_PASSES = f"""
from dataclasses import replace
from datetime import timedelta
from django.utils import timezone
from accounts.models import Link
from accounts.vault import vault

now, hour = timezone.now(), timedelta(hours=1)
for tsid in {{link.credential_id: link.session_id for link in Link.objects.all()}}.values():
    entry = vault().credentials.tokens(tsid, "{PROVIDER}", now=now)
    held = entry.tokens
    older = replace(held, obtained_at=held.obtained_at - hour, expires_at=held.expires_at - hour)
    assert vault().credentials.replace(entry.credential.id, older, version_seen=entry.credential.version, now=now)
"""


def an_hour_passes(hosts: Hosts) -> None:
    """For everything that the provider gave."""
    done = hosts.topology.server.manage("shell", "--command", AN_HOUR_PASSES)
    assert done.returncode == 0, done.stderr
