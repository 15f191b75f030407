"""What every backend's vault does when things happen at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connection

from accounts.models import User
from accounts.vault.base import Approved, CredentialState, NotConnected, TokenSet, TokenVault
from tests.contracts.credentials import lease, read
from tests.contracts.people import HOUR, MINUTE, NOW, kept, opened, person, tokens

T = TypeVar("T")
ROUNDS = 20
RACERS = 5  # each holds a connection of the pool, and the test itself one more


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """`act(0)` to `act(count - 1)`, each in a thread with a database connection of its own, started together."""
    barrier = Barrier(count)

    def run(number: int) -> T:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def close_one(vault: TokenVault, tsids: list[str], number: int) -> bool:
    return bool(vault.sessions.close(tsids[number], reason="revoked", now=NOW))


class RacesContract:
    """The same, with threads that do it at the same moment. Tests are transactional: every thread sees what is there."""

    @pytest.fixture
    def vault(self) -> TokenVault:
        raise NotImplementedError

    def test_of_many_that_want_the_lease_one_gets_it(self, vault: TokenVault) -> None:
        github = kept(vault, person())
        assert sorted(at_once(RACERS, lambda number: lease(vault, github, f"holder-{number}"))) == [False] * (
            RACERS - 1
        ) + [True]

    def test_of_many_refreshes_one_is_stored(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        stored = at_once(
            RACERS, lambda number: vault.credentials.replace(github.id, TokenSet(f"a{number}"), version_seen=1, now=NOW)
        )
        assert stored.count(True) == 1
        entry = read(vault, tsid)
        assert entry.tokens.access_token == f"a{stored.index(True)}"
        assert entry.credential.version == 2

    def test_parallel_first_sign_ins_make_one_credential(self, vault: TokenVault) -> None:
        user = person()
        states = at_once(
            RACERS, lambda number: vault.credentials.keep(user.pk, "github", "42", tokens(str(number)), now=NOW)
        )
        assert len({state.id for state in states}) == 1
        assert sorted(state.version for state in states) == list(range(1, RACERS + 1))

    def test_whichever_way_a_sign_in_and_a_refresh_cross_the_sign_in_is_what_stays(self, vault: TokenVault) -> None:
        for _ in range(ROUNDS):
            user = person()
            github = kept(vault, user)
            tsid = opened(vault, user, github)

            def cross(number: int, user: User = user, github: CredentialState = github) -> None:
                if number:
                    vault.credentials.keep(user.pk, "github", github.subject, tokens("signed-in"), now=NOW)
                else:
                    vault.credentials.replace(github.id, tokens("refreshed"), version_seen=github.version, now=NOW)

            at_once(2, cross)
            assert read(vault, tsid).tokens == tokens("signed-in")

    def test_of_many_that_close_a_session_one_ended_it(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user))
        ended = at_once(RACERS, lambda number: bool(vault.sessions.close(tsid, reason=str(number), now=NOW)))
        assert sorted(ended) == [False] * (RACERS - 1) + [True]

    def test_sessions_of_one_credential_closed_at_once_destroy_it(self, vault: TokenVault) -> None:
        for _ in range(ROUNDS):
            user = person()
            credentials = [kept(vault, user, "github"), kept(vault, user, "google")]
            tsids = [opened(vault, user, *credentials), opened(vault, user, *reversed(credentials))]
            closed = at_once(2, partial(close_one, vault, tsids))
            assert closed == [True, True]
            assert vault.credentials.of_user(user.pk) == []

    def test_a_session_opened_while_the_last_other_one_closes_has_its_tokens_or_is_refused(
        self, vault: TokenVault
    ) -> None:
        for _ in range(ROUNDS):
            user = person()
            credentials = [kept(vault, user, "github"), kept(vault, user, "google")]
            closing = opened(vault, user, *credentials)

            def open_or_close(
                number: int,
                user: User = user,
                credentials: list[CredentialState] = credentials,
                closing: str = closing,
            ) -> str:
                if number:
                    vault.sessions.close(closing, reason="revoked", now=NOW)
                    return ""
                try:
                    return opened(vault, user, *reversed(credentials))
                except NotConnected:
                    return ""

            tsid = at_once(2, open_or_close)[0]
            if tsid:
                assert read(vault, tsid, "github").tokens == tokens()
                assert read(vault, tsid, "google").tokens == tokens()
            assert len(vault.credentials.of_user(user.pk)) == (2 if tsid else 0)

    def test_sweeping_from_two_places_counts_nothing_twice(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        for _ in range(20):
            opened(vault, user, github, idle_expires_at=NOW + MINUTE)
        swept = at_once(2, lambda _: vault.sessions.sweep(now=NOW + HOUR, limit=100))
        assert sum(swept) + vault.sessions.sweep(now=NOW + HOUR, limit=100) == 20
        assert vault.credentials.of_user(user.pk) == []

    def test_a_link_made_while_its_session_closes_is_never_left_behind(self, vault: TokenVault) -> None:
        for _ in range(ROUNDS):
            user = person()
            github, google = kept(vault, user, "github"), kept(vault, user, "google")
            tsid = opened(vault, user, github)

            def link_or_close(number: int, tsid: str = tsid, google: CredentialState = google) -> bool:
                if number:
                    return bool(vault.sessions.close(tsid, reason="revoked", now=NOW))
                try:
                    return vault.sessions.link(tsid, Approved(google.id, "google", ("mail",)), now=NOW)
                except NotConnected:
                    return False

            linked, closed = at_once(2, link_or_close)
            assert closed
            left = {state.provider for state in vault.credentials.of_user(user.pk)}
            assert left == (set() if linked else {"google"})

    def test_parallel_links_to_one_provider_make_one_with_all_scopes(self, vault: TokenVault) -> None:
        user = person()
        tsid, github = opened(vault, user), kept(vault, user)
        assert (
            at_once(
                RACERS,
                lambda number: vault.sessions.link(tsid, Approved(github.id, "github", (f"scope{number}",)), now=NOW),
            )
            == [True] * RACERS
        )
        assert set(read(vault, tsid).approved_scopes) == {f"scope{number}" for number in range(RACERS)}

    def test_of_many_that_claim_a_revocation_one_gets_it(self, vault: TokenVault) -> None:
        for _ in range(RACERS):
            user = person()
            vault.sessions.close(opened(vault, user, kept(vault, user)), reason="x", now=NOW, revoke_at={"github"})
        claims = at_once(RACERS, lambda _: vault.revocations.claim(now=NOW, until=NOW + HOUR, limit=2))
        claims.append(vault.revocations.claim(now=NOW, until=NOW + HOUR, limit=RACERS))
        handed_out = [queued.id for claim in claims for queued in claim]
        assert len(handed_out) == len(set(handed_out)) == RACERS
