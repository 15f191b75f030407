"""The German catalogue is complete, means the same slots as the English text, and is compiled as it stands."""

from __future__ import annotations

import ast
import gettext
import re
from collections import Counter
from pathlib import Path

from tests.documentation import catalogue
from tests.documentation.catalogue import GERMAN, Entry
from tests.documentation.documents import ROOT

REMEDY = "run tools/messages.py, translate what is empty, run it again"
ENGLISH_TEMPLATES = {"api/docs.html"}  # for whoever programs against the API, which describes itself in English
NAMES = {"Authserver"}

_SLOT = re.compile(r"%\(\w+\)[sd]|%[sd]|</?[a-z][^>]*>")
_NOT_SAID = re.compile(
    r"\{% blocktranslate.*?endblocktranslate %\}|"
    r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<code>.*?</code>|<!?[a-z/][^>]*>|&\w+;",
    re.DOTALL,
)


def test_every_message_of_the_sources_is_in_german() -> None:
    german = {entry.message: entry for entry in catalogue.entries()}
    messages = catalogue.messages()
    assert len(messages) > 250
    lost = {message: where for message, where in messages.items() if message not in german}
    assert lost == {}, REMEDY
    poor = [entry.message for entry in german.values() if "fuzzy" in entry.flags or not all(entry.texts)]
    assert poor == [], REMEDY


def test_the_catalogue_holds_nothing_that_nobody_says() -> None:
    known = {entry.message for entry in catalogue.entries()}
    assert known - set(catalogue.messages()) == {("",)}, REMEDY
    assert "#~" not in GERMAN.read_text(), REMEDY


def test_no_message_is_there_twice() -> None:
    """Nor with a plural in one place and without in another, which gettext cannot tell apart."""
    counts = Counter(entry.message[0] for entry in catalogue.entries())
    assert [text for text, count in counts.items() if count > 1] == []


def test_a_translation_has_the_slots_and_tags_of_its_message() -> None:
    wrong = [
        text
        for entry in catalogue.entries()
        for said, text in zip(entry.message, entry.texts, strict=True)
        if sorted(_SLOT.findall(said)) != sorted(_SLOT.findall(text))
    ]
    assert wrong == []


def test_what_is_compiled_is_what_is_written() -> None:
    with GERMAN.with_suffix(".mo").open("rb") as compiled:
        found = vars(gettext.GNUTranslations(compiled))["_catalog"]
    assert found == {key: text for entry in catalogue.entries() for key, text in _compiled(entry)}, REMEDY


def _compiled(entry: Entry) -> list[tuple[object, str]]:
    """As Python keeps it: a message with a plural under its singular and the number of the form."""
    if len(entry.message) == 1:
        return [(entry.message[0], entry.texts[0])]
    return [((entry.message[0], form), text) for form, text in enumerate(entry.texts)]


def test_quotation_marks_are_german_and_nothing_is_left_over_from_an_edit() -> None:
    texts = [text for entry in catalogue.entries() if entry.message[0] for text in entry.texts]
    assert [text for text in texts if "”" in text or text.count("„") != text.count("“") or "..." in text] == []
    assert [text for text in texts if text != text.strip() or "  " in text] == []
    assert not re.search(r"^#:|CREATION|POT-Creation-Date", GERMAN.read_text(), re.MULTILINE)


def test_no_template_says_anything_outside_of_a_message() -> None:
    said: dict[str, list[str]] = {}
    for path in (ROOT / "templates").rglob("*.html"):
        name = str(path.relative_to(ROOT / "templates"))
        words = re.findall(r"[A-Za-z]{2,}", _NOT_SAID.sub(" ", path.read_text()))
        if name not in ENGLISH_TEMPLATES and (bare := [word for word in words if word not in NAMES]):
            said[name] = bare
    assert said == {}


def test_no_page_is_given_words_that_are_not_a_message() -> None:
    """The arguments of `page` that people read are calls of gettext, or made of them."""
    bare = []
    for path in [*(ROOT / "authserver" / "authorize").glob("*.py"), *(ROOT / "authserver" / "connect").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg in {"heading", "explanation", "steps", "again"}:
                bare += [f"{path.name}: {text}" for text in _literals(node.value)]
    assert bare == []


def _literals(node: ast.expr) -> list[str]:
    """Texts that stand there as they are."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def test_the_catalogue_is_where_the_settings_look(settings: object) -> None:
    assert [Path(path) for path in getattr(settings, "LOCALE_PATHS", [])] == [GERMAN.parents[2]]
