"""A person who has approved one app, whose server needs two upstreams and could use a third; and somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.test import Client as Http

from tests.fakes.oauth2 import FakeOAuth2
from tests.unit.authorize.sitting import new_sitting
from tests.unit.connect.conftest import Scene
from upstream import discovery

PAGE = "/account/"


@pytest.fixture
def scene(db: None) -> Iterator[Scene]:
    discovery.forget()
    with FakeOAuth2() as code, FakeOAuth2() as mail, FakeOAuth2() as notes:
        yield Scene(code, mail, notes)
    discovery.forget()


def eve_of(scene: Scene) -> Http:
    """Another person's browser, signed in by the same providers, with an app of the same kind."""
    scene.code.person, scene.mail.person = {"id": 2002, "name": "Eve"}, {"id": 2003}
    eve = new_sitting(scene.sitting.resource, scene.sitting.client)
    assert "code" in eve.whole("notes")
    scene.code.person = {"id": 1001, "name": "Ada Example"}
    return eve.http


def read(answer: Any) -> str:
    """The words of a page, in one line, without the marks that keep a name's direction to itself."""
    text = re.sub(r"<(head|script)\b.*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(text).replace("\u2068", "").replace("\u2069", ""))
