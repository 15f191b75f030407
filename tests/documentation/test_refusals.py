"""`docs/connect-your-mcp-server.md`, "When it says no": the rows are what token exchange answers."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from authserver.errors import OAuthError, invalid_client
from authserver.exchange.grant import NOT_OURS
from authserver.release import Released, Whose, describe
from tests.documentation.documents import ROOT
from upstream.errors import MissingScope, NeedsReauthorization, NotConnected, TemporarilyUnavailable, UpstreamError
from upstream.models import Provider


def rows() -> list[tuple[int, str, str, str]]:
    """Status, error, state (empty for none), and what to do."""
    text = (ROOT / "docs" / "connect-your-mcp-server.md").read_text().partition("## When it says no")[2]
    found = re.findall(r"^\| (\d+) \| `(\w+)` \| (?:`(\w+)`|none) \| (.+) \|$", text, re.MULTILINE)
    return [(int(status), error, state, remedy) for status, error, state, remedy in found]


def remedy_for(error: OAuthError) -> str:
    answer = error.as_json()
    said = (error.status, answer["error"], answer.get("state", ""))
    [remedy] = [remedy for *row, remedy in rows() if tuple(row) == said]
    return remedy


@pytest.mark.parametrize(
    "state",
    [NotConnected("r"), NeedsReauthorization("r"), MissingScope(["repo"]), TemporarilyUnavailable("r")],
    ids=lambda state: type(state).__name__,
)
def test_each_state_of_an_upstream_has_its_row(state: UpstreamError) -> None:
    whose = Whose("a-tsid", uuid4(), "a-client", "https://mcp.example.com/mcp")
    error = describe(Released(Provider(name="github", type=Provider.Type.GITHUB), state), whose)
    remedy = remedy_for(error)
    assert ("Retry-After" in error.headers) == ("`Retry-After`" in remedy)
    assert ("connect_url" in error.members) == ("`connect_url`" in remedy or remedy.startswith("the same"))
    assert ("missing_scopes" in error.members) == ("`missing_scopes`" in remedy)


def test_a_token_that_is_no_longer_valid_and_a_wrong_secret_have_theirs() -> None:
    assert "401" in remedy_for(NOT_OURS)
    assert "secret" in remedy_for(invalid_client("wrong secret"))
