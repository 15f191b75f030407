"""Names that could be taken for another."""

from __future__ import annotations

import pytest

from authserver.look_alikes import claims_something, mixes_scripts, skeleton


@pytest.mark.parametrize(
    "imitation",
    [
        "\u0421laude",  # a Cyrillic letter
        "Cl\u0430ude",  # a Cyrillic letter
        "CIaude",
        "C1aude",
        "claude",
        "Cláude",
        "\uff23laude",  # full width
        "\U0001d402laude",
        "C l a u d e",
        "Claude ✓",
        "Claude Official",
        "Verified Claude",
        "\u03f9laude",  # a Greek lunate sigma
        "c\u0142aude",  # crossed
        "\u1d04\u029f\u1d00\u1d1c\u1d05\u1d07",  # small capitals
        "c|aude",
        "Claude™",
    ],
)
def test_what_looks_alike_has_one_skeleton(imitation: str) -> None:
    assert skeleton(imitation) == skeleton("Claude")


@pytest.mark.parametrize("name", ["Claude Code", "Claudia", "Clause", "Cloud", "克劳德", ""])
def test_what_does_not_has_another(name: str) -> None:
    assert skeleton(name) != skeleton("Claude")


@pytest.mark.parametrize(("one", "other"), [("Gemini", "Gernini"), ("Windsurf", "VVindsurf"), ("GitHub", "G1tHub")])
def test_letters_that_run_together_count_too(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    "name",
    [
        "Claude (official)", "VERIFIED app", "Offizieller Client", "Trusted Agent", "\u041efficial", "Claude \u2705",
        "0fficial", "official_app", "ver1fied", "Claude \U0001f5f8",
    ],
)  # fmt: skip
def test_a_name_that_claims_something_is_known(name: str) -> None:
    assert claims_something(name)


@pytest.mark.parametrize("name", ["Claude", "Officina", "Verifier", "untrusted", "Office helper", ""])
def test_one_that_does_not_is_left_alone(name: str) -> None:
    assert not claims_something(name)


def test_letters_of_several_scripts_in_one_word() -> None:
    assert mixes_scripts("Cl\u0430ude")  # a Cyrillic letter
    assert not mixes_scripts("Клод")
    assert not mixes_scripts("Claude для работы")
    assert not mixes_scripts("Café Müller")
    assert not mixes_scripts("Claude日本語")


def test_a_skeleton_is_bounded() -> None:
    assert len(skeleton("x" * 10_000)) == 255
