"""A resource's "How to connect": the tested document's own lines, with this deployment's addresses in them."""

from __future__ import annotations

import ast
import json
import re

import pytest
from django.test import Client as Http

from authserver import conf
from authserver.console import connecting
from authserver.models import Resource
from tests.harness.approval import make_resource_server
from tests.harness.server import ROOT as PROJECT
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT

pytestmark = [pytest.mark.django_db]

DOCUMENT = (PROJECT / "docs" / "connect-your-mcp-server.md").read_text()
BLOCKS = [
    block.rstrip("\n")
    for block in re.findall(r"^```(?:python|typescript|sh)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
]


def example(**fields: object) -> Resource:
    values = {"identifier": "https://mcp.example.com/mcp", "name": "Example", "scopes": {"mcp:tools": "Use the tools"}}
    resource = Resource(**{**values, **fields})
    resource.canonical = resource.identifier
    resource.save()
    return resource


def texts(resource: Resource, client_id: str = "example-mcp") -> list[str]:
    issuer = conf.load().issuer
    return [each.text.replace(issuer, "https://auth.example.com") for each in connecting.snippets(resource, client_id)]


def test_they_are_the_lines_of_the_document_whose_servers_run() -> None:
    fastmcp, python, typescript, django, challenge, metadata, exchange = texts(example())
    servers = [text.rstrip("\n") for text in (fastmcp, python, typescript, django)]
    assert [*servers, exchange] == BLOCKS
    assert f"`{challenge}`" in DOCUMENT
    assert f"`{metadata}`" in DOCUMENT


def test_a_server_at_another_path_is_told_so() -> None:
    fastmcp, python, typescript, django, challenge, metadata, _exchange = texts(
        example(identifier="https://mcp.example.com/a/b")
    )
    assert fastmcp.rstrip().endswith('mcp.run(transport="http", port=9000, path="/a/b")')
    assert python.rstrip().endswith('port=9000, streamable_http_path="/a/b")')
    assert 'app.all("/a/b", ' in typescript
    assert 'METADATA = "/.well-known/oauth-protected-resource/a/b";' in typescript
    assert 'path("a/b", mcp), path(".well-known/oauth-protected-resource/a/b", metadata)' in django
    assert "https://mcp.example.com/.well-known/oauth-protected-resource/a/b" in challenge
    assert json.loads(metadata)["resource"] == "https://mcp.example.com/a/b"


def test_no_name_breaks_out_of_its_string() -> None:
    name = 'x"); import os #\\ \n{{ issuer }} é'
    fastmcp, python, typescript, django, *_rest = texts(example(name=name))
    for code in (fastmcp, python, django):
        strings = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
        assert name in strings
    [line] = re.findall(r"new McpServer\(\{ name: (.*), version: \"1.0.0\" \}\);", typescript)
    assert json.loads(line) == name  # a string of JSON is one of JavaScript


def test_the_page_names_the_caller_or_says_that_there_is_none(superuser: Http, staff: Operator) -> None:
    resource = example(name="<b>Example</b>")
    page = f"{ROOT}authserver/resource/{resource.pk}/connect/"
    assert page in superuser.get(f"{ROOT}authserver/resource/{resource.pk}/change/").content.decode()
    assert "No resource server may exchange tokens for it yet" in superuser.get(page).content.decode()
    server = make_resource_server(resource)
    said = superuser.get(page).content.decode()
    assert server.client_id in said
    assert "<b>Example" not in said
    assert staff("accounts.view_auditevent").get(page).status_code == 403
    assert superuser.get(f"{ROOT}authserver/resource/999999/connect/").status_code == 404


def test_a_resources_page_says_which_servers_may_exchange_its_tokens(superuser: Http) -> None:
    resource = example()
    page = f"{ROOT}authserver/resource/{resource.pk}/change/"
    assert "none yet: add one, and give it this resource" in superuser.get(page).content.decode()
    server = make_resource_server(resource)
    said = superuser.get(page).content.decode()
    assert f'{ROOT}authserver/resourceserver/{server.pk}/change/">{server.client_id}</a>' in said
