"""The console's forms sit the configuration file's exam: one set of rules, whichever way a setting comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django import forms

from authserver.configuration.problems import Problems
from authserver.configuration.reading import Fields
from authserver.configuration.tree import Table, from_python

T = TypeVar("T")


def examine(
    form: forms.BaseForm,
    entry: Mapping[str, Any],
    read: Callable[[Fields], T],
    *,
    fields: Mapping[str, str] | None = None,
) -> T | None:
    """Read `entry` (file keys and what was typed) as an entry of the file; None where something is wrong.

    What is wrong becomes an error of the form's field of that name; `fields` says where names differ.
    """
    problems = Problems()
    given = {key: value for key, value in entry.items() if value not in (None, "", [], {}, ())}
    node = from_python(given)
    if not isinstance(node, Table):
        raise TypeError("a mapping becomes a Table")
    result = read(Fields(node, "", problems))
    for problem in problems.found:
        key = re.split(r"[.\[]", problem.key, maxsplit=1)[0]
        name = (fields or {}).get(key, key)
        where = problem.key.removeprefix(key).lstrip(".")
        message = f"{where + ': ' if where else ''}{problem.wrong}; {problem.remedy}"
        form.add_error(name if name in form.fields else None, message)
    return None if problems.found else result
