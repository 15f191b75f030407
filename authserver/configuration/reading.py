"""One mapping of the file, read key by key: each reader says what it wants, and notes what is there instead.

A reader always answers a value of its type, so that reading goes on and every problem is found in one go.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator

from django.conf import settings

from authserver.configuration.problems import Problems
from authserver.configuration.tree import Listing, Node, Scalar, Table, join

MAX_ITEMS = 1000
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")

# What `${NAME}` may name. Not the environment at large: a configuration file is no place to copy secrets from.
VARIABLES: dict[str, Callable[[], str]] = {"AUTHSERVER_ISSUER": lambda: str(settings.AUTHSERVER["issuer"])}

Check = Callable[[str], str | None]
"""Looks at one text: None where it will do, else `what is wrong; what to do`."""


def words(seconds: int) -> str:
    """`90` is `90s`, `3600` is `1h`."""
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def guess(word: str, known: Collection[str]) -> str:
    """The remedy for a word that is none of `known`."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"choose from: {', '.join(sorted(known))}"


class Fields:
    """A mapping being read. Call `done()` last: what nobody asked for is a problem."""

    def __init__(self, table: Table, key: str, problems: Problems) -> None:
        self.table = table
        self.key = key
        self.problems = problems
        self.asked: list[str] = []

    @property
    def line(self) -> int:
        return self.table.line

    def has(self, name: str) -> bool:
        """Whether the key stands there with a value."""
        node = self.table.entries.get(name)
        return node is not None and not (isinstance(node, Scalar) and node.value is None)

    def problem(self, name: str, wrong: str, remedy: str, *, line: int = 0) -> None:
        self.problems.add(line or self.table.lines.get(name, self.line), join(self.key, name), wrong, remedy)

    def node(self, name: str, *, required: bool = False) -> Node | None:
        self.asked.append(name)
        if not self.has(name):
            if required:
                self.problems.add(self.line, join(self.key, name), "is missing", f"add `{name}:`")
            return None
        return self.table.entries[name]

    def text(
        self,
        name: str,
        *,
        required: bool = False,
        longest: int = 255,
        choices: Collection[str] = (),
        check: Check | None = None,
        default: str = "",
        literal: bool = False,
    ) -> str:
        """One text. `literal`: `${…}` in it means itself."""
        node = self.node(name, required=required)
        if node is None:
            return default
        value = self._text(node, join(self.key, name), longest, check, literal=literal)
        if value is None:
            return default
        if choices and value not in choices:
            self.problem(name, f"'{value}' is not known", guess(value, choices), line=node.line)
            return default
        return value

    def texts(
        self, name: str, *, required: bool = False, longest: int = 255, check: Check | None = None
    ) -> tuple[str, ...]:
        """A list of texts, each once; `required`: one at least. A bare text is no list: `a b` would be ambiguous."""
        node = self.node(name, required=required)
        if node is None:
            return ()
        if not isinstance(node, Listing):
            self.problem(name, "is not a list", f"write `{name}: [a, b]`", line=node.line)
            return ()
        if required and not node.items:
            self.problem(name, "is empty", "name at least one", line=node.line)
        if len(node.items) > MAX_ITEMS:
            self.problem(name, f"has more than {MAX_ITEMS} items", "write fewer", line=node.line)
            return ()
        found: list[str] = []
        for index, item in enumerate(node.items):
            value = self._text(item, f"{join(self.key, name)}[{index}]", longest, check)
            if value is not None and value in found:
                self.problems.add(
                    item.line, f"{join(self.key, name)}[{index}]", f"'{value}' stands there twice", "keep one"
                )
            elif value is not None:
                found.append(value)
        return tuple(found)

    def flag(self, name: str, *, default: bool = False) -> bool:
        node = self.node(name)
        if node is None:
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.problem(name, "is not true or false", "write `true` or `false`, without quotes", line=node.line)
        return default

    def number(self, name: str, *, least: int, most: int) -> int | None:
        """A whole number; None where it is not there."""
        node = self.node(name)
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.problem(name, "is not a number in bounds", f"write one from {least} to {most}", line=node.line)
            return None
        return value

    def seconds(self, name: str, *, least: int, most: int) -> int | None:
        """A duration, `90s`, `15m`, `1h`, `30d` or a whole number of seconds; None where it is not there."""
        node = self.node(name)
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match:
            number = int(match[1]) * _UNITS[match[2]]
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            self.problem(name, "is not a duration", "write `90s`, `15m`, `1h` or `30d`", line=node.line)
            return None
        if not least <= number <= most:
            self.problem(name, "is out of bounds", f"choose from {words(least)} to {words(most)}", line=node.line)
            return None
        return number

    def fields(self, name: str, *, required: bool = False) -> Fields | None:
        """The mapping under a key."""
        node = self.node(name, required=required)
        if node is None:
            return None
        if not isinstance(node, Table):
            self.problem(name, "is not a mapping", f"write `{name}: {{key: value}}`", line=node.line)
            return None
        return Fields(node, join(self.key, name), self.problems)

    def each(self, name: str) -> Iterator[Fields]:
        """The mappings of a list."""
        node = self.node(name)
        if node is None:
            return
        if not isinstance(node, Listing):
            self.problem(name, "is not a list", "start each entry with `- `", line=node.line)
            return
        for index, item in enumerate(node.items):
            key = f"{join(self.key, name)}[{index}]"
            if isinstance(item, Table):
                yield Fields(item, key, self.problems)
            else:
                self.problems.add(item.line, key, "is not a mapping", "write `key: value` lines")

    def names(self) -> list[str]:
        """The keys that stand there, where a mapping's keys are the operator's to choose. They count as asked for."""
        self.asked.extend(self.table.entries)
        return list(self.table.entries)

    def done(self) -> None:
        for name in self.table.entries:
            if name not in self.asked:
                self.problem(name, "is not a key here", guess(name, self.asked))

    def _text(self, node: Node, key: str, longest: int, check: Check | None, *, literal: bool = False) -> str | None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            remedy = "put it in quotes" if isinstance(node, Scalar) else "write a single value"
            self.problems.add(node.line, key, "is not a text", remedy)
            return None
        value = node.value if literal else self._filled_in(node.value, node.line, key)
        if value is None:
            return None
        wrong: str | None = None
        if not value or value != value.strip():
            wrong = "is empty or has spaces around it; write the value itself"
        elif len(value) > longest:
            wrong = f"is longer than {longest} characters; shorten it"
        elif _CONTROL.search(value):
            wrong = "holds a control character; remove it"
        elif check:
            wrong = check(value)
        if wrong:
            cause, _, remedy = wrong.partition("; ")
            self.problems.add(node.line, key, cause, remedy)
            return None
        return value

    def _filled_in(self, text: str, line: int, key: str) -> str | None:
        for name in _VARIABLE.findall(text):
            if name not in VARIABLES:
                self.problems.add(
                    line, key, f"${{{name}}} is not a variable that may stand here", guess(name, VARIABLES)
                )
                return None
        return _VARIABLE.sub(lambda match: VARIABLES[match[1]](), text)
