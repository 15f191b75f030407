#!/usr/bin/env python3
"""Write docs/reference/: the settings, commands, audit events, errors and API there are, as the code says them.

Run it after a change of any of them, `.venv/bin/python tools/reference.py`; a test holds each page to this. What a table
cannot take from a value it reads in the source: errors are raised in many places, and their words stand there.
"""

from __future__ import annotations

import ast
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference"
MADE = "<!-- Made by tools/reference.py: change the code, and run that. -->\n"
EXAMPLE = "https://auth.example.com"

WHERE = (  # as a reader calls it, and the files whose errors are its own; the first that fits counts
    ("Authorization endpoint, `/oauth/authorize`", ("authorize",)),
    ("Token endpoint, `/oauth/token`", ("token", "grants", "backend.py", "validator.py")),
    ("Token exchange, at the token endpoint", ("exchange", "release.py")),
    ("Registration, `/oauth/register`", ("registration", "client_metadata.py")),
    ("Revocation, `/oauth/revoke`", ("revocation",)),
    ("Introspection, `/oauth/introspect`", ("introspection",)),
    ("Userinfo, `/oauth/userinfo`", ("userinfo",)),
    ("Back-channel logout, `/oauth/backchannel-logout/NAME`", ("logout",)),
    ("JSON API, `/api/v1/`", ("api",)),
    ("Wherever a client or resource server proves who it is", ("client_assertion.py", "client_authentication.py", "errors.py")),
    ("Everywhere", ("endpoint.py", "parameters.py", "limits.py", "failures.py", "middleware.py", "cors.py")),
)  # fmt: skip
SAID_BY = {"OAuthError": (0, 1), "tell": (2, 3), "back": (1, 2)}
"""Calls that answer an error: which of their arguments is its code, and which its description."""
AT_THE_CLIENT = ("tell", "back")
"""Those whose answer is a redirect, which has no status of its own."""
BAD = ast.Constant(400)


def main() -> None:
    for name in [name for name in os.environ if name.startswith("AUTHSERVER_")]:
        del os.environ[name]  # the caller's own server is not meant
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "authserver.settings",
        "AUTHSERVER_ISSUER": EXAMPLE,
        "AUTHSERVER_SECRET_KEY": "a secret key for this program, and for nothing else at all",
        "AUTHSERVER_VAULT_KEYS": "r1:YSB2YXVsdCBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE=",
        "AUTHSERVER_DATABASE_URL": "sqlite://:memory:",
    }
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    TARGET.mkdir(exist_ok=True)
    for name, text in pages().items():
        (TARGET / name).write_text(text)


def pages() -> dict[str, str]:
    """File name to text. Django has to be set up."""
    makers: dict[str, Callable[[], str]] = {
        "settings.md": settings,
        "commands.md": commands,
        "audit-events.md": audit_events,
        "errors.md": errors,
        "api.md": api,
    }
    return {name: f"{MADE}{make().rstrip()}\n" for name, make in makers.items()}


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    cells = [list(head), ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in cells)


# --- Settings -----------------------------------------------------------------------------------------------------
def settings() -> str:
    from authserver import env, rate_limits

    limits = ((f"`{one.name}`", one.default, one.counts, one.per) for one in rate_limits.RATE_LIMITS)
    return f"""# Settings

How a process runs stands in its environment; what there is (providers, resources, callers) stands in [the configuration file](../../README.md#configuration). Every variable exists as `NAME_FILE` too, a path whose content is the value. Outside the demo a missing issuer, secret or vault key stops the start with one message that lists everything missing. [Run in production](../run-in-production.md#what-to-set) says which ones to think about.

{env.table()}

## Rate limits

Sliding windows, over all workers that share a cache (`AUTHSERVER_CACHE_URL`). `AUTHSERVER_RATE_LIMITS` changes one by its name. Beyond a limit the answer is 429 with `Retry-After`. In the demo there are none but one for registrations. [Rate limits](../rate-limits.md) has the answers, and what happens without the cache.

{table(("name", "default", "counts", "for each"), limits)}

## Checks

What `manage.py check --deploy --database default` may say of the settings, by its name.

{table(("check", "says"), checks())}
"""


def checks() -> Iterator[tuple[str, str]]:
    """Each message once, in the order of its id; where it is somebody else's, what the check is about."""
    found = set()
    for function in ast.parse((ROOT / "authserver" / "checks.py").read_text()).body:
        for call in calls(function):
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            if "id" in given and isinstance(function, ast.FunctionDef):
                said = words(call.args[0]) or (ast.get_docstring(function) or "").split("\n")[0]
                found.add(
                    (f"`{words(given['id'])}`", f"{said} {words(given['hint']) if 'hint' in given else ''}".strip())
                )
    return iter(sorted(found))


# --- Commands -----------------------------------------------------------------------------------------------------
def commands() -> str:
    from django.core.management import load_command_class

    names = sorted(path.stem for path in (ROOT / "authserver" / "management" / "commands").glob("[a-z]*.py"))
    sections = []
    for name in names:
        command = load_command_class("authserver", name)
        parser = ArgumentParser()
        command.add_arguments(parser)
        rows = table(("argument", "does"), options(parser)) + "\n" if list(options(parser)) else ""
        sections.append(f"## {name}\n\n{command.help}\n\n{rows}")
    listed = "\n".join(sections)
    return f"""# Commands

Those of ours, each as `manage.py NAME`, with the environment of [the server](settings.md); beside `./dev run` it is `./dev manage NAME`. `manage.py NAME --help` says the same. What is Django's own is [there](https://docs.djangoproject.com/en/stable/ref/django-admin/).

{listed}"""


