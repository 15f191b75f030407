"""`/api/v1/schema` (OpenAPI 3) and `/api/v1/docs`: the API described by its own code, made once a process.

The page is made on the server from that very description: Swagger UI and its like need scripts and styles that our
content security policy has no room for.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from authserver.conf import load

MAX_AGE_SECONDS = 300
YAML = ("application/vnd.oai.openapi", "application/yaml", "application/x-yaml", "text/yaml")


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    generator = SchemaGenerator(patterns=[path("api/v1/", include("authserver.api.urls"))])  # type: ignore[no-untyped-call]
    document: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """JSON, or YAML to whoever asks for that."""
    if any(kind in request.headers.get("Accept", "") for kind in YAML):
        text = yaml.safe_dump(description(), sort_keys=False, allow_unicode=True)
        response = HttpResponse(text, content_type=f"{YAML[0]};charset=utf-8")
    else:
        response = JsonResponse(description(), content_type="application/vnd.oai.openapi+json")
    response["Vary"] = "Accept"
    response["Cache-Control"] = f"public, max-age={MAX_AGE_SECONDS}"
    return response


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """For people."""
    return render(request, "api/docs.html", page())


def page() -> dict[str, Any]:
    """What the page shows."""
    return {
        "issuer": load().issuer,
        "info": description()["info"],
        "operations": operations(description()),
        "schemes": description()["components"]["securitySchemes"],
    }


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Each operation as the page shows it: method, path, words, parameters, and answers with their examples."""
    return [
        {
            "id": operation["operationId"],
            "method": method.upper(),
            "path": address,
            "summary": operation.get("summary", ""),
            "description": _plain(operation.get("description", "")),
            "parameters": [
                {"name": one["name"], "where": one["in"], "required": one.get("required", False),
                 "words": _plain(one.get("description", ""))}
                for one in operation.get("parameters", [])
            ],
            "answers": [
                {"status": status, "words": answer.get("description", ""), **_example(answer)}
                for status, answer in operation["responses"].items()
            ],
        }
        for address, methods in document["paths"].items()
        for method, operation in methods.items()
        if not operation["operationId"].endswith("_by_form")
    ]  # fmt: skip


def _plain(markdown: str) -> str:
    """The description's own words are Markdown; of that they use code only."""
    return markdown.replace("`", "")


def _example(answer: dict[str, Any]) -> dict[str, str]:
    """The first example, set as JSON."""
    for kind, content in answer.get("content", {}).items():
        for example in content.get("examples", {}).values():
            return {"kind": kind, "example": json.dumps(example["value"], indent=2, ensure_ascii=False)}
    return {"kind": "", "example": ""}
