"""All calls to other people's servers go through `upstream.http.request`: no other module can make one.

social-auth has an HTTP client of its own. It is reached through one method, which every backend of ours replaces.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import social_django.strategy
from django.conf import settings
from django.test import RequestFactory
from django.utils.module_loading import import_string
from social_core import storage, strategy, utils
from social_core.backends.base import BaseAuth
from social_django.models import DjangoStorage

from tests.harness.server import ROOT
from upstream import http
from upstream.backends.base import ProviderBackend
from upstream.errors import OutboundRefused
from upstream.models import Provider
from upstream.presets import PRESETS
from upstream.strategy import ProviderStrategy, Transaction

PACKAGES = ("accounts", "upstream", "authserver")

# What can open a connection. `ssl`, `socket` and the like included: a client can be made of them.
CLIENTS = {
    "aiohttp", "asyncio", "ftplib", "http.client", "httplib2", "httpx", "httpx2", "imaplib", "nntplib", "poplib", "requests",
    "requests_hardened", "requests_oauthlib", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib.request",
    "urllib3", "websockets", "xmlrpc.client",
}  # fmt: skip
DOOR = {Path("upstream/http.py"), Path("upstream/connections.py")}
ALLOWED = {
    Path("upstream/backends/base.py"): {"requests"},  # `requests.Response`, the type of answer that social-auth reads
}


def sources() -> list[Path]:
    found = [path.relative_to(ROOT) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(found) > 150
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported, anywhere in a file, or named for a late import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def clients_in(tree: ast.AST) -> set[str]:
    return {client for name in imported(tree) for client in CLIENTS if name == client or name.startswith(f"{client}.")}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_no_module_but_the_door_imports_what_can_call_out(path: Path) -> None:
    if path not in DOOR:
        assert clients_in(ast.parse((ROOT / path).read_text())) == ALLOWED.get(path, set())


def test_the_one_exception_takes_a_type_from_requests_and_no_more() -> None:
    tree = ast.parse((ROOT / "upstream/backends/base.py").read_text())
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {name for name in used if name.startswith("requests.")} == {"requests.Response"}


def test_only_the_door_uses_the_connections() -> None:
    users = [
        path for path in sources() if "upstream.connections" in set(imported(ast.parse((ROOT / path).read_text())))
    ]
    assert users == [Path("upstream/http.py")]


# --- social-auth ------------------------------------------------------------------------------------------------------

BACKENDS: list[type[Any]] = [import_string(preset.backend) for preset in PRESETS.values()]


def reachable() -> list[ModuleType]:
    """Every module of social-auth's that a visit runs code of."""
    classes = {cls for backend in [*BACKENDS, ProviderStrategy, DjangoStorage] for cls in backend.__mro__}
    steps = [import_string(step) for step in settings.SOCIAL_AUTH_PIPELINE]
    modules = {inspect.getmodule(each) for each in [*classes, *steps]} | {
        utils,
        strategy,
        storage,
        social_django.strategy,
    }
    return [module for module in modules if module and module.__name__.startswith(("social_core", "social_django"))]


def calls_out(module: ModuleType) -> Iterator[str]:
    """Where a module calls its HTTP client itself: `Class.method: requests.request`."""
    tree = ast.parse(inspect.getsource(module))
    for outer in ast.walk(tree):
        for function in ast.iter_child_nodes(outer):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if called.split(".")[0] in {"requests", "urllib3", "urlopen", "Session", "socket"}:
                    yield f"{getattr(outer, 'name', '')}.{function.name}: {called}"


def test_social_auth_calls_its_http_client_in_one_method() -> None:
    modules = reachable()
    assert {"social_core.backends.base", "social_core.backends.oauth", "social_core.backends.open_id_connect"} <= {
        module.__name__ for module in modules
    }
    assert {call for module in modules for call in calls_out(module)} == {"BaseAuth.request: requests.request"}


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__)
def test_every_backend_of_ours_replaces_that_method(backend: type[Any]) -> None:
    assert backend.request is ProviderBackend.request
    assert "http.request" in inspect.getsource(ProviderBackend.request)
    assert ProviderBackend.request is not BaseAuth.request


@pytest.mark.parametrize("type_", PRESETS)
@pytest.mark.parametrize(
    "leaf", ["oidc_config", "get_jwks_keys", "get_remote_jwks_keys", "refresh_token", "revoke_token", "get_json"]
)
def test_what_we_leave_of_social_auths_own_calls_meets_the_guard(
    type_: str, leaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of ours calls these. Whoever did would be refused, and would not get to social-auth's client."""
    monkeypatch.delattr("requests.sessions.Session.request")
    provider = Provider(
        name="idp", type=type_, client_id="us", issuer="https://127.0.0.1", token_endpoint="https://127.0.0.1/t",
        authorization_endpoint="https://127.0.0.1/a", userinfo_endpoint="https://127.0.0.1/u",
    )  # fmt: skip
    strategy = ProviderStrategy(request=RequestFactory().get("/"), provider=provider, transaction=Transaction("s" * 43))
    backend: Any = strategy.provider_backend()
    backend.OIDC_ENDPOINT = backend.JWKS_URI = backend.REVOKE_TOKEN_URL = "https://127.0.0.1/x"
    if not hasattr(backend, leaf):
        return  # a backend without it cannot be made to call it
    arguments = {
        "get_remote_jwks_keys": ("https://127.0.0.1/k",),
        "refresh_token": ("token",),
        "revoke_token": ("token", "uid"),
        "get_json": ("https://127.0.0.1/x",),
    }
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        getattr(backend, leaf)(*arguments.get(leaf, ()))


def test_the_door_itself_follows_no_redirect_and_tries_nothing_twice() -> None:
    source = inspect.getsource(http._send)
    assert "redirect=False" in source
    assert "retries=False" in source
