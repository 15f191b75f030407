"""The life of a signing key: published ahead, signing, retired, gone; by schedule, by hand, and cut short."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import AuditEvent
from authserver import keys, mint, policy, verify
from authserver.keys import rotation
from authserver.keys.base import SigningUnavailable
from authserver.keys.database import DatabaseSigner
from authserver.keys.rotation import KEPT_RETIRED, PUBLISHED_AHEAD, PUBLISHED_AT_LEAST, Turn, advance, keep_schedule
from authserver.metadata import document
from authserver.metadata.views import MAX_AGE_SECONDS
from authserver.models import Policy, SigningKey
from tests.contracts.races import RACERS, at_once
from tests.contracts.signing import CLAIMS, Clock, verified
from tests.unit.signing_keys.conftest import Configure, by_phase, key

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

Phase = SigningKey.Phase
NOW = timezone.now()
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def test_the_margins_hold_for_what_the_jwks_and_the_policy_say() -> None:
    assert timedelta(seconds=2 * MAX_AGE_SECONDS) <= PUBLISHED_AT_LEAST <= PUBLISHED_AHEAD
    assert timedelta(days=1) < KEPT_RETIRED
    assert policy.MAX_ACCESS_TOKEN_SECONDS == 24 * 3600


class TestSchedule:
    def test_a_whole_turn(self) -> None:
        old = key(Phase.ACTIVE, NOW)
        due = NOW + 90 * DAY - PUBLISHED_AHEAD
        assert keep_schedule(now=due - SECOND) == Turn()
        new = keep_schedule(now=due).published
        assert by_phase() == {"active": [old], "next": [new]}
        assert keep_schedule(now=due + PUBLISHED_AHEAD - SECOND) == Turn()
        assert keep_schedule(now=due + PUBLISHED_AHEAD) == Turn(activated=new)
        assert by_phase() == {"retired": [old], "active": [new]}
        over = due + PUBLISHED_AHEAD + KEPT_RETIRED
        assert keep_schedule(now=over - SECOND) == Turn()
        assert keep_schedule(now=over) == Turn(removed=(old,))
        assert by_phase() == {"active": [new]}
        assert keep_schedule(now=over) == Turn()

    def test_the_trail_tells_it(self) -> None:
        old = key(Phase.ACTIVE, NOW - 90 * DAY)
        new = keep_schedule(now=NOW).published
        keep_schedule(now=NOW + PUBLISHED_AHEAD)
        keep_schedule(now=NOW + PUBLISHED_AHEAD + KEPT_RETIRED)
        told = AuditEvent.objects.filter(actor="maintenance").order_by("at")
        assert [(event.event, event.detail) for event in told] == [
            ("signing_key.created", {"kid": new, "algorithm": "ES256", "phase": "next"}),
            ("signing_key.activated", {"kid": new, "retired": old}),
            ("signing_key.removed", {"kid": old}),
        ]

    def test_the_age_is_the_policys(self) -> None:
        key(Phase.ACTIVE, NOW - 2 * DAY)
        assert keep_schedule(now=NOW) == Turn()
        Policy.objects.create(lifetimes={"signing_key": 2 * 86400})
        policy.forget()
        assert keep_schedule(now=NOW).published

    def test_a_turn_begun_by_hand_is_gone_on_with(self) -> None:
        key(Phase.ACTIVE, NOW - DAY)
        new = advance(now=NOW, actor="somebody").published
        assert keep_schedule(now=NOW + PUBLISHED_AHEAD).activated == new

    def test_where_none_was_ever_needed_none_is_made(self) -> None:
        assert keep_schedule(now=NOW) == Turn()
        assert not SigningKey.objects.exists()

    def test_keys_that_are_elsewhere_are_left_alone(self, configure: Configure) -> None:
        key(Phase.ACTIVE, NOW - 100 * DAY)
        configure(signing_backend="authserver.keys.ephemeral.EphemeralSigner")
        assert keep_schedule(now=NOW) == Turn()

    def test_a_host_that_was_away_for_long_still_publishes_first(self) -> None:
        old = key(Phase.ACTIVE, NOW - 900 * DAY)
        assert keep_schedule(now=NOW).published
        assert by_phase()["active"] == [old]


class TestTurn:
    def test_every_process_verifies_what_was_signed_before_and_after(self) -> None:
        key(Phase.ACTIVE, NOW - 90 * DAY)
        before = keys.signer().sign(CLAIMS, "at+jwt")
        new = keep_schedule(now=NOW).published
        assert keys.signer().public_jwks()["keys"][1]["kid"] == new
        keep_schedule(now=NOW + PUBLISHED_AHEAD)
        after = keys.signer().sign(CLAIMS, "at+jwt")
        for process in (keys.signer(), DatabaseSigner()):
            assert [verified(process, token) for token in (before, after)] == [CLAIMS, CLAIMS]
        assert keys.signer().public_jwks()["keys"][0]["kid"] == new

    @pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
    def test_the_next_key_has_the_configured_algorithm(self, configure: Configure, algorithm: str) -> None:
        key(Phase.ACTIVE, NOW - 90 * DAY)
        configure(signing_algorithm=algorithm)
        keep_schedule(now=NOW)
        assert keys.signer().algorithm == "ES256"
        keep_schedule(now=NOW + PUBLISHED_AHEAD)
        assert keys.signer().algorithm == algorithm
        assert verified(DatabaseSigner(), keys.signer().sign(CLAIMS, "at+jwt")) == CLAIMS

    def test_an_rsa_key_of_ours_is_no_short_one(self, configure: Configure) -> None:
        configure(signing_algorithm="RS256")
        keys.signer().ping()
        [jwk] = keys.signer().public_jwks()["keys"]
        assert len(jwk["n"]) * 6 // 8 == 384

    def test_a_next_key_that_does_not_open_takes_nothing_over(self) -> None:
        old = key(Phase.ACTIVE, NOW - 90 * DAY)
        keep_schedule(now=NOW)
        SigningKey.objects.filter(phase=Phase.NEXT).update(private_key_sealed="planted")
        with pytest.raises(SigningUnavailable, match="does not open"):
            keep_schedule(now=NOW + PUBLISHED_AHEAD)
        assert by_phase()["active"] == [old]

    @pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.NEXT])
    def test_there_is_one_active_and_one_next_key(self, phase: SigningKey.Phase) -> None:
        key(phase, NOW)
        with pytest.raises(IntegrityError), transaction.atomic():
            key(phase, NOW)


class TestRevocation:
    def revoke(self, *kids: str) -> str:
        return rotation.revoke(kids, now=NOW, actor="somebody", reason="found on a train")

    def token(self) -> str:
        user: dict[str, Any] = {"subject": "00000000-0000-0000-0000-000000000000", "audience": "a", "client_id": "c"}
        return mint.access_token(**user, scope="", tsid="t", lifetime_seconds=60, now=NOW)

    def test_what_it_signed_is_refused_and_a_new_key_signs(self) -> None:
        old = key(Phase.ACTIVE, NOW)
        token = self.token()
        verify.access_token(token, now=NOW)
        new = self.revoke(old)
        with pytest.raises(verify.InvalidToken, match="unknown key"):
            verify.access_token(token, now=NOW)
        assert [each["kid"] for each in keys.signer().public_jwks()["keys"]] == [new]
        verify.access_token(self.token(), now=NOW)

    def test_the_next_key_takes_over_where_there_is_one(self) -> None:
        """Verifiers know it, and not one made a moment ago."""
        old, following = key(Phase.ACTIVE, NOW), key(Phase.NEXT, NOW)
        assert self.revoke(old) == following
        assert by_phase() == {"active": [following]}
        assert SigningKey.objects.get().activated_at == NOW

    def test_the_next_one_can_be_revoked_with_it_or_alone(self) -> None:
        old, following, retired = key(Phase.ACTIVE, NOW), key(Phase.NEXT, NOW), key(Phase.RETIRED, NOW)
        assert self.revoke(following) == old
        assert self.revoke(old, retired, old) not in {old, following, retired}
        assert list(by_phase()) == ["active"]

    def test_a_next_key_that_does_not_open_does_not_take_over(self) -> None:
        old, following = key(Phase.ACTIVE, NOW), key(Phase.NEXT, NOW)
        SigningKey.objects.filter(kid=following).update(private_key_sealed="planted")
        assert self.revoke(old) not in {old, following}

    def test_of_several_kids_one_that_is_not_there_lets_nothing_happen(self) -> None:
        old = key(Phase.ACTIVE, NOW)
        with pytest.raises(rotation.NoSuchKey, match="nobody"):
            self.revoke(old, "nobody")
        assert by_phase() == {"active": [old]}

    def test_a_process_that_cannot_open_the_new_key_verifies_nothing_of_the_old_one(self) -> None:
        """It goes on with what it knows where it has to, and a revoked key is known no more."""
        retired, old = key(Phase.RETIRED, NOW), key(Phase.ACTIVE, NOW)
        clock = Clock()
        process = DatabaseSigner(clock)
        process.ping()
        self.revoke(old)
        SigningKey.objects.filter(phase=Phase.ACTIVE).update(private_key_sealed="sealed elsewhere")
        clock.seconds += 2
        assert process.verification_key(old) is None
        assert process.verification_key(retired) is not None
        with pytest.raises(SigningUnavailable):
            process.sign(CLAIMS, "at+jwt")

    def test_the_trail_says_who_and_why(self) -> None:
        old = key(Phase.ACTIVE, NOW)
        self.revoke(old)
        told = AuditEvent.objects.get(event="signing_key.revoked")
        assert (told.actor, told.reason, told.detail) == ("somebody", "found on a train", {"kid": old})


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_of_many_that_publish_and_activate_at_once_one_does(self) -> None:
        for _ in range(5):
            SigningKey.objects.all().delete()
            old = key(Phase.ACTIVE, NOW - 90 * DAY)
            turns = at_once(RACERS, lambda _: keep_schedule(now=NOW))
            [new] = filter(None, [turn.published for turn in turns])
            turns = at_once(RACERS, lambda _: keep_schedule(now=NOW + PUBLISHED_AHEAD))
            assert sorted(turn.activated for turn in turns) == [""] * (RACERS - 1) + [new]
            assert by_phase() == {"retired": [old], "active": [new]}
            turns = at_once(RACERS, lambda _: keep_schedule(now=NOW + PUBLISHED_AHEAD + KEPT_RETIRED))
            assert sorted(turn.removed for turn in turns) == [()] * (RACERS - 1) + [(old,)]

    def test_a_turn_and_a_revocation_at_once_leave_one_key_that_signs(self) -> None:
        for _ in range(10):
            SigningKey.objects.all().delete()
            old = key(Phase.ACTIVE, NOW - DAY)
            new = key(Phase.NEXT, NOW - DAY)

            def act(number: int, old: str = old) -> None:
                if number % 2:
                    advance(now=NOW, actor="a")
                elif number == 0:
                    rotation.revoke([old], now=NOW, actor="b", reason="r")

            at_once(4, act)
            assert by_phase()["active"] == [new]
            assert not SigningKey.objects.filter(kid=old).exists()


def test_discovery_lists_the_next_algorithm_before_it_signs_and_the_last_one_after(configure: Configure) -> None:
    key(Phase.ACTIVE, NOW - 90 * DAY)
    configure(signing_algorithm="EdDSA")
    keep_schedule(now=NOW)
    for expected in (["ES256", "EdDSA"], ["EdDSA", "ES256"]):
        for name in ("id_token", "introspection"):
            assert document.authorization_server()[f"{name}_signing_alg_values_supported"] == expected
        keep_schedule(now=NOW + PUBLISHED_AHEAD)
