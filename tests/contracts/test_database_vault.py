"""The vault in the database sits the contracts; and what is true of a database only: statements, tampering, races."""

from __future__ import annotations

import base64
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Credential, Link, Revocation, TokenSession
from accounts.vault.base import Damaged, NotConnected, TokenSet, TokenVault
from accounts.vault.database import DatabaseVault
from accounts.vault.handles import HandleSealing
from accounts.vault.keyring import KeyRingSealing
from tests.contracts.credentials import CredentialsContract, ExpiringContract, lease, read
from tests.contracts.people import DAY, HOUR, MINUTE, NOW, kept, new_session, opened, person, tokens
from tests.contracts.races import RACERS, RacesContract, at_once
from tests.contracts.revocations import RevocationsContract, claimed, ended
from tests.contracts.sessions import SessionsContract

Count = Callable[[Callable[[], object]], int]


class InDatabase:
    @pytest.fixture
    def vault(self) -> TokenVault:
        return DatabaseVault()


@pytest.mark.postgres
@pytest.mark.django_db
class TestDatabaseSessions(InDatabase, SessionsContract):
    pass


@pytest.mark.postgres
@pytest.mark.django_db
class TestDatabaseCredentials(InDatabase, CredentialsContract):
    pass


@pytest.mark.postgres
@pytest.mark.django_db
class TestDatabaseExpiring(InDatabase, ExpiringContract):
    pass


@pytest.mark.postgres
@pytest.mark.django_db
class TestDatabaseRevocations(InDatabase, RevocationsContract):
    def test_a_finished_row_is_a_receipt_without_tokens(self, vault: TokenVault) -> None:
        tsid, (credential_id,) = ended(vault, person(), "github")
        claimed(vault)
        vault.revocations.finish(credential_id, state="done", outcome="revoked", now=NOW + MINUTE)
        row = Revocation.objects.get(tsid=tsid)
        assert (row.state, row.outcome, row.finished_at, row.attempts) == ("done", "revoked", NOW + MINUTE, 1)
        assert row.sealed_tokens == ""

    def test_one_that_was_tampered_with_is_given_up_loudly(self, vault: TokenVault) -> None:
        (first, (id_1,)), (second, (id_2,)) = ended(vault, person(), "github"), ended(vault, person(), "github")
        swapped = Revocation.objects.get(pk=id_2).sealed_tokens
        Revocation.objects.filter(pk=id_1).update(sealed_tokens=swapped)
        assert [queued.tsid for queued in claimed(vault)] == [second]
        row = Revocation.objects.get(tsid=first)
        assert (row.state, row.outcome, row.sealed_tokens) == ("failed", "damaged", swapped)
        assert AuditEvent.objects.filter(event="vault.damaged", tsid=first).count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestDatabaseRaces(InDatabase, RacesContract):
    def test_no_link_ever_hangs_in_the_air(self, vault: TokenVault) -> None:
        """Sessions of one person open, close, run out and sign in again, all at once, and the books balance."""
        user = person()

        def live(number: int) -> None:
            for _ in range(10):
                credentials = [kept(vault, user, provider) for provider in ("github", "google")]
                try:
                    tsid = opened(vault, user, *credentials[:: 1 if number % 2 else -1])
                except NotConnected:
                    continue
                if number % 3 == 0:
                    vault.sessions.sweep(now=NOW + 2 * DAY, limit=10)
                vault.sessions.close(tsid, reason="revoked", now=NOW)

        at_once(RACERS, live)
        assert not Link.objects.exists()
        assert not TokenSession.objects.filter(closed_at=None).exists()
        assert not Credential.objects.filter(unlinked_at=None).exists()


@pytest.mark.django_db
class TestDatabaseVaultWithAnotherSealer(CredentialsContract):
    """The sealing seam behind the vault seam: the plaintext is nowhere in the database, and all of it still holds."""

    @pytest.fixture
    def vault(self) -> TokenVault:
        return DatabaseVault(sealed_by=HandleSealing())