def options(parser: ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if "--help" in action.option_strings:
            continue
        shown = [*action.option_strings, *([] if action.nargs == 0 else [str(action.metavar or action.dest.upper())])]
        yield f"`{' '.join(shown)}`", action.help or ""


# --- Audit events -------------------------------------------------------------------------------------------------
def audit_events() -> str:
    from django.utils import translation

    from authserver.console.trail.words import OUTCOMES, WORDS

    with translation.override("en"):
        rows = [(f"`{event}`", str(said)) for event, said in sorted(WORDS.items())]
        outcomes = ", ".join(f"`{name}` ({said})" for name, said in OUTCOMES.items())
    return f"""# Audit events

What the audit trail may hold, in the words of [the console](../console.md#the-audit-trail). Each row has the time, the event, its outcome ({outcomes}), a reason, who did it, whom it concerned (`user_id`, `client_id`, `tsid`, `resource`, `upstream`), the network address, the request's name, and details without a secret.

{table(("event", "says"), iter(rows))}
"""


# --- Errors -------------------------------------------------------------------------------------------------------
def errors() -> str:
    sections = []
    for title, places in WHERE:
        found = sorted({error for place in places for path in files(place) for error in errors_in(path)})
        rows = ((f"`{error}`", status, said) for error, status, said in found)
        sections.append(f"## {title}\n\n{table(('`error`', 'status', '`error_description`'), rows)}")
    listed = "\n\n".join(sections)
    return f"""# Errors

What machines are answered, by where. A description is for the client's developer: it may change, `error` does not. "…" stands for what depends on the request. A few descriptions are put together as they are said, and are not here. At the authorization endpoint an error goes to the client's redirect URI, or stands on a page where there is none that could be trusted.

## States of an upstream

Where token exchange or the JSON API gives no token, `state` says why. [Connect your MCP server](../connect-your-mcp-server.md#when-it-says-no) says what to do.

{table(("`state`", "says"), states())}

{listed}
"""


def states() -> Iterator[tuple[str, str]]:
    from authserver.release import _WORDS

    for state, said in _WORDS.items():
        yield f"`{state}`", said.format(title="…").replace("….", "…")
    yield "`temporarily_unavailable`", "… does not answer properly at the moment, or is switched off."


def files(place: str) -> list[Path]:
    path = ROOT / "authserver" / place
    return [path] if path.suffix else sorted(path.rglob("*.py"))


def errors_in(path: Path) -> Iterator[tuple[str, str, str]]:
    """Code, status and description of each answer that a module spells out."""
    for call in calls(ast.parse(path.read_text())):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if name == "InvalidMetadata":
            code, said = given.get("error", ast.Constant("invalid_client_metadata")), call.args[0]
        elif name in SAID_BY and len(call.args) > max(SAID_BY[name]):
            code, said = (call.args[index] for index in SAID_BY[name])
        else:
            continue
        status = (
            "at the client" if name in AT_THE_CLIENT or "authorize" in path.parts else words(given.get("status", BAD))
        )
        if (error := words(code)) and (description := words(said)):
            yield error, status or "…", description


def calls(tree: ast.AST) -> list[ast.Call]:
    """What is said by a local name that is given one text before is put in its place."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef):
            _Inline(scope).visit(scope)
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


class _Inline(ast.NodeTransformer):
    def __init__(self, scope: ast.FunctionDef) -> None:
        given = [
            node for node in ast.walk(scope) if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        ]
        given.sort(key=lambda node: node.lineno)
        self.given = [(node.lineno, node.targets[0].id, node.value) for node in given]  # type: ignore[attr-defined]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        values = [value for line, name, value in self.given if name == node.id and line < node.lineno and words(value)]
        return values[-1] if isinstance(node.ctx, ast.Load) and values else node


def words(node: ast.expr) -> str:
    """A text as it is said, "…" where something is put in; empty for what is no text."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.BinOp):
        return words(node.left) + words(node.right)
    if isinstance(node, ast.JoinedStr):
        said = "".join(words(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
        return said.replace("….", "…")
    return ""


# --- API ----------------------------------------------------------------------------------------------------------
def api() -> str:
    from authserver.api.schema import description, operations
    from authserver.conf import load

    document = description()
    schemes = document["components"]["securitySchemes"]
    callers = "\n".join(f"- `{name}`: {scheme['description']}" for name, scheme in schemes.items())
    sections = "\n\n".join(operation(one) for one in operations(document))
    text = f"""# API

{document["info"]["description"]}

A running server describes it at `/api/v1/docs`, and for programs, as OpenAPI, at `/api/v1/schema`. [Reading tokens by tsid](../by-tsid-api.md) says when to take it.

## Who may call

{callers}
- A POST to the same address with `client_id` and `client_secret` as a form.

{sections}
"""
    return text.replace(load().issuer, EXAMPLE)


def operation(one: dict[str, Any]) -> str:
    parameters = [
        (f"`{each['name']}`", f"{each['where']}{', required' if each['required'] else ''}", each["words"])
        for each in one["parameters"]
    ]
    parts = [f"## {one['summary']}", f"`{one['method']} {one['path']}`", one["description"]]
    if parameters:
        parts.append(table(("parameter", "where", "says"), iter(parameters)))
    parts.append(table(("status", "says"), ((each["status"], each["words"]) for each in one["answers"])))
    good = one["answers"][0]
    if good["example"]:
        parts.append(f"```json\n{good['example']}\n```")
    return "\n\n".join(part for part in parts if part)


if __name__ == "__main__":
    main()
