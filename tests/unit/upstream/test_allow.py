"""The rules of `allow`."""

from __future__ import annotations

from typing import Any

import pytest

from upstream.allow import permits
from upstream.identity import Identity

ADA = Identity(
    "ada-1", "Ada", "Ada@Example.com", {"hd": "example.com", "groups": ["staff", "x"], "n": 1, "r": {"roles": ["a"]}}
)
NO_ADDRESS = Identity("ada-1", "Ada", "", {})


@pytest.mark.parametrize(
    ("allow", "person", "allowed"),
    [
        ({}, ADA, True),
        ({"email_domains": [], "emails": [], "subjects": [], "claims": {}}, NO_ADDRESS, True),
        ({"email_domains": ["EXAMPLE.com"]}, ADA, True),
        ({"email_domains": ["example.org"]}, ADA, False),
        ({"email_domains": ["ample.com"]}, ADA, False),
        ({"email_domains": ["com"]}, ADA, False),
        ({"email_domains": ["example.com"]}, NO_ADDRESS, False),
        ({"email_domains": [""]}, NO_ADDRESS, False),
        ({"emails": ["ada@example.com"]}, ADA, True),
        ({"emails": [""]}, NO_ADDRESS, False),
        ({"emails": ["other@example.com"]}, ADA, False),
        ({"subjects": ["ada-1"]}, NO_ADDRESS, True),
        ({"subjects": ["ADA-1"]}, NO_ADDRESS, False),
        ({"emails": ["other@example.com"], "subjects": ["ada-1"]}, ADA, True),
        ({"claims": {"hd": "example.com"}}, ADA, True),
        ({"claims": {"hd": ["example.org", "example.com"]}}, ADA, True),
        ({"claims": {"groups": "staff"}}, ADA, True),
        ({"claims": {"groups": ["admins"]}}, ADA, False),
        ({"claims": {"groups": "sta"}}, ADA, False),
        ({"claims": {"r.roles": "a"}}, ADA, True),
        ({"claims": {"n": True}}, ADA, False),
        ({"claims": {"n": "1"}}, ADA, False),
        ({"claims": {"absent": None}}, ADA, False),
        ({"claims": {"hd": "example.com", "groups": "admins"}}, ADA, False),
        ({"subjects": ["ada-1"], "claims": {"hd": "example.org"}}, ADA, False),
        ({"subjects": "ada-1"}, ADA, False),
        ({"claims": ["hd"]}, ADA, False),
        ({"email_domain": ["example.com"]}, ADA, False),
        ([], ADA, False),
        (None, ADA, False),
    ],
)
def test_allow(allow: Any, person: Identity, allowed: bool) -> None:
    assert permits(allow, person) is allowed
