"""What another process does between two statements of one request: the interleaving, without the chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def before(is_it: Callable[[str], bool], act: Callable[[], object]) -> Iterator[None]:
    """Do it once, just before the first statement that is the one; and there has to be one."""
    waiting = [act]

    def sent(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if waiting and is_it(sql):
            waiting.pop()()
        return execute(sql, *arguments)

    with connection.execute_wrapper(sent):
        yield
    assert not waiting, "no such statement was sent"
