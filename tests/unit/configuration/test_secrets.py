"""Which secrets look random enough for one round of a fast hash."""

from __future__ import annotations

import base64
import random
import string

import pytest

from authserver.configuration.secrets import weakness

ALPHABETS = {
    "hex": "0123456789abcdef",
    "digits": string.digits,
    "base64": string.ascii_letters + string.digits + "+/",
    "printable": string.ascii_letters + string.digits + string.punctuation,
}


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("length", [40, 64, 128])
def test_generated_secrets_of_any_alphabet_pass(alphabet: str, length: int) -> None:
    rolls = random.Random(f"{alphabet}{length}")  # noqa: S311  # the same every time: a test that rolls dice fails one day
    for _ in range(300):
        secret = "".join(rolls.choices(ALPHABETS[alphabet], k=length))
        assert weakness(secret) is None, secret


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short-but-k3J9xQz7",
        "a" * 40,
        "ab" * 20,
        "secret" * 8,
        "demo-secret-demo-secret-demo-secret",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "0123456789" * 4,
        "1111111111222222222233333333334444444444",
        "correct-horse-correct-horse-correct-horse",
    ],
)
def test_short_and_repetitive_ones_do_not(secret: str) -> None:
    assert weakness(secret)


def test_what_the_remedy_generates_passes() -> None:
    rolls = random.Random(1)  # noqa: S311  # as above
    for _ in range(300):
        assert weakness(base64.b64encode(rolls.randbytes(48)).decode()) is None
