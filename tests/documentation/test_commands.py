"""What a document tells somebody to type exists: verbs, commands, their options, variables, addresses."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from urllib.parse import urlsplit

from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from authserver.env import VARIABLES
from tests.documentation.documents import DOCUMENTS, OURS, ROOT, code

ISSUERS = ("https://auth.example.com", "http://localhost:8000")


@cache
def dev_help(*verb: str) -> str:
    """What `./dev [VERB] --help` prints; empty for a verb it does not know."""
    result = subprocess.run(
        [sys.executable, ROOT / "dev", *verb, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    return result.stdout if result.returncode == 0 else ""


@cache
def manage_help(command: str) -> str:
    """The same of a `manage.py` command."""
    app = get_commands().get(command)
    if app is None:
        return ""
    loaded = load_command_class(app, command) if isinstance(app, str) else app
    return loaded.create_parser("manage.py", command).format_help()


def typed(pattern: str) -> set[tuple[str, str]]:
    """Every (first word, rest of the line) after `pattern` in the documents' code."""
    snippets = [snippet for document in DOCUMENTS for snippet in code(document.read_text())]
    return {(found[1], found[2]) for snippet in snippets for found in re.finditer(pattern + r" ([a-z_]+)(.*)", snippet)}


def unknown_options(rest: str, help_text: str) -> list[str]:
    return [option for option in re.findall(r"--[a-z-]+", rest) if option not in help_text]


def test_every_verb_of_dev_and_its_options_are_known() -> None:
    commands = typed(r"\./dev")
    assert {"run", "test", "lint", "example", "manage"} <= {verb for verb, _rest in commands}
    for verb, rest in commands:
        assert dev_help(verb), f"./dev {verb}"
        if verb not in {"manage", "test"}:  # theirs belong to Django and pytest
            assert unknown_options(rest, dev_help(verb)) == [], f"./dev {verb}"
        if verb == "example":
            assert (ROOT / "examples" / f"{rest.strip()}_server").is_dir()


def test_every_command_of_manage_and_its_options_are_known() -> None:
    commands = typed(r"(?:manage\.py|\./dev manage)")
    assert {"apply_config", "bootstrap", "check"} <= {command for command, _rest in commands}
    for command, rest in commands:
        assert manage_help(command), f"manage.py {command}"
        assert unknown_options(rest, manage_help(command)) == [], f"manage.py {command}"


def test_every_variable_is_one_that_is_read() -> None:
    known = {name for variable in VARIABLES for name in (variable.name, f"{variable.name}_FILE")}
    named = {name for document in DOCUMENTS for name in re.findall(r"AUTHSERVER_[A-Z_]*[A-Z]", document.read_text())}
    assert "AUTHSERVER_CONFIG" in named
    assert named - known == set()


def test_every_address_of_ours_is_served() -> None:
    addresses = set()
    for document in OURS:
        for snippet in code(document.read_text()):
            if re.fullmatch(r"/[\w./-]*", snippet):
                addresses.add(snippet)
            for url in re.findall(r"https?://[\w.:/-]+", snippet):
                if url.startswith(ISSUERS):
                    addresses.add(urlsplit(url).path or "/")
    assert {"/demo/", "/admin/", "/oauth/token", "/.well-known/jwks.json"} <= addresses
    lost = []
    # A resource's name, whose address is served below the walk-through; what a middleware answers before any other; and an
    # address that ends with a ticket, which a document does not show. `/mcp` is something to type into Claude Code.
    for address in sorted(addresses - {"/demo/mcp", "/metrics", "/oauth/connect/", "/mcp"}):
        try:
            resolve(address)
        except Resolver404:
            lost.append(address)
    assert lost == []
