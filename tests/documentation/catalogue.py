"""What people read, as the sources say it and as the German catalogue has it. GNU gettext is not needed.

A message is a tuple: its one text, or singular and plural.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation.template import templatize

from tests.documentation.documents import ROOT

GERMAN = ROOT / "locale" / "de" / "LC_MESSAGES" / "django.po"
PACKAGES = ("accounts", "upstream", "authserver")
TEXTS = {"gettext": 1, "gettext_lazy": 1, "gettext_noop": 1, "ngettext": 2, "ngettext_lazy": 2}
"""Django's functions, and how many of their first arguments are text."""

Message = tuple[str, ...]
_QUOTED = r"u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_CALL = re.compile(rf"\b(gettext|_|ngettext)\(({_QUOTED}(?:, ?{_QUOTED})?)")


@dataclass
class Entry:
    """One of the catalogue's: `texts` has as many as `message`. `flags` are what stands after `#,`."""

    message: Message = ()
    texts: Message = ()
    flags: set[str] = field(default_factory=set)


def messages() -> dict[Message, str]:
    """Every message of the templates and packages that people meet, and a file where it stands."""
    templates = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "templates").rglob("*.txt")]
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "demo" not in path.parts]
    found = {message: str(path) for path in templates for message in in_template(path.read_text())}
    return found | {message: str(path) for path in modules for message in in_module(ast.parse(path.read_text()))}


def in_template(source: str) -> Iterator[Message]:
    """Django turns `translate` and `blocktranslate` into calls of gettext, and everything else into noise."""
    marked = templatize(source)
    assert "pgettext(" not in marked  # a message with a context: none so far
    for name, arguments in _CALL.findall(marked):
        texts = [ast.literal_eval(quoted) for quoted in re.findall(_QUOTED, arguments)]
        yield tuple(texts[: TEXTS.get(name, 1)])


def in_module(tree: ast.AST) -> Iterator[Message]:
    """Under whatever names the module imports Django's functions."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [name for node in imports if node.module == "django.utils.translation" for name in node.names]
    counts = {name.asname or name.name: TEXTS[name.name] for name in names if "gettext" in name.name}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in counts:
            texts = node.args[: counts[node.func.id]]
            if not isinstance(texts[0], ast.Name):  # a variable's text is marked where it is written
                yield tuple(ast.literal_eval(text) for text in texts)


def entries(path: Path = GERMAN) -> list[Entry]:
    """The `.po` file, header included (its message is the empty text)."""
    blocks = re.split(r"\n{2,}", path.read_text().strip())
    return [_entry(block) for block in blocks]


def _entry(block: str) -> Entry:
    found = Entry()
    for kind, quoted in re.findall(r'^(msg\w+)(?:\[\d\])? ((?:".*"\s*)+)', block, re.MULTILINE):
        text = "".join(ast.literal_eval(line) for line in quoted.splitlines())
        if kind == "msgstr":
            found.texts += (text,)
        else:
            found.message += (text,)
    for line in re.findall(r"^#,(.*)$", block, re.MULTILINE):
        found.flags |= {flag.strip() for flag in line.split(",")}
    return found
