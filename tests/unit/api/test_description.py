"""The description says what the API does: it is valid, and real answers are as it says."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml
from django.test import Client as Http
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from authserver.api import schema
from tests.unit.api.conftest import Held

ALL = "/api/v1/sessions/{tsid}/upstream-tokens"
ONE = ALL + "/{upstream}"


@pytest.fixture
def description() -> dict[str, Any]:
    schema.description.cache_clear()
    return schema.description()


def test_it_is_valid_and_was_made_without_a_warning(description: dict[str, Any]) -> None:
    validate_schema(description)  # type: ignore[no-untyped-call]  # drf-spectacular's
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache


def test_it_names_every_address_and_who_may_call(description: dict[str, Any]) -> None:
    assert {address: set(methods) for address, methods in description["paths"].items()} == {
        ALL: {"get", "post"},
        ONE: {"get", "post"},
        "/api/v1/revocations": {"get", "post"},
        "/api/v1/token": {"post"},
    }
    schemes = description["components"]["securitySchemes"]
    assert schemes["basic"]["scheme"] == "basic"
    assert schemes["token"]["flows"]["clientCredentials"]["tokenUrl"].endswith("/api/v1/token")
    for methods in description["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert {"200", "401", "429", "503"} <= set(operation["responses"])
            assert operation["security"]


def test_it_comes_as_json_and_as_yaml(description: dict[str, Any]) -> None:
    assert Http().get("/api/v1/schema").json() == description
    asked = Http().get("/api/v1/schema", headers={"Accept": "application/yaml"})
    assert yaml.safe_load(asked.content) == description
    assert "Accept" in asked["Vary"].split(", ")


@pytest.mark.django_db
def test_answers_are_as_it_says(held: Held, description: dict[str, Any]) -> None:
    held.connect("github")
    held.name_upstream("missing")
    answers = {
        (ALL, "200"): held.get(),
        (ALL, "400"): held.get(limit="x"),
        (ALL, "404"): held.get(tsid="unknown"),
        (ALL, "401"): held.get(headers={}),
        (ONE, "200"): held.get("github"),
        (ONE, "400"): held.get("missing"),
        ("/api/v1/token", "200"): held.access_token(),
    }
    for (address, status), answer in answers.items():
        assert answer.status_code == int(status)
        methods = description["paths"][address]
        described = (methods.get("get") or methods["post"])["responses"][status]["content"]
        content = described[answer["Content-Type"].partition(";")[0]]["schema"]
        whole = {**content, "components": description["components"]}
        jsonschema.Draft202012Validator(whole).validate(answer.json())
        known = description["components"]["schemas"][content["$ref"].rpartition("/")[2]]["properties"]
        assert set(answer.json()) <= set(known), "a member that is not described"


def test_the_page_shows_every_operation_without_a_script() -> None:
    page = Http().get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    assert "style-src 'self'" in page["Content-Security-Policy"]
    assert "<script" not in text
    assert "style=" not in text
    for words in ("list_upstream_tokens", "get_upstream_token", "create_access_token", "needs_reauthorization"):
        assert words in text


@pytest.mark.parametrize("path", ["/api/v1/schema", "/api/v1/docs"])
def test_it_is_there_to_be_read_only(path: str) -> None:
    assert Http().post(path).status_code == 405
