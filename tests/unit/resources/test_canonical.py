"""When two spellings name one resource, and what names none."""

from __future__ import annotations

import pytest

from authserver.resources import InvalidIdentifier, canonical


@pytest.mark.parametrize(
    ("spelt", "meant"),
    [
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        ("HTTPS://MCP.Example.COM/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com:443/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com:/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://mcp.example.com/?a=b", "https://mcp.example.com?a=b"),
        ("http://localhost:9000/mcp", "http://localhost:9000/mcp"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_scheme_and_host_case_default_port_and_empty_path_do_not_matter(spelt: str, meant: str) -> None:
    assert canonical(spelt) == meant
    assert canonical(meant) == meant


@pytest.mark.parametrize(
    "other",
    [
        "https://mcp.example.com/mcp/",
        "https://mcp.example.com/MCP",
        "https://mcp.example.com/mcp/../admin",
        "https://mcp.example.com//mcp",
        "https://mcp.example.com/%6dcp",
        "https://mcp.example.com:8443/mcp",
        "https://mcp.example.com./mcp",
        "https://mcp.example.com.evil.example/mcp",
        "https://mcp.example.com/mcp?",
    ],
)
def test_everything_else_does(other: str) -> None:
    assert canonical(other) != canonical("https://mcp.example.com/mcp")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "characters"),
        ("mcp.example.com/mcp", "absolute"),
        ("//mcp.example.com/mcp", "absolute"),
        ("ftp://mcp.example.com/", "absolute"),
        ("urn:example:mcp", "absolute"),
        ("https:///mcp", "absolute"),
        ("https:/mcp.example.com", "absolute"),
        ("https://me@mcp.example.com/", "absolute"),
        ("https://mcp.example.com\\@evil.example/", "absolute"),
        ("https://mcp.example.com/#", "fragment"),
        ("https://mcp.example.com/#a", "fragment"),
        ("http://mcp.example.com/", "plain http"),
        ("http://localhost.evil.example/", "plain http"),
        ("https://mcp.example.com:0/", "port"),
        ("https://mcp.example.com:65536/", "port"),
        ("https://mcp.example.com:x/", "absolute"),
        ("https://mcp.example.com/a b", "characters"),
        ("https://mcp.example.com/\x00", "characters"),
        ("https://mcp.example.com/\n", "characters"),
        ("https://\u0430.example/", "characters"),
        ("https://mcp.example.com/" + "a" * 2048, "longer than 2048"),
    ],
)
def test_what_is_no_identifier_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidIdentifier, match=why):
        canonical(text)
