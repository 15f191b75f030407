"""Which registrations are one app: what differs between installations does not count, what an imitator lacks does."""

from __future__ import annotations

import pytest

from authserver.app_identity import Identity, identity, normalised, pattern
from authserver.models import App


def named(name: str, *redirect_uris: str) -> Identity:
    return identity(source="dcr", client_id="dcr-1", name=name, redirect_uris=redirect_uris)


def published(client_id: str, name: str = "Claude") -> Identity:
    return identity(source="cimd", client_id=client_id, name=name, redirect_uris=("http://localhost/callback",))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Claude Code (github)", "Claude Code"),
        ("Claude Code (atlassian) ", "claude  code"),
        ("Gemini CLI v2", "Gemini CLI"),
        ("mcp-remote 0.1.29", "MCP-remote 0.2.0-beta.1"),
        ("\uff23ursor", "Cursor"),
    ],
)
def test_installations_of_one_app_differ_in_case_version_and_an_aside(name: str, other: str) -> None:
    assert normalised(name) == normalised(other)


@pytest.mark.parametrize(
    ("name", "other"), [("Claude", "Claude Code"), ("Agent 1", "Agent 2"), ("(x)", "(y)"), ("a", "\u0430")]
)
def test_other_names_are_other_apps(name: str, other: str) -> None:
    uri = "http://localhost/callback"
    assert named(name, uri).key != named(other, uri).key or normalised(name) == normalised(other) == ""


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("http://localhost:50766/callback", "loopback"),
        ("http://127.0.0.1:1/other", "loopback"),
        ("http://[::1]:8080/", "loopback"),
        ("cursor://anysphere.cursor-mcp/oauth/user-1/callback", "cursor://anysphere.cursor-mcp"),
        ("com.example.app:/callback", "com.example.app:"),
        ("https://claude.ai/api/mcp/auth_callback", "https://claude.ai/api/mcp/auth_callback"),
        ("https://CLAUDE.ai/api/mcp/auth_callback?x=1", "https://claude.ai/api/mcp/auth_callback?*"),
        ("https://chatgpt.com/connector/oauth/aB3dEfGh1jK", "https://chatgpt.com/connector/oauth/*"),
        ("https://chatgpt.com/connector/oauth/KjNqVKwCvtYf", "https://chatgpt.com/connector/oauth/*"),
        ("https://x.example/6f1c2b9e-7d1a-4c55-9b1e-0f0f7a1c2d3e/cb", "https://x.example/*/cb"),
        (
            "https://chatgpt.com/connector_platform_oauth_redirect",
            "https://chatgpt.com/connector_platform_oauth_redirect",
        ),
        ("https://x.example/oauth2callback", "https://x.example/oauth2callback"),
        ("https://x.example/authCallback", "https://x.example/authCallback"),
        ("https://x.example:8443/cb", "https://x.example:8443/cb"),
    ],
)
def test_a_place_is_where_the_answer_goes(uri: str, place: str) -> None:
    assert pattern(uri) == place


def test_the_same_name_answered_elsewhere_is_another_app() -> None:
    theirs = "https://claude.ai/api/mcp/auth_callback"
    own = named("Claude", theirs)
    assert own == named("Claude", theirs, theirs)
    for uris in ((theirs, "http://localhost/x"), ("https://claude.ai.example/api/mcp/auth_callback",), ("claude://x",)):
        assert named("Claude", *uris).key != own.key


@pytest.mark.parametrize(
    ("imitation", "name"),
    [
        ("Git\u041dub", "GitHub"),  # a Cyrillic capital, whose small letter looks like no h
        ("\u03f9laude (beta)", "Claude"),  # a Greek lunate sigma, which folds to another letter
        ("\u0421\u041e\u0420\u0423 V2", "Copy"),  # Cyrillic from end to end
    ],
)
def test_names_are_compared_as_they_are_seen(imitation: str, name: str) -> None:
    assert named(imitation, "http://localhost/").skeleton == named(name, "http://localhost/").skeleton


def test_documents_of_one_host_are_one_app_whatever_their_name() -> None:
    assert published("https://claude.ai/a.json").key == published("https://CLAUDE.ai/b", "Claude Code").key
    assert published("https://claude.ai./a.json").key == published("https://claude.ai/a.json").key
    assert published("https://claude.ai/a.json").key != published("https://claude.ai.example/a.json").key


def test_no_registration_can_be_taken_for_a_document_or_for_what_an_operator_configured() -> None:
    keys = {
        identity(source=source, client_id="x", name="x", redirect_uris=("https://x.example/cb",)).key
        for source in ("dcr", "cimd", "manual")
    }
    assert len(keys) == 3


LONG = "/".join(["a-path-of-words"] * 60)


@pytest.mark.parametrize(
    ("place", "can"),
    [
        (["https://a.example/cb", "https://b.example/cb"], True),
        (["http://localhost/cb"], False),
        (["https://a.example/cb", "http://127.0.0.1/"], False),
        (["https://a.example/7f3c1b2a9d/cb"], False),
        (["https://a.example/cb?tenant=1"], False),
        (["cursor://a"], False),
        (["https://127.0.0.2/cb"], False),
        (["https://localhost./cb"], False),
        ([*(f"https://{host}.example/{LONG}" for host in "abc"), "http://localhost/"], False),
        ([f"https://{host}.example/{LONG}" for host in "abc"], False),
    ],
    ids=[
        "web",
        "own computer",
        "both",
        "an id in it",
        "a query",
        "private scheme",
        "own, by number",
        "own, by name",
        "hidden behind length",
        "too long to show",
    ],
)
def test_only_what_nobody_else_can_have_can_be_verified(place: list[str], can: bool) -> None:
    found = named("Name", *place)
    assert len(found.place) <= 2048
    assert App(kind=found.kind, place=found.place).can_be_verified is can
