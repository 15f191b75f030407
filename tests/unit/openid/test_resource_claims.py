"""A resource that asks for name or address in its access tokens: only where configured so, and only as approved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authserver.configuration.applying import apply
from authserver.models import Resource
from tests.harness.approval import Approval, approve, make_resource, make_user, post
from tests.harness.oauth import claims
from tests.unit.authorize.conftest import Door

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

PERSONAL = {"name", "email", "email_verified"}
EMAIL = {"email": "ada@example.com", "email_verified": True}
NAME = {"name": "Ada Lovelace"}


def approved(scopes: tuple[str, ...], asked: list[str]) -> Approval:
    person = make_user(name="Ada Lovelace", email="ada@example.com")
    return approve(scopes=("mcp:tools", *scopes), user=person, resource=make_resource(claims=asked))


def told(access_token: str) -> dict[str, Any]:
    return {name: value for name, value in claims(access_token).items() if name in PERSONAL}


@pytest.mark.parametrize(
    ("asked", "scopes", "expected"),
    [
        ([], ("openid", "profile", "email"), {}),
        (["email", "name"], (), {}),
        (["email", "name"], ("openid",), {}),
        (["email", "name"], ("email",), EMAIL),
        (["email", "name"], ("profile",), NAME),
        (["email", "name"], ("profile", "email"), EMAIL | NAME),
        (["email"], ("profile", "email"), EMAIL),
        (["name"], ("profile", "email"), NAME),
        (["name"], ("email",), {}),
    ],
)
def test_a_claim_needs_the_resource_to_ask_and_the_person_to_approve(
    asked: list[str], scopes: tuple[str, ...], expected: dict[str, Any]
) -> None:
    approval = approved(scopes, asked)
    tokens = approval.redeem()
    assert told(tokens["access_token"]) == expected
    again = post(approval.refresh_form(tokens["refresh_token"])).json()
    assert told(again["access_token"]) == expected


def test_a_refresh_says_what_is_true_by_then() -> None:
    approval = approved(("email", "profile"), ["email", "name"])
    tokens = approval.redeem()
    approval.user.name = "Ada King"
    approval.user.save()
    tokens = post(approval.refresh_form(tokens["refresh_token"])).json()
    assert claims(tokens["access_token"])["name"] == "Ada King"
    Resource.objects.update(claims=[])
    tokens = post(approval.refresh_form(tokens["refresh_token"])).json()
    assert told(tokens["access_token"]) == {}


def test_a_refresh_for_fewer_scopes_tells_less() -> None:
    approval = approved(("email", "profile"), ["email", "name"])
    form = approval.refresh_form(approval.redeem()["refresh_token"], scope="mcp:tools profile")
    assert told(post(form).json()["access_token"]) == NAME


def test_nothing_that_the_token_is_for_can_be_overwritten_by_what_it_tells() -> None:
    said = claims(approved(("email", "profile"), ["email", "name", "sub", "tsid"]).redeem()["access_token"])
    assert set(said) - PERSONAL == {"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti", "tsid"}


def test_the_file_says_which_and_leaves_it_off(tmp_path: Path) -> None:
    file = tmp_path / "authserver.yaml"
    entry = "resources:\n  - identifier: https://mcp.example.com/mcp\n    name: Example\n    scopes: ['mcp:tools']\n"
    file.write_text(entry)
    apply(file)
    assert Resource.objects.get().claims == []
    file.write_text(f"{entry}    claims: [email, name]\n")
    apply(file)
    assert Resource.objects.get().claims == ["email", "name"]


@pytest.mark.parametrize(
    ("asked", "scope", "lines"),
    [
        ([], "openid profile email", 0),
        (["email"], "mcp:tools", 0),
        (["email"], "openid profile email", 1),
        (["email", "name"], "openid profile email", 2),
    ],
)
def test_the_consent_page_says_that_the_resource_is_told(
    door: Door,
    asked: list[str],
    scope: str,
    lines: int,
) -> None:
    Resource.objects.update(claims=asked)
    page = door.ask(scope=scope).content.decode()
    assert page.count("<bdi>Example MCP server</bdi> is told it too, with every request.") == lines


def test_it_says_so_in_german(door: Door) -> None:
    Resource.objects.update(claims=["email"])
    page = door.ask(scope="email", ui_locales="de").content.decode()
    assert "erfährt das bei jeder Anfrage ebenfalls" in page
