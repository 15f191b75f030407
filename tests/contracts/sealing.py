"""What every sealer does."""

from __future__ import annotations

import pytest

from accounts.vault.base import Damaged
from accounts.vault.sealing import Sealing

CONTEXT = "credential:6c84fb90:8f14e45f:github:tokens"
PLAINTEXT = b'{"access_token":"CANARY0123456789"}'


class SealingContract:
    @pytest.fixture
    def sealing(self) -> Sealing:
        raise NotImplementedError

    @pytest.mark.parametrize("plaintext", [PLAINTEXT, b"", b"\x00", bytes(range(256)), b"x" * 200_000], ids=len)
    def test_what_was_sealed_opens_where_it_was_sealed_for(self, sealing: Sealing, plaintext: bytes) -> None:
        sealed = sealing.seal(plaintext, CONTEXT)
        assert sealing.open(sealed, CONTEXT) == plaintext

    def test_a_sealed_value_is_ascii_and_shows_nothing_of_what_is_in_it(self, sealing: Sealing) -> None:
        sealed = sealing.seal(PLAINTEXT, CONTEXT)
        assert sealed.isascii()
        assert sealed.isprintable()
        assert "CANARY" not in sealed

    def test_the_same_text_is_sealed_differently_every_time(self, sealing: Sealing) -> None:
        assert len({sealing.seal(PLAINTEXT, CONTEXT) for _ in range(20)}) == 20

    @pytest.mark.parametrize(
        "context",
        ["", CONTEXT + " ", CONTEXT[:-1], CONTEXT.upper(), CONTEXT.replace("github", "google"), f"secret:{CONTEXT}"],
    )
    def test_it_opens_in_no_other_context(self, sealing: Sealing, context: str) -> None:
        sealed = sealing.seal(PLAINTEXT, CONTEXT)
        with pytest.raises(Damaged):
            sealing.open(sealed, context)

    @pytest.mark.parametrize("context", ["", "nul\x00", "half\ud800", "ünïcödé"])
    def test_a_context_is_any_text(self, sealing: Sealing, context: str) -> None:
        assert sealing.open(sealing.seal(PLAINTEXT, context), context) == PLAINTEXT

    def test_no_change_of_one_character_goes_unnoticed(self, sealing: Sealing) -> None:
        sealed = sealing.seal(PLAINTEXT, CONTEXT)
        for at, character in enumerate(sealed):
            for other in {"A", "B", ".", "=", "_", "\x00", chr(ord(character) ^ 1)} - {character}:
                with pytest.raises(Damaged):
                    sealing.open(sealed[:at] + other + sealed[at + 1 :], CONTEXT)

    def test_no_part_of_it_opens_and_nothing_more_than_it(self, sealing: Sealing) -> None:
        sealed = sealing.seal(PLAINTEXT, CONTEXT)
        for end in range(len(sealed)):
            with pytest.raises(Damaged):
                sealing.open(sealed[:end], CONTEXT)
        for longer in (sealed + "A", sealed + "AAAA", sealed + "=", sealed + "\n", " " + sealed, sealed + sealed):
            with pytest.raises(Damaged):
                sealing.open(longer, CONTEXT)

    @pytest.mark.parametrize(
        "planted",
        ["", ".", "..", "v1", "v1.", "v1..", "h1.", "access-token", PLAINTEXT.decode(), "ünïcödé", "half\ud800", "nul\x00",
         "v1.t1.", "v1.t1.AAAA", "v2.t1." + "A" * 80, "v1.t1." + "A" * 80, "v1.t1.%%%%", "v1.\u0661.AAAA",
         "gAAAAABnQwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="],
    )  # fmt: skip
    def test_planted_text_is_refused(self, sealing: Sealing, planted: str) -> None:
        with pytest.raises(Damaged) as refused:
            sealing.open(planted, CONTEXT)
        assert "CANARY" not in str(refused.value)

    def test_ping_answers(self, sealing: Sealing) -> None:
        sealing.ping()

    def test_it_says_beforehand_that_it_will_seal(self, sealing: Sealing) -> None:
        sealing.ready()
        sealing.seal(PLAINTEXT, CONTEXT)

    def test_a_sealed_value_begins_as_its_key_says(self, sealing: Sealing) -> None:
        key_id, prefix = next(iter(sealing.prefixes.items()))
        assert key_id.isalnum()
        assert prefix.endswith(".")
        assert all(sealing.seal(PLAINTEXT, context).startswith(prefix) for context in (CONTEXT, "", "other"))
        assert len(set(sealing.prefixes.values())) == len(sealing.prefixes)
