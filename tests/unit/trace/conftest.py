"""An operator who reads the trace, and somebody whose attempts are in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest

from accounts.models import User
from authserver import refusals
from tests.fakes.oauth2 import FakeOAuth2
from tests.harness import operators
from tests.unit.authorize.town import Town
from upstream import discovery

Read = Callable[[str], "Shown"]


@dataclass(frozen=True)
class Shown:
    """The page: the verdict of each attempt in words, newest first, and the whole text."""

    verdicts: list[str]
    text: str


@pytest.fixture(autouse=True)
def _every_refusal_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_allowance", refusals._Allowance())


@pytest.fixture
def read(db: None) -> Read:
    http = operators.signed_in(User.objects.create_superuser("operator"))

    def read(asked: str) -> Shown:
        answer: Any = http.get("/admin/trace/", {"q": asked})
        assert answer.status_code == 200
        text = unescape(answer.content.decode())
        return Shown(re.findall(r"<p><strong>(.*?)</strong>", text), text)

    return read


@pytest.fixture
def town() -> Iterator[Town]:
    discovery.forget()
    with FakeOAuth2() as code, FakeOAuth2() as mail, FakeOAuth2() as notes:
        yield Town(code, mail, notes)
    discovery.forget()
