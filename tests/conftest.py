"""Fixtures for every test: the database of the run, real servers, a real browser.

Tests marked `postgres` or `interop`, and those that ask for `postgres_url`, `two_servers` or `topology`, run on PostgreSQL
as well; there, only they run.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.db import connection

from tests.harness import environment, migrated
from tests.harness import server as servers
from tests.harness import topology as topologies

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

environment.prepare()
django.setup()  # here, so that a conftest.py further down may import models

from accounts.vault import vault  # noqa: E402 - they need the settings
from accounts.vault.sealing import sealing  # noqa: E402
from authserver import (  # noqa: E402
    keys,
    urls,  # noqa: F401  # what there is depends on the demo: read now, before a test says that there is none
)
from authserver.console.home import facts  # noqa: E402
from upstream import revoke  # noqa: E402

NEEDS_POSTGRES = {"postgres_url", "two_servers", "topology"}
BEHIND_NGINX = {"demo_server", "deployment", "host"}  # what tests/interop/conftest.py has another of on PostgreSQL
LONGEST = ("availability", "deployment", "interop", "browser", "workbench", "races", "flow", "maintenance")
"""The directories of tests that start servers, and are a file of minutes sometimes."""
NEEDS_BROWSER = {"browser", "page"}
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # its sandbox refuses to run as root, which is who containers are
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # nothing but our own server is to be called
    "--disable-component-update",
    "--disable-sync",
]
StartServer = Callable[..., servers.Server]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # SIGTERM ends a run as Ctrl-C does: fixtures and servers are put away
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark by fixture; on PostgreSQL, keep only what can differ there. Long files first: no worker waits for the last."""
    items.sort(key=lambda item: LONGEST.index(kind) if (kind := item.path.parent.name) in LONGEST else len(LONGEST))
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & NEEDS_POSTGRES or (item.get_closest_marker("interop") and fixtures & BEHIND_NGINX):
            item.add_marker("postgres")
        if fixtures & NEEDS_BROWSER:
            item.add_marker("browser")
    if environment.on_postgres():
        others = [item for item in items if not item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.get_closest_marker("postgres")]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """pytest-django's seam: SQLite in a file, as it is served (an in-memory database has no WAL and locks otherwise)."""
    if environment.on_postgres():
        request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")
    else:
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "tests.sqlite3")


@pytest.fixture(autouse=True)
def _no_key_of_another_test() -> None:
    """The signer remembers its keys for seconds, and the database forgets them with the test; sealing and the vault keep
    those of the settings that they first saw.
    """
    for kept in (keys.signer, sealing, vault):
        kept.cache_clear()
    revoke.forget()
    facts.forget()


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """URL of the PostgreSQL that this run is on; on SQLite the test is skipped.

    `tests.harness.postgres.database` makes fresh databases there.
    """
    if not environment.on_postgres():
        pytest.skip("needs PostgreSQL: ./dev test runs it in its second half")
    return os.environ[environment.DATABASE_URL]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """A function that starts a server as `./dev run` does and answers a `tests.harness.server.Server`, ready to be called.

    Its arguments are those of `tests.harness.server.launch`; without a data directory the server gets a fresh one, with a
    migrated database in it, or on PostgreSQL beside it. Whatever was started stops at the end of the session.
    """
    with ExitStack() as started:

        def start(*arguments: str, data_dir: Path | None = None, **options: Any) -> servers.Server:
            if data_dir is None:
                data_dir = tmp_path_factory.mktemp("server")
                if "AUTHSERVER_DATABASE_URL" in options:
                    pass
                elif environment.on_postgres():
                    fresh = migrated.database(os.environ[environment.DATABASE_URL])
                    options["AUTHSERVER_DATABASE_URL"] = started.enter_context(fresh)
                else:
                    migrated.copy_sqlite(data_dir / "authserver.sqlite3")
            server = servers.launch(data_dir, *arguments, **options)
            started.callback(server.stop)
            return server.wait()

        yield start


@pytest.fixture(scope="session")
def demo_server(start_server: StartServer) -> servers.Server:
    """One server in demo mode, shared by the whole session: leave its configuration as you found it."""
    return start_server()


@pytest.fixture(scope="session")
def two_servers(postgres_url: str, start_server: StartServer) -> Iterator[tuple[servers.Server, servers.Server]]:
    """Two processes of one demo server: the same issuer (the first's), secrets and PostgreSQL database."""
    with migrated.database(postgres_url) as url:
        first = start_server(AUTHSERVER_DATABASE_URL=url)
        second = start_server(data_dir=first.data_dir, issuer=first.issuer, AUTHSERVER_DATABASE_URL=url)
        yield first, second


@pytest.fixture(scope="session")
def topology(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[topologies.Topology]:
    """What is deployed, in demo mode and without TLS: nginx, two gunicorn masters, one PostgreSQL, one Redis."""
    with (
        migrated.database(postgres_url) as url,
        topologies.running(tmp_path_factory.mktemp("topology"), url) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium.

    One a module, because Playwright keeps an event loop running in this thread, which async tests would trip over.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        message = "needs chromium: apt-get install chromium"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # that event loop again: Django would refuse its ORM beside it
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of a new person: no cookies, no history."""
    context = browser.new_context()
    yield context.new_page()
    context.close()