@pytest.mark.postgres
@pytest.mark.django_db
class TestStatements(InDatabase):
    """Budgets of performance.md, BEGIN, COMMIT and savepoints not counted."""

    @pytest.fixture
    def count(self) -> Count:
        def count(act: Callable[[], object]) -> int:
            with CaptureQueriesContext(connection) as captured:
                act()
            silent = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
            return sum(not query["sql"].startswith(silent) for query in captured)

        return count

    def test_reading_tokens_is_one_statement(self, vault: TokenVault, count: Count) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"), kept(vault, user, "google"))
        assert count(lambda: read(vault, tsid)) == 1

    def test_asking_for_a_session_is_one_statement(self, vault: TokenVault, count: Count) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"), kept(vault, user, "google"))
        assert count(lambda: vault.sessions.alive(tsid, now=NOW)) == 1
        assert count(lambda: vault.sessions.touch(tsid, idle_expires_at=NOW + DAY, now=NOW)) == 1
        assert count(lambda: vault.sessions.use(tsid, idle_expires_at=NOW + DAY, now=NOW)) == 1

    def test_a_refresh_is_a_lease_a_look_and_a_write(self, vault: TokenVault, count: Count) -> None:
        github = kept(vault, person())
        assert count(lambda: lease(vault, github)) == 1
        assert count(lambda: vault.credentials.replace(github.id, TokenSet("a"), version_seen=1, now=NOW)) == 2
        assert count(lambda: vault.credentials.mark_dead(github.id, version_seen=2, reason="r", now=NOW)) == 1

    def test_a_sign_in_is_a_look_and_a_write(self, vault: TokenVault, count: Count) -> None:
        user = person()
        assert count(lambda: kept(vault, user)) == 2
        assert count(lambda: kept(vault, user)) == 2

    def test_opening_is_a_lock_and_two_inserts(self, vault: TokenVault, count: Count) -> None:
        user = person()
        credentials = [kept(vault, user, "github"), kept(vault, user, "google")]
        assert count(lambda: opened(vault, user, *credentials)) == 4  # the first time, they stop being unlinked
        assert count(lambda: opened(vault, user, *credentials)) == 3
        assert count(lambda: opened(vault, user)) == 1

    def test_closing_is_three_statements(self, vault: TokenVault, count: Count) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"), kept(vault, user, "google"))
        assert count(lambda: vault.sessions.close(tsid, reason="revoked", now=NOW)) == 3
        assert count(lambda: vault.sessions.close(tsid, reason="revoked", now=NOW)) == 1

    def test_telling_a_provider_of_it_costs_one_more(self, vault: TokenVault, count: Count) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"), kept(vault, user, "google"))
        assert count(lambda: vault.sessions.close(tsid, reason="revoked", now=NOW, revoke_at={"github"})) == 4

    def test_all_of_a_session_are_read_in_one_statement(self, vault: TokenVault, count: Count) -> None:
        user = person()
        tsid = opened(vault, user, *(kept(vault, user, f"provider-{number}") for number in range(5)))
        assert count(lambda: vault.credentials.all_tokens(tsid, now=NOW)) == 1

    def test_sweeping_a_hundred_costs_no_more_than_sweeping_one(self, vault: TokenVault, count: Count) -> None:
        def expired(number: int) -> None:
            for _ in range(number):
                user = person()
                opened(vault, user, kept(vault, user), idle_expires_at=NOW + MINUTE)

        expired(1)
        one = count(lambda: vault.sessions.sweep(now=NOW + HOUR - MINUTE, limit=1000))
        expired(100)
        assert count(lambda: vault.sessions.sweep(now=NOW + HOUR - MINUTE, limit=1000)) == one


