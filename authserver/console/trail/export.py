"""The filtered trail as a file: CSV for spreadsheets, JSON Lines for programs, written while it is read.

Page by page along the list's order, so that neither side holds more than a page and no cursor stays open. An export
that takes too long or gets too large ends with a line that says where to go on.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from accounts.models import AuditEvent

PAGE = 1000
MAX_ROWS = 1_000_000
MAX_SECONDS = 120
COLUMNS = (
    "at", "event", "outcome", "reason", "actor", "user_id", "client_id", "tsid", "resource", "upstream", "address",
    "request_id", "receipt", "detail",
)  # fmt: skip
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones count as well

Done = Callable[[int, bool], None]
"""Told in the end how many rows were written, and whether those were all."""


def lines(
    rows: QuerySet[AuditEvent], kind: str, *, done: Done, clock: Callable[[], float] = time.monotonic
) -> Iterator[bytes]:
    """The file in pieces, the newest row first. `done` is called once, also where nobody reads to the end."""
    written, whole = 0, False
    write = _csv if kind == "csv" else _json
    began = clock()
    try:
        if kind == "csv":
            yield _csv_line(COLUMNS)
        last: AuditEvent | None = None
        while page := list(_after(rows, last)[:PAGE]):
            written, last = written + len(page), page[-1]
            yield b"".join(write(row) for row in page)
            if len(page) < PAGE:
                break
            if written >= MAX_ROWS or clock() - began > MAX_SECONDS:
                yield _rest(kind, last.at)
                return
        whole = True
    finally:
        done(written, whole)


def _after(rows: QuerySet[AuditEvent], last: AuditEvent | None) -> QuerySet[AuditEvent]:
    """The rows that follow `last` in the order of the list."""
    ordered = rows.order_by("-at", "-id")
    return ordered if last is None else ordered.filter(at__lte=last.at).exclude(at=last.at, id__gte=last.pk)


def _values(row: AuditEvent) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in COLUMNS}
    return {**plain, "at": _time(row.at), "user_id": _text(row.user_id), "receipt": _text(row.receipt)}


def _json(row: AuditEvent) -> bytes:
    return json.dumps(_values(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _csv(row: AuditEvent) -> bytes:
    values = _values(row)
    return _csv_line([_cell(values[name]) for name in COLUMNS])


def _cell(value: Any) -> str:
    """A spreadsheet takes what begins with one of these for a formula (OWASP, CSV injection): an apostrophe makes it text."""
    if value == {}:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else _text(value)
    return f"'{text}" if text.startswith(DANGEROUS) else text


class _Line:
    """What `csv.writer` writes to."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


def _csv_line(cells: Any) -> bytes:
    line = _Line()
    csv.writer(line).writerow(cells)
    return line.text.encode()


def _rest(kind: str, until: datetime) -> bytes:
    """The last line of a file that is not the whole; events of that very moment come again."""
    if kind == "csv":
        return _csv_line(["incomplete", "go on with what is not later than", _time(until)])
    return json.dumps({"incomplete": True, "until": _time(until)}).encode() + b"\n"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(value: Any) -> str:
    return "" if value is None else str(value)
