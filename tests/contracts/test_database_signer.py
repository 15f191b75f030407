"""The signer with its keys in the database sits the contract; and first use, rotation, statements, tampering, races."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import jwt
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from structlog.testing import capture_logs

from accounts.models import AuditEvent
from accounts.vault.base import SealingUnavailable
from authserver.keys import database
from authserver.keys.base import Signer, SigningUnavailable
from authserver.keys.database import DatabaseSigner, new_row
from authserver.keys.material import generate
from authserver.models import SigningKey
from tests.contracts.races import RACERS, at_once
from tests.contracts.signing import CLAIMS, Clock, SigningContract, verified
from tests.harness.configured import Configure

Phase = SigningKey.Phase


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statements() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as captured:
        yield captured


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def add(phase: SigningKey.Phase) -> str:
    """A new key in this phase, as a rotation would add it; its kid."""
    row = new_row(generate(), phase=phase, now=timezone.now() + timedelta(seconds=SigningKey.objects.count()))
    row.save(force_insert=True)
    return row.kid


def rotate() -> str:
    """Retire the active key for a new one; the new kid."""
    SigningKey.objects.filter(phase=Phase.ACTIVE).update(phase=Phase.RETIRED)
    return add(Phase.ACTIVE)


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
class DatabaseContract(SigningContract):
    """The contract, for each kind of key that is made."""

    @pytest.fixture
    def signer(self, algorithm: str, configure: Configure) -> Signer:
        configure(signing_algorithm=algorithm)
        return DatabaseSigner()


class TestDatabaseContract(DatabaseContract):
    def test_the_algorithm_is_the_configured_one(self, signer: Signer, algorithm: str) -> None:
        assert signer.algorithm == algorithm


@pytest.mark.postgres
@pytest.mark.django_db
class TestDatabaseSigner:
    @pytest.fixture
    def signer(self) -> Signer:
        return DatabaseSigner()

    def test_the_first_use_makes_the_key_and_every_process_finds_it(self, signer: Signer) -> None:
        token = signer.sign(CLAIMS, "at+jwt")
        assert signer.algorithm == "ES256"
        assert SigningKey.objects.get().kid == kid_of(token)
        assert verified(DatabaseSigner(), token) == CLAIMS
        assert AuditEvent.objects.filter(event="signing_key.created").count() == 1

    def test_the_private_half_is_sealed(self, signer: Signer) -> None:
        signer.ping()
        row = SigningKey.objects.get()
        assert row.private_key_sealed.startswith("v1.")
        assert "PRIVATE" not in repr(SigningKey.objects.values().get())
        assert not {"d", "k"} & set(row.public_jwk)

    def test_keys_of_every_phase_verify_and_the_active_one_comes_first(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        old_token = signer.sign(CLAIMS, "at+jwt")
        active, following = rotate(), add(Phase.NEXT)
        signer.forget()
        assert [key["kid"] for key in signer.public_jwks()["keys"]] == [active, following, kid_of(old_token)]
        assert kid_of(signer.sign(CLAIMS, "at+jwt")) == active
        assert verified(signer, old_token) == CLAIMS

    def test_a_rotation_reaches_every_process_within_two_seconds(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        old = kid_of(signer.sign(CLAIMS, "at+jwt"))
        active = rotate()
        clock.seconds += 1.9
        assert kid_of(signer.sign(CLAIMS, "at+jwt")) == old
        clock.seconds += 0.1
        assert kid_of(signer.sign(CLAIMS, "at+jwt")) == active

    def test_a_deleted_key_stops_verifying_within_two_seconds(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        old = kid_of(signer.sign(CLAIMS, "at+jwt"))
        active = rotate()
        SigningKey.objects.filter(kid=old).delete()
        clock.seconds += 5
        assert signer.verification_key(old) is None
        assert [key["kid"] for key in signer.public_jwks()["keys"]] == [active]

    def test_without_an_active_key_one_is_made(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        following = add(Phase.NEXT)
        assert kid_of(signer.sign(CLAIMS, "at+jwt")) != following
        assert signer.verification_key(following) is not None


@pytest.mark.postgres
@pytest.mark.django_db
class TestStatements:
    def test_warm_signing_verifying_and_publishing_cost_no_statement(
        self, clock: Clock, statements: CaptureQueriesContext
    ) -> None:
        signer = DatabaseSigner(clock)
        signer.ping()
        before = len(statements)
        for _ in range(10):
            verified(signer, signer.sign(CLAIMS, "at+jwt"))
            signer.public_jwks()
        assert len(statements) == before

    def test_looking_again_is_one_statement(self, clock: Clock, statements: CaptureQueriesContext) -> None:
        signer = DatabaseSigner(clock)
        signer.ping()
        before = len(statements)
        clock.seconds += 5
        signer.sign(CLAIMS, "at+jwt")
        signer.public_jwks()
        assert len(statements) == before + 1

    def test_made_up_kids_cost_one_statement_a_second_at_most(
        self, clock: Clock, statements: CaptureQueriesContext
    ) -> None:
        signer = DatabaseSigner(clock)
        signer.ping()
        before = len(statements)
        for _ in range(40):
            clock.seconds += 0.05
            assert signer.verification_key("made-up") is None
        assert len(statements) - before in {1, 2}

    def test_a_key_made_elsewhere_a_moment_ago_is_found(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        signer.ping()
        rotate()
        token = DatabaseSigner().sign(CLAIMS, "at+jwt")
        clock.seconds += 1
        assert verified(signer, token) == CLAIMS


@pytest.mark.postgres
@pytest.mark.django_db
class TestTampering:
    """Whoever writes to the table but has no vault key can stop us, and cannot speak for us."""

    def plant(self, kid: str, **columns: object) -> None:
        SigningKey.objects.filter(kid=kid).update(**columns)

    def test_a_planted_key_does_not_verify(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        signer.ping()
        attackers = generate()
        row = new_row(attackers, phase=Phase.RETIRED, now=timezone.now())
        row.private_key_sealed = SigningKey.objects.get().private_key_sealed
        row.save(force_insert=True)
        clock.seconds += 5
        with capture_logs() as logs:
            assert signer.verification_key(attackers.kid) is None
        assert len(signer.public_jwks()["keys"]) == 1
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["signing_key.damaged"]
        assert AuditEvent.objects.get(event="signing_key.damaged").detail == {"kid": attackers.kid}

    def test_a_rewritten_public_half_is_refused_and_not_published(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        signer.ping()
        retired = add(Phase.RETIRED)
        self.plant(retired, public_jwk={**generate().public_jwk, "kid": retired})
        clock.seconds += 5
        assert signer.verification_key(retired) is None
        assert retired not in str(signer.public_jwks())

    def test_damage_is_reported_once_and_not_at_every_look(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        signer.ping()
        self.plant(add(Phase.RETIRED), private_key_sealed="planted")
        for _ in range(3):
            clock.seconds += 5
            signer.ping()
        assert AuditEvent.objects.filter(event="signing_key.damaged").count() == 1

    def test_an_active_key_that_does_not_open_stops_a_start_and_is_not_replaced(self) -> None:
        DatabaseSigner().ping()
        SigningKey.objects.update(private_key_sealed="planted")
        with pytest.raises(SigningUnavailable, match="does not open"):
            DatabaseSigner().sign(CLAIMS, "at+jwt")
        with pytest.raises(SigningUnavailable):
            DatabaseSigner().ping()
        assert SigningKey.objects.count() == 1

    def test_a_running_process_goes_on_with_the_keys_it_has_and_says_so(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        token = signer.sign(CLAIMS, "at+jwt")
        SigningKey.objects.update(private_key_sealed="planted")
        clock.seconds += 5
        with capture_logs() as logs:
            assert verified(signer, token) == CLAIMS
        assert "signing_keys.not_reread" in [line["event"] for line in logs]
        with pytest.raises(SigningUnavailable):
            signer.ping()


@contextmanager
def kms_away() -> Iterator[None]:
    def unavailable(*arguments: object) -> str:
        raise SealingUnavailable("KMS cannot be asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "open_secret", unavailable)
        patch.setattr(database, "seal_secret", unavailable)
        yield


@pytest.mark.postgres
@pytest.mark.django_db
class TestSealingThatCannotBeAsked:
    """A KMS that is away says nothing about the keys."""

    def test_the_first_key_is_made_when_it_is_back(self) -> None:
        with kms_away(), pytest.raises(SigningUnavailable, match="cannot be opened at the moment"):
            DatabaseSigner().ping()
        assert not SigningKey.objects.exists()
        DatabaseSigner().ping()
        assert SigningKey.objects.count() == 1

    def test_a_key_that_is_not_read_yet_is_not_called_damaged_and_not_replaced(self) -> None:
        token = DatabaseSigner().sign(CLAIMS, "at+jwt")
        signer = DatabaseSigner()
        with kms_away(), pytest.raises(SigningUnavailable, match="cannot be opened at the moment"):
            signer.sign(CLAIMS, "at+jwt")
        assert verified(signer, token) == CLAIMS
        assert SigningKey.objects.count() == 1
        assert not AuditEvent.objects.filter(event="signing_key.damaged").exists()

    def test_a_running_process_goes_on_with_the_keys_it_has(self, clock: Clock) -> None:
        signer = DatabaseSigner(clock)
        before = signer.sign(CLAIMS, "at+jwt")
        after = rotate()
        clock.seconds += 5
        with kms_away():
            assert verified(signer, before) == CLAIMS
            assert kid_of(signer.sign(CLAIMS, "at+jwt")) == kid_of(before)
        clock.seconds += 5
        assert kid_of(signer.sign(CLAIMS, "at+jwt")) == after


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_processes_that_start_together_agree_on_one_key(self) -> None:
        for _ in range(10):
            SigningKey.objects.all().delete()
            signers = [DatabaseSigner() for _ in range(RACERS)]
            tokens = at_once(RACERS, lambda number, signers=signers: signers[number].sign(CLAIMS, "at+jwt"))  # type: ignore[misc]
            assert SigningKey.objects.count() == 1
            assert {kid_of(token) for token in tokens} == {SigningKey.objects.get().kid}
            assert all(verified(signer, token) == CLAIMS for signer in signers for token in tokens)
