"""What every backend's queue of revocations does."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from accounts.models import User
from accounts.vault.base import Approved, Revocable, TokenVault
from tests.contracts.people import DAY, HOUR, MINUTE, NOW, kept, opened, person, tokens


def claimed(vault: TokenVault, seconds_from_now: int = 0, limit: int = 10) -> list[Revocable]:
    now = NOW + seconds_from_now * (MINUTE / 60)
    return list(vault.revocations.claim(now=now, until=now + MINUTE, limit=limit))


def ended(vault: TokenVault, user: User, *providers: str) -> tuple[str, list[UUID]]:
    """A session with a credential at each of these, closed: github's is to be revoked there."""
    credentials = [kept(vault, user, provider) for provider in providers]
    tsid = opened(vault, user, *credentials)
    vault.sessions.close(tsid, reason="admin", now=NOW, revoke_at={"github"})
    return tsid, [credential.id for credential in credentials]


class RevocationsContract:
    @pytest.fixture
    def vault(self) -> TokenVault:
        raise NotImplementedError

    def test_the_end_of_the_last_session_queues_what_the_provider_is_to_be_told(self, vault: TokenVault) -> None:
        user = person()
        tsid, (github, _) = ended(vault, user, "github", "google")
        (queued,) = claimed(vault)
        assert (queued.id, queued.user_id, queued.provider, queued.tsid) == (github, user.pk, "github", tsid)
        assert queued.subject == f"subject-of-{user.pk}"
        assert queued.attempts == 1
        assert queued.tokens == tokens()
        assert vault.credentials.of_user(user.pk) == []

    def test_nothing_is_queued_while_another_session_uses_the_credential(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        first, second = opened(vault, user, github), opened(vault, user, github)
        vault.sessions.close(first, reason="admin", now=NOW, revoke_at={"github"})
        assert claimed(vault) == []
        vault.sessions.close(second, reason="admin", now=NOW, revoke_at={"github"})
        assert [queued.tsid for queued in claimed(vault)] == [second]

    def test_nothing_is_queued_where_nobody_is_to_be_told(self, vault: TokenVault) -> None:
        user = person()
        vault.sessions.close(opened(vault, user, kept(vault, user)), reason="admin", now=NOW)
        assert claimed(vault) == []

    def test_the_sweep_queues_too(self, vault: TokenVault) -> None:
        users = [person() for _ in range(3)]
        tsids = {opened(vault, user, kept(vault, user), idle_expires_at=NOW + MINUTE) for user in users}
        kept(vault, person())  # never linked
        vault.sessions.sweep(now=NOW + DAY, limit=100, revoke_at={"github"})
        assert {queued.tsid for queued in claimed(vault, 86400)} == {*tsids, ""}

    def test_a_link_that_moves_queues_what_it_left(self, vault: TokenVault) -> None:
        user = person()
        old = kept(vault, user)
        tsid = opened(vault, user, old)
        new = vault.credentials.keep(user.pk, "github", "another account", tokens("new"), now=NOW)
        vault.sessions.link(tsid, Approved(new.id, "github", ("repo",)), now=NOW, revoke_at={"github"})
        assert [(queued.id, queued.tsid) for queued in claimed(vault)] == [(old.id, tsid)]

    def test_what_is_claimed_is_not_handed_out_again_until_its_time(self, vault: TokenVault) -> None:
        ended(vault, person(), "github")
        assert [queued.attempts for queued in claimed(vault)] == [1]
        assert claimed(vault, 59) == []
        assert [queued.attempts for queued in claimed(vault, 60)] == [2]

    def test_what_is_postponed_waits(self, vault: TokenVault) -> None:
        ended(vault, person(), "github")
        (queued,) = claimed(vault)
        vault.revocations.postpone(queued.id, outcome="http_503", until=NOW + HOUR)
        assert claimed(vault, 3599) == []
        assert [again.id for again in claimed(vault, 3600)] == [queued.id]

    def test_what_is_finished_is_over(self, vault: TokenVault) -> None:
        ended(vault, person(), "github")
        (queued,) = claimed(vault)
        vault.revocations.finish(queued.id, state="done", outcome="revoked", now=NOW)
        vault.revocations.postpone(queued.id, outcome="late", until=NOW)
        assert claimed(vault, 86400) == []

    def test_the_longest_due_comes_first_and_no_more_than_asked_for(self, vault: TokenVault) -> None:
        for _ in range(3):
            ended(vault, person(), "github")
        three = claimed(vault)
        for minutes, queued in zip((3, 1, 2), three, strict=True):
            vault.revocations.postpone(queued.id, outcome="http_503", until=NOW + minutes * MINUTE)
        assert [queued.id for queued in claimed(vault, 3600, limit=2)] == [three[1].id, three[2].id]
        assert [queued.id for queued in claimed(vault, 3600)] == [three[0].id]

    def test_one_that_is_not_there_is_nobodys_error(self, vault: TokenVault) -> None:
        vault.revocations.finish(uuid4(), state="done", outcome="revoked", now=NOW)
        vault.revocations.postpone(uuid4(), outcome="http_503", until=NOW)
