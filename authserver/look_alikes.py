"""Names that people would take for another: look-alike letters, and words that claim what only an operator can say.

Unicode Technical Standard 39, "confusables": its table comes with the package `confusable_homoglyphs`. Folded further
than that standard does, since a warning too many costs less here than one too few.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

MAX_SKELETON = 255
_CLAIMS = re.compile(
    r"(?<![^\W\d_])(?:official|verified|authentic|genuine|certified|trusted|authorized|authorised|approved|offiziell\w*|verifiziert"
    r"|geprüft|oficial|officiel\w*|ufficiale)(?![^\W\d_])",
    re.IGNORECASE,
)
_LATIN = re.compile(
    r"LATIN (?:SMALL LETTER|CAPITAL LETTER|LETTER SMALL CAPITAL) (?:TURNED |OPEN )?([A-Z])(?: WITH .+)?"
)
"""Unicode's name of a letter that is one of A to Z with something about it."""
_TICKS = frozenset("✓✔☑✅√\U0001f5f8\U0001f5f9")
_MARKS = str.maketrans("", "", "™℠®©")
_WRITTEN = str.maketrans("013457", "oieast")
_SAME = str.maketrans({"i": "l", "1": "l", "|": "l", "!": "l", "0": "o", "5": "s", "3": "e", "4": "a", "7": "t"})


def skeleton(name: str) -> str:
    """The same text for names that look alike: letters and digits only, each the plainest of those it looks like."""
    plain = _without_claims(name.translate(_MARKS))
    drawn = "".join(_plainest(character) for character in unicodedata.normalize("NFC", plain))
    letters = unicodedata.normalize("NFKD", drawn).casefold()  # accents apart, and then left out
    kept = "".join(character for character in letters.translate(_SAME) if character.isalnum())
    return kept.replace("rn", "m").replace("vv", "w")[:MAX_SKELETON]


def claims_something(name: str) -> bool:
    """Whether the name says of itself what only an operator can: "official", "verified" and the like."""
    drawn = "".join(_plainest(character) for character in unicodedata.normalize("NFKC", name))
    return any(_CLAIMS.search(text) for text in (drawn, drawn.translate(_WRITTEN))) or not _TICKS.isdisjoint(name)


def mixes_scripts(name: str) -> bool:
    """Whether one word has Latin letters and others that look like Latin ones."""
    return any(
        any(character.isascii() and character.isalpha() for character in word)
        and any(not character.isascii() and _plainest(character).isascii() for character in word if _is_letter(character))
        for word in unicodedata.normalize("NFC", name).split()
    )  # fmt: skip


def _without_claims(name: str) -> str:
    without = _CLAIMS.sub(" ", name)
    return without if without.strip() else name


def _is_letter(character: str) -> bool:
    """Not an accented Latin letter, which is somebody's language."""
    return character.isalpha() and not unicodedata.name(character, "").startswith("LATIN ")


def _plainest(character: str) -> str:
    """The ASCII letter or digit that a character looks like, itself where there is none."""
    if character.isascii():
        return character
    folded = unicodedata.normalize("NFKC", character)
    if folded.isascii() and folded:
        return folded
    for seen in _confusables().get(character, ()):
        if seen.isascii() and seen.isalnum():
            return seen
    latin = _LATIN.fullmatch(unicodedata.name(character, ""))
    return latin[1] if latin else character


@cache
def _confusables() -> dict[str, list[str]]:
    """Read when it is first needed: a megabyte that most processes never look at."""
    from confusable_homoglyphs import confusables  # type: ignore[import-untyped]  # it has no stubs

    return {character: [seen["c"] for seen in found] for character, found in confusables.confusables_data.items()}
