"""YAML as nodes that know their lines. Nothing of the file decides what Python object comes out.

Bounded before it is walked: 1 MiB, 20,000 nodes with aliases counted as often as they are used, 16 levels. Keys are the
text that stands there (`on` is "on", not true), each once a mapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from authserver.configuration.problems import Problems

MAX_BYTES = 1024 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 16

_PLAIN_TAG = "tag:yaml.org,2002:"
_COLLECTIONS = {f"{_PLAIN_TAG}seq", f"{_PLAIN_TAG}map"}
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}")


@dataclass(frozen=True)
class Node:
    """A place in the file: its 1-based line, 0 where the value did not come from one."""

    line: int


@dataclass(frozen=True)
class Scalar(Node):
    """A text, whole number, truth value or nothing. Floats and dates stay text."""

    value: str | int | bool | None


@dataclass(frozen=True)
class Listing(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Table(Node):
    entries: dict[str, Node]
    lines: dict[str, int]


class _TooMuch(Exception):
    """A bound was passed at `line`."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes only, and refuses before recursion gets deep."""

    depth = 0
    count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        self.count += 1
        _check_bounds(self.line + 1, self.depth, self.count)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _check_bounds(line: int, depth: int, count: int) -> None:
    if depth > MAX_DEPTH:
        raise _TooMuch(line, f"is nested deeper than {MAX_DEPTH} levels")
    if count > MAX_NODES:
        raise _TooMuch(line, f"holds more than {MAX_NODES} values")


def load(file: Path, problems: Problems) -> Table | None:
    """The file's top mapping, empty for an empty file; None where it could not be read, with the problem noted."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        problems.add(0, "", "is not UTF-8", "save it as UTF-8")
        return None
    except OSError as error:
        problems.add(0, "", f"cannot be read ({error.strerror})", "check the path and its permissions")
        return None
    if len(content) > MAX_BYTES:
        problems.add(0, "", "is larger than 1 MiB", "split what does not belong here off")
        return None
    return _parse(text, problems)


def _parse(text: str, problems: Problems) -> Table | None:
    try:
        loader = _BoundedLoader(text)
        root = loader.get_single_node()
        node = Table(1, {}, {}) if root is None else _Walk(problems).convert(root, "", 1)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(
            mark.line + 1 if mark else 0, "", f"is not YAML here ({error.problem})", "check indentation and quotes"
        )
        return None
    except yaml.YAMLError:
        problems.add(0, "", "holds characters that YAML does not allow", "remove control characters")
        return None
    except _TooMuch as error:
        problems.add(error.line, "", str(error), "write less, and fewer aliases")
        return None
    if isinstance(node, Scalar) and node.value is None:
        return Table(node.line, {}, {})
    if not isinstance(node, Table):
        problems.add(node.line, "", "is not a mapping", "start with a section such as `upstreams:`")
        return None
    return node


class _Walk:
    """From PyYAML's nodes to ours; an alias is walked again each time, which is what the count bounds."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.count = 0

    def convert(self, node: yaml.Node, key: str, depth: int) -> Node:
        line = node.start_mark.line + 1
        self.count += 1
        _check_bounds(line, depth, self.count)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            self.problems.add(line, key, f"has the tag {node.tag}", "write the plain value")
        if isinstance(node, yaml.SequenceNode):
            items = (self.convert(item, f"{key}[{index}]", depth + 1) for index, item in enumerate(node.value))
            return Listing(line, tuple(items))
        if isinstance(node, yaml.MappingNode):
            return self._table(node, key, depth, line)
        return Scalar(line, self._scalar(node, key, line))

    def _table(self, node: yaml.MappingNode, key: str, depth: int, line: int) -> Table:
        table = Table(line, {}, {})
        for name_node, value in node.value:
            at = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self.problems.add(at, key, "has a key that is not a word", "write `key: value`")
                continue
            name = str(name_node.value)
            path = join(key, name)
            if name in table.entries:
                first = table.lines[name]
                self.problems.add(at, path, f"stands here a second time (first in line {first})", "keep one of them")
                continue
            table.lines[name] = at
            table.entries[name] = self.convert(value, path, depth + 1)
        return table

    def _scalar(self, node: yaml.Node, key: str, line: int) -> str | int | bool | None:
        text: str = node.value
        kind = str(node.tag).removeprefix(_PLAIN_TAG)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in {"yes", "true", "on"}
        if kind == "int" and _DECIMAL.fullmatch(text):
            return int(text)
        if kind not in {"str", "int", "float", "timestamp"}:
            self.problems.add(line, key, f"has the tag {node.tag}", "write the plain value")
        return text


def join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def from_python(value: object, line: int = 0) -> Node:
    """The node of a value that came from elsewhere (a form): mappings, lists, texts, numbers, truth values, None."""
    if isinstance(value, Mapping):
        entries = {str(name): from_python(item, line) for name, item in value.items()}
        return Table(line, entries, dict.fromkeys(entries, line))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Listing(line, tuple(from_python(item, line) for item in value))
    if value is None or isinstance(value, str | int):
        return Scalar(line, value)
    return Scalar(line, str(value))
