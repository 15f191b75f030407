"""What every backend's token sessions do."""

from __future__ import annotations

from uuid import uuid4

import pytest

from accounts.vault.base import Approved, Closed, Ended, NotConnected, SessionGone, TokenVault, Unstorable
from tests.contracts.people import DAY, HOUR, MINUTE, NOW, RESOURCE, kept, new_session, opened, person, tokens


class SessionsContract:
    @pytest.fixture
    def vault(self) -> TokenVault:
        raise NotImplementedError

    def test_an_opened_session_is_alive_and_says_what_was_approved(self, vault: TokenVault) -> None:
        user = person()
        session = vault.sessions.alive(opened(vault, user, kept(vault, user)), now=NOW)
        assert (session.user_id, session.user_is_active) == (user.pk, True)
        assert session.client_id == "https://client.example/metadata"
        assert session.redirect_host == "client.example"
        assert session.resource == "https://mcp.example/mcp"
        assert session.scopes == ("mcp:tools", "mcp:read")
        assert (session.idle_expires_at, session.expires_at) == (NOW + DAY, NOW + 7 * DAY)
        assert session.dead_providers == ()

    def test_a_tsid_has_at_least_128_random_bits_in_text_that_fits_a_url(self, vault: TokenVault) -> None:
        user = person()
        tsids = {opened(vault, user) for _ in range(50)}
        assert len(tsids) == 50
        assert all(len(tsid) >= 22 and tsid.replace("-", "").replace("_", "").isalnum() for tsid in tsids)

    def test_a_session_needs_no_credential(self, vault: TokenVault) -> None:
        tsid = opened(vault, person())
        assert vault.sessions.alive(tsid, now=NOW).tsid == tsid

    def test_the_idle_end_never_starts_past_the_absolute_end(self, vault: TokenVault) -> None:
        tsid = opened(vault, person(), idle_expires_at=NOW + 30 * DAY)
        assert vault.sessions.alive(tsid, now=NOW).idle_expires_at == NOW + 7 * DAY

    def test_a_session_is_gone_at_its_idle_end(self, vault: TokenVault) -> None:
        tsid = opened(vault, person())
        vault.sessions.alive(tsid, now=NOW + DAY - MINUTE)
        with pytest.raises(SessionGone):
            vault.sessions.alive(tsid, now=NOW + DAY)

    def test_use_keeps_a_session_alive_but_never_past_its_absolute_end(self, vault: TokenVault) -> None:
        tsid = opened(vault, person())
        assert vault.sessions.touch(tsid, idle_expires_at=NOW + 3 * DAY, now=NOW + HOUR)
        assert vault.sessions.alive(tsid, now=NOW + 2 * DAY).idle_expires_at == NOW + 3 * DAY
        assert vault.sessions.touch(tsid, idle_expires_at=NOW + 30 * DAY, now=NOW + 2 * DAY)
        assert vault.sessions.alive(tsid, now=NOW + 6 * DAY).idle_expires_at == NOW + 7 * DAY
        with pytest.raises(SessionGone):
            vault.sessions.alive(tsid, now=NOW + 7 * DAY)

    def test_using_it_says_what_it_is_then(self, vault: TokenVault) -> None:
        user = person()
        for tsid in (opened(vault, user, kept(vault, user)), opened(vault, user)):
            used = vault.sessions.use(tsid, idle_expires_at=NOW + 30 * DAY, now=NOW + HOUR)
            assert used == vault.sessions.alive(tsid, now=NOW + 6 * DAY)
            assert (used.idle_expires_at, used.dead_providers) == (NOW + 7 * DAY, ())

    def test_one_with_dead_credentials_is_not_used_before_somebody_decided(self, vault: TokenVault) -> None:
        user = person()
        credentials = [kept(vault, user, name) for name in ("google", "atlassian", "github")]
        tsid = opened(vault, user, *credentials)
        before = vault.sessions.alive(tsid, now=NOW)
        for credential in credentials[:2]:
            vault.credentials.mark_dead(credential.id, version_seen=1, reason="invalid_grant", now=NOW)
        used = vault.sessions.use(tsid, idle_expires_at=NOW + 5 * DAY, now=NOW + HOUR)
        assert used == vault.sessions.alive(tsid, now=NOW + HOUR)
        assert used.idle_expires_at == before.idle_expires_at
        assert used.dead_providers == ("atlassian", "google")

    def test_nothing_ended_can_be_used(self, vault: TokenVault) -> None:
        user = person()
        ran_out, closed = opened(vault, user), opened(vault, user)
        vault.sessions.close(closed, reason="admin", now=NOW)
        for tsid, at in ((ran_out, NOW + DAY), (closed, NOW)):
            with pytest.raises(SessionGone):
                vault.sessions.use(tsid, idle_expires_at=NOW + 5 * DAY, now=at)

    def test_touching_does_not_resurrect_a_session_that_ran_out_or_was_closed(self, vault: TokenVault) -> None:
        user = person()
        ran_out, closed = opened(vault, user), opened(vault, user)
        vault.sessions.close(closed, reason="admin", now=NOW)
        assert not vault.sessions.touch(ran_out, idle_expires_at=NOW + 5 * DAY, now=NOW + DAY)
        assert not vault.sessions.touch(closed, idle_expires_at=NOW + 5 * DAY, now=NOW)
        for tsid in (ran_out, closed):
            with pytest.raises(SessionGone):
                vault.sessions.alive(tsid, now=NOW + DAY)

    @pytest.mark.parametrize(
        "tsid", ["", "unknown", "x" * 65, "nul\x00", "half\ud800pair", "sp ace", "ünïcode", "'; --"]
    )
    def test_whatever_a_caller_calls_a_tsid_is_answered_calmly(self, vault: TokenVault, tsid: str) -> None:
        with pytest.raises(SessionGone):
            vault.sessions.alive(tsid, now=NOW)
        with pytest.raises(SessionGone):
            vault.credentials.tokens(tsid, "github", now=NOW)
        with pytest.raises(SessionGone):
            vault.sessions.use(tsid, idle_expires_at=NOW + DAY, now=NOW)
        assert not vault.sessions.touch(tsid, idle_expires_at=NOW + DAY, now=NOW)
        assert not vault.sessions.close(tsid, reason="revoked", now=NOW)

    def test_a_deactivated_person_shows_in_the_session(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user)
        user.is_active = False
        user.save()
        assert not vault.sessions.alive(tsid, now=NOW).user_is_active

    def test_a_user_agent_of_any_shape_does_not_stop_a_session(self, vault: TokenVault) -> None:
        tsid = opened(vault, person(), user_agent="nul\x00 half\ud800 line\r\n" + "long " * 500, address="2001:db8::1")
        assert vault.sessions.alive(tsid, now=NOW).tsid == tsid

    def test_closing_ends_a_session_once(self, vault: TokenVault) -> None:
        tsid = opened(vault, person())
        assert vault.sessions.close(tsid, reason="revoked", now=NOW)
        assert not vault.sessions.close(tsid, reason="revoked", now=NOW)
        with pytest.raises(SessionGone):
            vault.sessions.alive(tsid, now=NOW)

    def test_closing_the_only_session_destroys_its_credentials(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"), kept(vault, user, "google"))
        vault.sessions.close(tsid, reason="revoked", now=NOW)
        assert vault.credentials.of_user(user.pk) == []
        with pytest.raises(SessionGone):
            vault.credentials.tokens(tsid, "github", now=NOW)

    def test_a_credential_lives_until_the_last_live_session_that_uses_it_is_closed(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        first, second = opened(vault, user, github), opened(vault, user, github)
        vault.sessions.close(first, reason="revoked", now=NOW)
        assert vault.credentials.tokens(second, "github", now=NOW).tokens.access_token == "access-first"
        vault.sessions.close(second, reason="revoked", now=NOW)
        assert vault.credentials.of_user(user.pk) == []

    def test_a_session_that_ran_out_keeps_no_credential_alive(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        ran_out = opened(vault, user, github, idle_expires_at=NOW + MINUTE)
        closed = opened(vault, user, github)
        vault.sessions.close(closed, reason="revoked", now=NOW + HOUR)
        assert vault.credentials.of_user(user.pk) == []
        assert vault.sessions.close(ran_out, reason="revoked", now=NOW + HOUR)

    def test_a_new_session_with_a_destroyed_credential_is_refused(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        vault.sessions.close(opened(vault, user, github), reason="revoked", now=NOW)
        with pytest.raises(NotConnected):
            opened(vault, user, github)
        assert list(vault.sessions.of_user(user.pk)) == []

    def test_nobody_opens_a_session_with_somebody_elses_credential(self, vault: TokenVault) -> None:
        owner, thief = person(), person()
        github = kept(vault, owner)
        with pytest.raises(NotConnected):
            opened(vault, thief, github)
        assert list(vault.sessions.of_user(thief.pk)) == []

    def test_a_credential_is_linked_under_its_own_provider_only(self, vault: TokenVault) -> None:
        user = person()
        approved = (Approved(kept(vault, user, "github").id, "google", ("repo",)),)
        with pytest.raises(NotConnected):
            vault.sessions.open(new_session(user, approved=approved), now=NOW)

    def test_a_session_has_one_credential_of_a_provider(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        with pytest.raises(Unstorable):
            opened(vault, user, github, github)

    def test_open_sessions_are_listed_newest_first_by_person_and_by_client(self, vault: TokenVault) -> None:
        user, other = person(), person()
        older = vault.sessions.open(new_session(user), now=NOW)
        closed = vault.sessions.open(new_session(user), now=NOW + MINUTE)
        newer = vault.sessions.open(new_session(user, client_id="another"), now=NOW + HOUR)
        others = vault.sessions.open(new_session(other), now=NOW + HOUR)
        vault.sessions.close(closed, reason="revoked", now=NOW + HOUR)
        assert list(vault.sessions.of_user(user.pk)) == [newer, older]
        assert list(vault.sessions.of_clients(["https://client.example/metadata"])) == [others, older]
        both = ["https://client.example/metadata", "another"]
        assert set(vault.sessions.of_clients(both)) == {newer, others, older}
        assert set(vault.sessions.of_clients(both, limit=2)) == {newer, others}
        assert list(vault.sessions.of_user(uuid4())) == []

    def test_open_sessions_are_listed_by_resource_and_by_connection(self, vault: TokenVault) -> None:
        user, other = person(), person()
        github = kept(vault, user)
        linked, unlinked = opened(vault, user, github), opened(vault, user)
        elsewhere = opened(vault, other, kept(vault, other), resource="https://other.example/mcp")
        closed = opened(vault, user, github)
        vault.sessions.close(closed, reason="x", now=NOW)
        assert set(vault.sessions.of_resource(RESOURCE)) == {linked, unlinked}
        assert len(vault.sessions.of_resource(RESOURCE, limit=1)) == 1
        assert list(vault.sessions.of_resource("https://other.example/mcp")) == [elsewhere]
        everywhere = {RESOURCE, "https://other.example/mcp"}
        assert set(vault.sessions.of_upstream("github", resources=everywhere)) == {linked, elsewhere}
        assert len(vault.sessions.of_upstream("github", resources=everywhere, limit=1)) == 1
        assert list(vault.sessions.of_upstream("github", resources={RESOURCE})) == [linked]
        assert not vault.sessions.of_upstream("google", resources=everywhere)
        assert list(vault.sessions.of_connection(user.pk, "github")) == [linked]
        assert list(vault.sessions.of_connection(user.pk, "google")) == []
        assert list(vault.sessions.of_connection(user.pk, "github", resources={RESOURCE})) == [linked]
        assert list(vault.sessions.of_connection(user.pk, "github", resources={"https://other.example/mcp"})) == []

    def test_everybodys_open_sessions_are_listed_by_when_they_were_opened(self, vault: TokenVault) -> None:
        user, other = person(), person()
        older, others = opened(vault, user), opened(vault, other)
        closed = opened(vault, user)
        vault.sessions.close(closed, reason="x", now=NOW)
        newer = vault.sessions.open(new_session(user), now=NOW + MINUTE)
        assert set(vault.sessions.of_everybody(opened_before=NOW + MINUTE)) == {older, others}
        assert set(vault.sessions.of_everybody(opened_before=NOW + HOUR)) == {older, others, newer}
        assert set(vault.sessions.of_everybody(opened_before=NOW)) == set()

    def test_open_sessions_are_listed_by_the_sign_in_that_began_them(self, vault: TokenVault) -> None:
        user, other = person(), person()
        older = opened(vault, user, signed_in_with="sso", upstream_sid="s-1")
        newer = vault.sessions.open(new_session(user, signed_in_with="sso"), now=NOW + MINUTE)
        others = opened(vault, other, signed_in_with="sso", upstream_sid="s-1")
        opened(vault, user, signed_in_with="github", upstream_sid="s-1")
        closed = opened(vault, user, signed_in_with="sso", upstream_sid="s-1")
        vault.sessions.close(closed, reason="x", now=NOW)
        assert list(vault.sessions.of_sign_in("sso", user_id=user.pk)) == [newer, older]
        assert dict(vault.sessions.of_upstream_session("sso", "s-1")) == {older: user.pk, others: other.pk}
        assert not vault.sessions.of_upstream_session("sso", "s-2")
        assert not vault.sessions.of_upstream_session("sso", "")

    def test_what_an_ending_did_is_said(self, vault: TokenVault) -> None:
        user = person()
        github, google = kept(vault, user, "github"), kept(vault, user, "google")
        first, second = opened(vault, user, github, google), opened(vault, user, github)
        closed = vault.sessions.close(first, reason="x", now=NOW, revoke_at={"google", "github"})
        assert closed == Closed(("google",), ("google",))
        assert closed is not None
        assert (closed.user_id, closed.client_id, closed.resource) == (
            user.pk,
            "https://client.example/metadata",
            RESOURCE,
        )
        assert vault.sessions.close(second, reason="x", now=NOW) == Closed(("github",), ())

    def test_ended_sessions_are_listed_since_a_moment_the_earliest_first(self, vault: TokenVault) -> None:
        user = person()
        tsids = [opened(vault, user) for _ in range(3)]
        opened(vault, user)
        other = opened(vault, user, resource="https://other.example/mcp")
        for number, tsid in enumerate([*tsids, other]):
            vault.sessions.close(tsid, reason="x", now=NOW + number * MINUTE)
        ended = vault.sessions.ended([RESOURCE], since=NOW + MINUTE, limit=10)
        assert list(ended) == [Ended(tsids[1], NOW + MINUTE), Ended(tsids[2], NOW + 2 * MINUTE)]
        assert [one.tsid for one in vault.sessions.ended([RESOURCE], since=NOW, limit=2)] == tsids[:2]
        assert not vault.sessions.ended([], since=NOW, limit=10)

    def test_sweeping_closes_what_ran_out_and_destroys_its_credentials(self, vault: TokenVault) -> None:
        user, other = person(), person()
        github, google = kept(vault, user, "github"), kept(vault, other, "google")
        ran_out = [opened(vault, user, github, idle_expires_at=NOW + MINUTE) for _ in range(3)]
        alive = opened(vault, other, google)
        assert vault.sessions.sweep(now=NOW + HOUR, limit=100) == 3
        assert list(vault.sessions.of_user(user.pk)) == []
        assert vault.credentials.of_user(user.pk) == []
        assert vault.credentials.tokens(alive, "google", now=NOW + HOUR).tokens.access_token == "access-first"
        assert not any(vault.sessions.close(tsid, reason="revoked", now=NOW + HOUR) for tsid in ran_out)

    def test_sweeping_takes_no_more_than_it_is_told(self, vault: TokenVault) -> None:
        user = person()
        for _ in range(5):
            opened(vault, user, idle_expires_at=NOW + MINUTE)
        kept(vault, user, "github")
        kept(vault, user, "google")
        assert vault.sessions.sweep(now=NOW + DAY, limit=3) == 3
        assert len(vault.sessions.of_user(user.pk)) == 2
        assert vault.sessions.sweep(now=NOW + DAY, limit=3) == 3
        assert len(vault.credentials.of_user(user.pk)) == 1
        assert vault.sessions.sweep(now=NOW + DAY, limit=3) == 1
        assert vault.sessions.sweep(now=NOW + DAY, limit=3) == 0

    def test_a_sign_in_that_led_to_no_session_is_kept_for_an_hour(self, vault: TokenVault) -> None:
        user = person()
        kept(vault, user)
        assert vault.sessions.sweep(now=NOW + HOUR - MINUTE, limit=100) == 0
        assert vault.sessions.sweep(now=NOW + HOUR, limit=100) == 1
        assert vault.credentials.of_user(user.pk) == []

    def test_signing_in_again_starts_that_hour_again(self, vault: TokenVault) -> None:
        user = person()
        subject = kept(vault, user).subject
        vault.credentials.keep(user.pk, "github", subject, tokens("again"), now=NOW + HOUR)
        assert vault.sessions.sweep(now=NOW + HOUR + MINUTE, limit=100) == 0

    def test_a_credential_in_use_is_never_an_orphan(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github, idle_expires_at=NOW + 6 * DAY)
        vault.credentials.keep(user.pk, "github", github.subject, tokens("again"), now=NOW + HOUR)
        assert vault.sessions.sweep(now=NOW + 5 * DAY, limit=100) == 0
        assert vault.credentials.tokens(tsid, "github", now=NOW + 5 * DAY).tokens.access_token == "access-again"

    def test_a_session_is_linked_to_one_more_credential(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"))
        google = kept(vault, user, "google")
        assert vault.sessions.link(tsid, Approved(google.id, "google", ("calendar",)), now=NOW)
        entry = vault.credentials.tokens(tsid, "google", now=NOW)
        assert entry.tokens == tokens()
        assert entry.approved_scopes == ("calendar",)
        assert vault.credentials.tokens(tsid, "github", now=NOW).approved_scopes == ("repo",)

    def test_linking_again_widens_the_scopes_and_never_narrows_them(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        assert vault.sessions.link(tsid, Approved(github.id, "github", ("gist", "repo")), now=NOW)
        assert vault.credentials.tokens(tsid, "github", now=NOW).approved_scopes == ("repo", "gist")
        assert vault.sessions.link(tsid, Approved(github.id, "github", ()), now=NOW)
        assert vault.credentials.tokens(tsid, "github", now=NOW).approved_scopes == ("repo", "gist")

    def test_a_linked_credential_is_no_orphan_any_more(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, expires_at=NOW + 7 * DAY, idle_expires_at=NOW + 7 * DAY)
        github = kept(vault, user)
        vault.sessions.link(tsid, Approved(github.id, "github", ("repo",)), now=NOW)
        vault.sessions.sweep(now=NOW + DAY, limit=100)
        assert vault.credentials.tokens(tsid, "github", now=NOW + DAY).tokens == tokens()

    def test_a_link_moves_to_another_account_and_the_one_left_behind_is_destroyed(self, vault: TokenVault) -> None:
        user = person()
        old = kept(vault, user)
        tsid, other = opened(vault, user, old), opened(vault, user, old)
        new = vault.credentials.keep(user.pk, "github", "another account", tokens("new"), now=NOW)
        assert vault.sessions.link(tsid, Approved(new.id, "github", ("repo",)), now=NOW)
        assert vault.credentials.tokens(tsid, "github", now=NOW).tokens == tokens("new")
        assert vault.credentials.tokens(other, "github", now=NOW).tokens == tokens()
        assert vault.sessions.link(other, Approved(new.id, "github", ("repo",)), now=NOW)
        assert [state.id for state in vault.credentials.of_user(user.pk)] == [new.id]

    def test_nothing_is_linked_to_a_session_that_ended(self, vault: TokenVault) -> None:
        user = person()
        closed, ran_out = opened(vault, user), opened(vault, user)
        vault.sessions.close(closed, reason="admin", now=NOW)
        github = kept(vault, user)
        for tsid, moment in ((closed, NOW), (ran_out, NOW + DAY), ("unknown", NOW), ("nul\x00", NOW)):
            assert not vault.sessions.link(tsid, Approved(github.id, "github", ("repo",)), now=moment)

    def test_somebody_elses_credential_is_not_linked(self, vault: TokenVault) -> None:
        user, somebody = person(), person()
        tsid = opened(vault, user)
        theirs, mine = kept(vault, somebody), kept(vault, user)
        for credential_id, provider in ((theirs.id, "github"), (mine.id, "google"), (uuid4(), "github")):
            with pytest.raises(NotConnected):
                vault.sessions.link(tsid, Approved(credential_id, provider, ("repo",)), now=NOW)
        assert vault.credentials.all_tokens(tsid, now=NOW).by_provider == {}