@pytest.mark.postgres
@pytest.mark.django_db
class TestTampering(InDatabase):
    """Whoever writes to the database but has no vault key gets nothing out of it."""

    def refused(self, vault: TokenVault, tsid: str, reason: str) -> None:
        with pytest.raises(Damaged) as damaged:
            read(vault, tsid)
        assert reason in str(damaged.value)
        event = AuditEvent.objects.get(event="vault.damaged")
        assert (event.outcome, event.tsid, event.upstream) == ("failed", tsid, "github")
        assert event.detail["credential"]

    def test_no_token_is_in_the_database_in_any_common_spelling(self, vault: TokenVault) -> None:
        user = person()
        canary = "CANARY0123456789"
        github = vault.credentials.keep(user.pk, "github", "42", TokenSet(canary, canary, canary), now=NOW)
        row = repr(Credential.objects.filter(pk=github.id).values().get())
        spellings = [
            canary,
            canary[::-1],
            canary.encode().hex(),
            base64.b64encode(canary.encode()).decode().rstrip("="),
        ]
        assert not any(spelling in row for spelling in spellings)

    def test_another_persons_sealed_tokens_do_not_open_in_ones_own_row(self, vault: TokenVault) -> None:
        victim, thief = person(), person()
        tsid = opened(vault, thief, kept(vault, thief))
        stolen = Credential.objects.get(pk=kept(vault, victim).id).sealed_tokens
        Credential.objects.filter(user=thief).update(sealed_tokens=stolen)
        self.refused(vault, tsid, "sealed for another place")

    def test_a_link_to_another_persons_credential_does_not_open(self, vault: TokenVault) -> None:
        victim, thief = person(), person()
        tsid = opened(vault, thief, kept(vault, thief))
        Link.objects.filter(session=tsid).update(credential=kept(vault, victim).id)
        self.refused(vault, tsid, "sealed for another place")

    def test_a_credential_given_to_another_person_does_not_open(self, vault: TokenVault) -> None:
        victim, thief = person(), person()
        github = kept(vault, victim)
        tsid = opened(vault, thief, kept(vault, thief))
        Link.objects.filter(session=tsid).update(credential=github.id)
        Credential.objects.filter(pk=github.id).update(user=thief, subject="moved")
        self.refused(vault, tsid, "sealed for another place")

    def test_a_link_under_another_providers_name_does_not_open(self, vault: TokenVault) -> None:
        user = person()
        google = kept(vault, user, "google")
        tsid = opened(vault, user, google)
        Link.objects.filter(session=tsid).update(provider="github")
        self.refused(vault, tsid, "sealed for another place")

    @pytest.mark.parametrize("planted", ["access-planted", "", '{"access_token": "planted"}', "v1.t1.", "v1..AAAA"])
    def test_planted_text_does_not_open(self, vault: TokenVault, planted: str) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user))
        Credential.objects.filter(user=user).update(sealed_tokens=planted)
        self.refused(vault, tsid, "")

    def test_a_missing_vault_key_is_named(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user))
        with pytest.raises(Damaged, match="vault key t1,"):
            read(DatabaseVault(sealed_by=KeyRingSealing({"other": bytes(32)})), tsid)

    def test_one_damaged_row_does_not_hide_the_others(self, vault: TokenVault) -> None:
        user = person()
        tsid = opened(vault, user, kept(vault, user, "github"), kept(vault, user, "google"))
        Credential.objects.filter(provider="github").update(sealed_tokens="planted")
        entries = vault.credentials.all_tokens(tsid, now=NOW)
        assert list(entries.by_provider) == ["google"]
        assert entries.damaged == {"github"}

    def test_a_damaged_row_is_mended_by_signing_in_again(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        tsid = opened(vault, user, github)
        Credential.objects.filter(user=user).update(sealed_tokens="planted")
        vault.credentials.keep(user.pk, "github", github.subject, TokenSet("access-again"), now=NOW)
        assert read(vault, tsid).tokens == TokenSet("access-again")

    def test_a_damaged_row_does_not_take_half_a_refresh(self, vault: TokenVault) -> None:
        user = person()
        github = kept(vault, user)
        Credential.objects.filter(user=user).update(sealed_tokens="planted")
        with pytest.raises(Damaged):
            vault.credentials.replace(github.id, TokenSet("access-2"), version_seen=github.version, now=NOW)
        assert vault.credentials.replace(github.id, tokens("whole"), version_seen=github.version, now=NOW)

    def test_an_unknown_person_gets_no_session(self, vault: TokenVault) -> None:
        github = kept(vault, person())
        stranger = new_session(person(), github, user_id=uuid4())
        with pytest.raises(NotConnected):
            vault.sessions.open(stranger, now=NOW)


def test_ping_asks_the_database(db: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        DatabaseVault().ping()
    assert len(captured) == 1
