"""What every backend's credentials do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import pytest

from accounts.models import User
from accounts.vault.base import (
    MAX_TOKEN_BYTES,
    Closed,
    CredentialState,
    Entry,
    NotConnected,
    SessionGone,
    TokenSet,
    TokenVault,
    TooLarge,
    Unstorable,
    VaultError,
)
from tests.contracts.people import DAY, HOUR, MINUTE, NOW, kept, opened, person, tokens

AWKWARD = 'nul\x00 half\ud800pair quote" back\\slash ünïcødé \U0001f511 line\r\nbreak'


def read(vault: TokenVault, tsid: str, provider: str = "github") -> Entry:
    return vault.credentials.tokens(tsid, provider, now=NOW)


def lease(vault: TokenVault, credential: CredentialState, holder: str = "me", seconds_from_now: int = 0) -> bool:
    now = NOW + seconds_from_now * (MINUTE / 60)
    return vault.credentials.lease(
        credential.id, version_seen=credential.version, holder=holder, until=now + MINUTE, now=now
    )


class CredentialsContract:
    @pytest.fixture
    def vault(self) -> TokenVault:
        raise NotImplementedError

    def test_what_was_kept_comes_back_exactly(self, vault: TokenVault) -> None:
        user = person()
        given = tokens(refresh_expires_at=NOW + 30 * DAY, token_type="bearer")
        github = vault.credentials.keep(user.pk, "github", "42", given, now=NOW)
        entry = read(vault, opened(vault, user, github))
        assert entry.tokens == given
        assert entry.credential == github
        assert entry.approved_scopes == ("repo",)
        assert entry.session.user_id == user.pk
        assert (github.user_id, github.provider, github.subject) == (user.pk, "github", "42")
        assert github.live
        assert github.refreshable
        assert github.scopes == ("repo", "read:user")
        assert github.expires_at == NOW + HOUR

    def test_a_token_set_may_be_no_more_than_an_access_token(self, vault: TokenVault) -> None:
        user = person()
        github = vault.credentials.keep(user.pk, "github", "42", TokenSet("gho_1"), now=NOW)
        assert not github.refreshable
        assert github.expires_at is None
        assert read(vault, opened(vault, user, github)).tokens == TokenSet("gho_1")

    @pytest.mark.parametrize("name", ["access_token", "refresh_token", "id_token"])
    @pytest.mark.parametrize("value", [AWKWARD, "x" * 256, "x" * 4097, "x" * MAX_TOKEN_BYTES], ids=len)
    def test_a_token_of_any_text_up_to_the_limit_is_stored_exactly(
        self, vault: TokenVault, name: str, value: str
    ) -> None:
        user = person()
        given = tokens(**{name: value})
        tsid = opened(vault, user, vault.credentials.keep(user.pk, "github", "42", given, now=NOW))
        assert read(vault, tsid).tokens == given

    @pytest.mark.parametrize("name", ["access_token", "refresh_token", "id_token", "token_type"])
    def test_a_token_over_the_limit_is_refused_and_nothing_changes(self, vault: TokenVault, name: str) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        too_large = tokens("new", **{name: "ü" * (MAX_TOKEN_BYTES // 2) + "x"})
        with pytest.raises(TooLarge, match=name) as refused:
            vault.credentials.keep(user.pk, "github", github.subject, too_large, now=NOW)
        with pytest.raises(TooLarge):
            vault.credentials.replace(github.id, too_large, version_seen=github.version, now=NOW)
        assert isinstance(refused.value, VaultError)
        assert isinstance(refused.value, ValueError)
        assert read(vault, tsid).tokens == tokens()

    def test_an_answer_without_an_access_token_is_refused(self, vault: TokenVault) -> None:
        with pytest.raises(Unstorable):
            vault.credentials.keep(person().pk, "github", "42", TokenSet(""), now=NOW)

    def test_scopes_of_any_shape_are_kept_exactly_and_listed_where_they_are_scopes(self, vault: TokenVault) -> None:
        user = person()
        odd = ("repo", "nul\x00", "two words", "", "half\ud800", "https://www.googleapis.com/auth/drive", "ü")
        github = vault.credentials.keep(user.pk, "github", "42", tokens(scopes=odd), now=NOW)
        assert github.scopes == ("repo", "https://www.googleapis.com/auth/drive")
        assert read(vault, opened(vault, user, github)).tokens.scopes == odd

    def test_more_scopes_than_anybody_needs_are_refused(self, vault: TokenVault) -> None:
        with pytest.raises(TooLarge, match="scopes"):
            vault.credentials.keep(person().pk, "github", "42", tokens(scopes=("x" * 100,) * 200), now=NOW)

    @pytest.mark.parametrize("subject", ["", "nul\x00", "half\ud800", "line\nbreak", "x" * 256])
    def test_a_subject_is_stored_whole_or_not_at_all(self, vault: TokenVault, subject: str) -> None:
        with pytest.raises(Unstorable):
            vault.credentials.keep(person().pk, "github", subject, tokens(), now=NOW)

    def test_signing_in_again_renews_the_same_credential_for_every_session(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsids = [opened(vault, user, github), opened(vault, user, github)]
        again = vault.credentials.keep(user.pk, "github", github.subject, tokens("again"), now=NOW + HOUR)
        assert (again.id, again.version) == (github.id, github.version + 1)
        assert [read(vault, tsid).tokens for tsid in tsids] == [tokens("again")] * 2

    def test_a_sign_in_without_refresh_and_id_token_keeps_the_old_ones(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user, refresh_expires_at=NOW + 30 * DAY)
        tsid = opened(vault, user, github)
        bare = TokenSet("access-again", scopes=("repo",), expires_at=NOW + 2 * HOUR)
        assert vault.credentials.keep(user.pk, "github", github.subject, bare, now=NOW).refreshable
        assert read(vault, tsid).tokens == replace(
            bare, refresh_token="refresh-first", id_token="id-first", refresh_expires_at=NOW + 30 * DAY
        )

    def test_two_subjects_of_one_provider_are_two_credentials_the_latest_sign_in_first(self, vault: TokenVault) -> None:
        user = person()
        for hours, subject in enumerate(["work", "home", "work"]):
            vault.credentials.keep(user.pk, "github", subject, tokens(), now=NOW + hours * HOUR)
        vault.credentials.keep(user.pk, "google", "work", tokens(), now=NOW)
        kept(vault, person())
        assert [state.subject for state in vault.credentials.of_user(user.pk, "github")] == ["work", "home"]
        assert len(vault.credentials.of_user(user.pk)) == 3

    @pytest.mark.parametrize("provider", ["google", "", "nul\x00", "half\ud800", "x" * 33])
    def test_a_session_reads_only_providers_it_is_linked_to(self, vault: TokenVault, provider: str) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user))
        kept(vault, user, "google")
        with pytest.raises(NotConnected):
            read(vault, tsid, provider)

    def test_each_provider_of_a_session_has_its_own_tokens(self, vault: TokenVault) -> None:
        user = person()
        credentials = [
            vault.credentials.keep(user.pk, name, "42", tokens(name), now=NOW) for name in ("github", "google")
        ]
        tsid = opened(vault, user, *credentials)
        assert read(vault, tsid, "github").tokens == tokens("github")
        assert read(vault, tsid, "google").tokens == tokens("google")

    def test_a_refresh_stores_the_rotated_tokens_and_ends_its_lease(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        assert lease(vault, github)
        assert vault.credentials.replace(github.id, tokens("rotated"), version_seen=github.version, now=NOW)
        entry = read(vault, tsid)
        assert entry.tokens == tokens("rotated")
        assert entry.credential.version == github.version + 1
        assert lease(vault, entry.credential, "another")

    def test_a_refresh_that_is_not_to_be_given_out_is_stored_dead_in_one_write(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        assert lease(vault, github)
        assert vault.credentials.replace(
            github.id, tokens("wrong"), version_seen=github.version, now=NOW, dead_reason="id_token_subject_changed"
        )
        entry = read(vault, tsid)
        assert entry.tokens == tokens("wrong")
        assert (entry.credential.live, entry.credential.dead_reason) == (False, "id_token_subject_changed")
        assert entry.credential.version == github.version + 1
        assert not lease(vault, entry.credential, "another")

    def test_a_refresh_that_omits_tokens_and_scopes_keeps_the_old_ones(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user, refresh_expires_at=NOW + 30 * DAY)
        tsid = opened(vault, user, github)
        assert vault.credentials.replace(github.id, TokenSet("access-2"), version_seen=github.version, now=NOW)
        assert read(vault, tsid).tokens == replace(
            tokens(), access_token="access-2", expires_at=None, refresh_expires_at=NOW + 30 * DAY
        )

    def test_a_new_refresh_token_brings_its_own_end(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user, refresh_expires_at=NOW + 30 * DAY)
        tsid = opened(vault, user, github)
        vault.credentials.replace(github.id, TokenSet("a", "r"), version_seen=github.version, now=NOW)
        assert read(vault, tsid).tokens.refresh_expires_at is None

    def test_of_two_refreshes_that_saw_one_version_the_second_stores_nothing(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        assert vault.credentials.replace(github.id, tokens("winner"), version_seen=github.version, now=NOW)
        assert not vault.credentials.replace(github.id, tokens("loser"), version_seen=github.version, now=NOW)
        assert not vault.credentials.replace(github.id, TokenSet("loser"), version_seen=github.version, now=NOW)
        assert not vault.credentials.mark_dead(github.id, version_seen=github.version, reason="invalid_grant", now=NOW)
        assert read(vault, tsid).tokens == tokens("winner")

    def test_a_refresh_in_flight_does_not_overwrite_a_fresh_sign_in(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        assert lease(vault, github)
        again = vault.credentials.keep(user.pk, "github", github.subject, tokens("signed-in"), now=NOW)
        assert not vault.credentials.replace(github.id, tokens("refreshed"), version_seen=github.version, now=NOW)
        assert not vault.credentials.mark_dead(github.id, version_seen=github.version, reason="invalid_grant", now=NOW)
        assert read(vault, tsid).tokens == tokens("signed-in")
        assert lease(vault, again)

    def test_a_lease_is_held_by_one_until_it_ends_or_is_given_back(self, vault: TokenVault) -> None:
        github = kept(vault, person())
        assert lease(vault, github, "first")
        assert not lease(vault, github, "second")
        vault.credentials.release(github.id, holder="second")
        assert not lease(vault, github, "second")
        vault.credentials.release(github.id, holder="first")
        assert lease(vault, github, "second")
        assert not lease(vault, github, "third", seconds_from_now=59)
        assert lease(vault, github, "third", seconds_from_now=60)

    def test_a_lease_is_for_the_version_that_was_seen(self, vault: TokenVault) -> None:
        github = kept(vault, person())
        assert not lease(vault, replace(github, version=github.version - 1))
        assert not lease(vault, replace(github, version=github.version + 1))

    def test_a_dead_credential_is_said_to_be_dead_and_cannot_be_refreshed(self, vault: TokenVault) -> None:
        user = person()
        github, google = kept(vault, user, "github"), kept(vault, user, "google")
        tsid = opened(vault, user, github, google)
        assert vault.credentials.mark_dead(github.id, version_seen=github.version, reason="invalid_grant", now=NOW)
        dead = read(vault, tsid).credential
        assert (dead.live, dead.dead_reason, dead.version) == (False, "invalid_grant", github.version + 1)
        assert vault.sessions.alive(tsid, now=NOW).dead_providers == ("github",)
        assert read(vault, tsid, "google").session.dead_providers == ("github",)
        assert not lease(vault, dead)
        assert not vault.credentials.replace(github.id, tokens("new"), version_seen=dead.version, now=NOW)

    def test_a_sign_in_brings_a_dead_credential_back_without_the_refused_refresh_token(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        vault.credentials.mark_dead(github.id, version_seen=github.version, reason="invalid_grant", now=NOW)
        back = vault.credentials.keep(user.pk, "github", github.subject, TokenSet("access-again"), now=NOW)
        assert (back.live, back.refreshable, back.dead_reason) == (True, False, "")
        assert vault.sessions.alive(tsid, now=NOW).dead_providers == ()
        assert read(vault, tsid).tokens == TokenSet("access-again", id_token="id-first")

    def test_what_does_not_exist_can_be_neither_leased_nor_written(self, vault: TokenVault) -> None:
        nothing = replace(kept(vault, person()), id=uuid4())
        assert not lease(vault, nothing)
        assert not vault.credentials.replace(nothing.id, tokens(), version_seen=1, now=NOW)
        assert not vault.credentials.mark_dead(nothing.id, version_seen=1, reason="invalid_grant", now=NOW)
        vault.credentials.release(nothing.id, holder="me")

    def test_tokens_stay_out_of_what_a_careless_log_line_prints(self, vault: TokenVault) -> None:
        user = person()
        entry = read(vault, opened(vault, user, kept(vault, user)))
        assert "access-first" not in repr(entry) + repr(entry.tokens) + repr(entry.credential)
        assert "refresh-first" not in repr(entry) + repr(entry.tokens)

    def test_all_of_a_session_come_at_once(self, vault: TokenVault) -> None:
        user = person()
        github, google, other = (kept(vault, user, name) for name in ("github", "google", "other"))
        tsid = opened(vault, user, github, google)
        vault.credentials.mark_dead(google.id, version_seen=1, reason="refused", now=NOW)
        entries = vault.credentials.all_tokens(tsid, now=NOW)
        assert list(entries.by_provider) == ["github", "google"]
        assert entries.by_provider["github"] == read(vault, tsid, "github")
        assert entries.by_provider["google"] == read(vault, tsid, "google")
        assert not entries.by_provider["google"].credential.live
        assert entries.session == vault.sessions.alive(tsid, now=NOW)
        assert entries.damaged == frozenset()
        assert other.id not in {entry.credential.id for entry in entries.by_provider.values()}

    def test_only_the_one_that_is_asked_for_is_opened(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"), kept(vault, user, "google"))
        assert list(vault.credentials.all_tokens(tsid, now=NOW, only="google").by_provider) == ["google"]
        for name in ("other", "", "%", "nul\x00"):
            assert vault.credentials.all_tokens(tsid, now=NOW, only=name).by_provider == {}

    def test_a_session_without_credentials_has_none(self, vault: TokenVault) -> None:
        assert vault.credentials.all_tokens(opened(vault, person()), now=NOW).by_provider == {}

    @pytest.mark.parametrize("tsid", ["unknown", "", "nul\x00", "%", "x" * 100])
    def test_there_are_none_of_a_session_that_is_not_there(self, vault: TokenVault, tsid: str) -> None:
        with pytest.raises(SessionGone):
            vault.credentials.all_tokens(tsid, now=NOW)

    def test_a_provider_is_never_a_pattern(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user))
        for name in ("%", "git%", "g_thub", ""):
            with pytest.raises(NotConnected):
                read(vault, tsid, name)


def expiring(vault: TokenVault, now: datetime = NOW + HOUR, limit: int = 10) -> list[str]:
    """The subjects of what is found, the first to end first."""
    return [one.tsid for one in vault.credentials.expiring(now=now, until=now + DAY, limit=limit)]


class ExpiringContract:
    """Which credentials are worth refreshing before their refresh token ends unused."""

    @pytest.fixture
    def vault(self) -> TokenVault:
        raise NotImplementedError

    def used(self, vault: TokenVault, *, refresh_ends: datetime, provider: str = "github") -> str:
        """A session used half an hour after its sign-in, whose refresh token ends then."""
        user = person()
        tsid = opened(vault, user, kept(vault, user, provider, refresh_expires_at=refresh_ends),
                      idle_expires_at=NOW + 7 * DAY)  # fmt: skip
        vault.sessions.touch(tsid, idle_expires_at=NOW + 7 * DAY, now=NOW + 30 * MINUTE)
        return tsid

    def test_the_first_to_end_comes_first_and_no_more_than_asked_for(self, vault: TokenVault) -> None:
        later = self.used(vault, refresh_ends=NOW + 20 * HOUR)
        sooner = self.used(vault, refresh_ends=NOW + 10 * HOUR)
        assert expiring(vault) == [sooner, later]
        assert expiring(vault, limit=1) == [sooner]

    def test_what_it_says_is_enough_to_refresh_it(self, vault: TokenVault) -> None:
        tsid = self.used(vault, refresh_ends=NOW + 10 * HOUR, provider="google")
        (found,) = vault.credentials.expiring(now=NOW + HOUR, until=NOW + DAY, limit=10)
        assert (found.tsid, found.provider, found.refresh_expires_at) == (tsid, "google", NOW + 10 * HOUR)
        assert found.credential_id == read(vault, tsid, "google").credential.id

    def test_what_ends_later_ended_already_or_never_ends_is_left_alone(self, vault: TokenVault) -> None:
        self.used(vault, refresh_ends=NOW + 2 * DAY)
        self.used(vault, refresh_ends=NOW + 45 * MINUTE)
        user = person()
        opened(vault, user, kept(vault, user))
        assert expiring(vault) == []

    def test_what_nobody_used_since_it_was_obtained_is_left_to_end(self, vault: TokenVault) -> None:
        tsid = self.used(vault, refresh_ends=NOW + 10 * HOUR)
        refreshed_at = NOW + HOUR
        seen = read(vault, tsid).credential
        given = tokens("second", refresh_expires_at=NOW + 20 * HOUR)
        assert vault.credentials.replace(seen.id, given, version_seen=seen.version, now=refreshed_at)
        assert expiring(vault, refreshed_at + MINUTE) == []
        vault.sessions.touch(tsid, idle_expires_at=NOW + 7 * DAY, now=refreshed_at + MINUTE)
        assert expiring(vault, refreshed_at + 2 * MINUTE) == [tsid]

    def test_a_shared_credential_comes_once(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user, refresh_expires_at=NOW + 10 * HOUR)
        tsids = {opened(vault, user, github), opened(vault, user, github)}
        (found,) = expiring(vault, NOW)
        assert found in tsids

    def test_the_dead_and_those_of_ended_sessions_and_inactive_people_are_left_alone(self, vault: TokenVault) -> None:
        ends = NOW + 10 * HOUR
        dead, closed, inactive = (self.used(vault, refresh_ends=ends) for _ in range(3))
        credential = read(vault, dead).credential
        vault.credentials.mark_dead(credential.id, version_seen=credential.version, reason="refused", now=NOW)
        vault.sessions.close(closed, reason="admin", now=NOW)
        User.objects.filter(pk=read(vault, inactive).session.user_id).update(is_active=False)
        assert expiring(vault) == []

    def test_one_that_is_being_refreshed_is_left_alone(self, vault: TokenVault) -> None:
        tsid = self.used(vault, refresh_ends=NOW + 10 * HOUR)
        assert lease(vault, read(vault, tsid).credential, seconds_from_now=3600)
        assert expiring(vault) == []
        assert expiring(vault, NOW + 2 * HOUR) == [tsid]

    def test_destroying_a_connection_takes_it_from_every_session_and_ends_none(self, vault: TokenVault) -> None:
        user, other = person(), person()
        github, google, theirs = kept(vault, user, "github"), kept(vault, user, "google"), kept(vault, other, "github")
        tsids = [opened(vault, user, github, google), opened(vault, user, github)]
        foreign = opened(vault, other, theirs)
        closed = vault.credentials.destroy(user.pk, "github", now=NOW, revoke_at={"github"})
        assert closed == Closed(("github",), ("github",))
        assert [sorted(vault.credentials.all_tokens(tsid, now=NOW).by_provider) for tsid in tsids] == [["google"], []]
        assert "github" in vault.credentials.all_tokens(foreign, now=NOW).by_provider
        assert [one.provider for one in vault.revocations.claim(now=NOW, until=NOW + HOUR, limit=5)] == ["github"]
        assert vault.credentials.destroy(user.pk, "github", now=NOW) == Closed()
