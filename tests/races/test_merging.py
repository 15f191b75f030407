"""Apps merged while they register, are approved and are blocked, over two processes: a block wins, no registration is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from tests.harness.server import Server

pytestmark = pytest.mark.postgres

ROUNDS, REGISTRATIONS = 6, 6
APPS = "/admin/authserver/app/"


class Operator:
    """One operator's browser at one process. Each has its own, so that no two wait for the same browser session."""

    def __init__(self, server: Server, password: str) -> None:
        self.http = httpx.Client(
            base_url=server.url, headers={"Host": httpx.URL(server.issuer).netloc.decode()}, timeout=60
        )
        self.http.get("/admin/login/")
        self.post("/admin/login/", {"username": "admin", "password": password})
        assert self.http.get(APPS).status_code == 200

    def post(self, path: str, form: dict[str, Any]) -> httpx.Response:
        return self.http.post(path, data={**form, "csrfmiddlewaretoken": self.http.cookies["authserver-csrf"]})

    def act(self, action: str, app: int, **fields: str) -> httpx.Response:
        return self.post(APPS, {"action": action, "_selected_action": str(app), **fields})

    def merge(self, main: int, other: int) -> httpx.Response:
        """As confirmed on a page that was shown while both were pending."""
        form = {"seen": [f"{main}:pending", f"{other}:pending"], "reason": "one product"}
        return self.post(f"{APPS}merge/?app={main}&app={other}&into={main}", form)


@pytest.fixture(scope="module")
def operators(two_servers: tuple[Server, Server]) -> Iterator[list[Operator]]:
    password = re.search(r"password  (\S+)", two_servers[0].log)
    assert password, two_servers[0].log
    found = [Operator(two_servers[number % 2], password[1]) for number in range(3)]
    yield found
    for operator in found:
        operator.http.close()


class Registry:
    """The apps as the database has them."""

    def __init__(self, servers: tuple[Server, Server]) -> None:
        self.servers = servers
        self.database = psycopg.connect(servers[0].database_url, autocommit=True)

    def register(self, name: str, number: int = 0) -> int:
        metadata = {"client_name": name, "redirect_uris": [f"http://127.0.0.1:{5000 + number}/callback"]}
        return httpx.post(f"{self.servers[number % 2].url}/oauth/register", json=metadata, timeout=60).status_code

    def two_apps(self, round_number: int, kind: str) -> tuple[int, int]:
        """Their primary keys."""
        names = [f"{kind} {which} {'abcdefghijklmnop'[round_number]}" for which in ("main", "other")]
        assert [self.register(name) for name in names] == [201, 201]
        return self.keys(names[0]), self.keys(names[1])

    def keys(self, name: str) -> int:
        (key,) = self.one("SELECT id FROM authserver_app WHERE name = %s", name)
        return int(key)

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        found = self.database.execute(query, values).fetchone()
        assert found is not None
        return tuple(found)

    def name(self, app: int) -> str:
        return str(self.one("SELECT name FROM authserver_app WHERE id = %s", app)[0])

    def state(self, app: int) -> tuple[str, int | None]:
        state, into = self.one("SELECT state, merged_into_id FROM authserver_app WHERE id = %s", app)
        return state, into

    def check(self) -> None:
        """An alias is what its main app is, and has no alias itself."""
        wrong = self.database.execute(
            "SELECT alias.name FROM authserver_app alias JOIN authserver_app main ON main.id = alias.merged_into_id"
            " WHERE alias.state <> main.state OR main.merged_into_id IS NOT NULL"
        )
        assert wrong.fetchall() == []


@pytest.fixture(scope="module")
def registry(two_servers: tuple[Server, Server]) -> Iterator[Registry]:
    found = Registry(two_servers)
    yield found
    found.database.close()


@pytest.mark.parametrize("blocked", ["neither", "main", "other"])
def test_no_registration_is_lost_and_a_block_wins(blocked: str, operators: list[Operator], registry: Registry) -> None:
    merged: Counter[bool] = Counter()
    for number in range(ROUNDS):
        main, other = registry.two_apps(number, blocked)
        name = registry.name(other)
        with ThreadPoolExecutor(REGISTRATIONS + 3) as threads:
            registering = [threads.submit(registry.register, name, port) for port in range(1, REGISTRATIONS + 1)]
            deciding = [threads.submit(operators[0].merge, main, other)]
            if number % 2:  # else the merge has the block alone to race with
                deciding.append(threads.submit(operators[1].act, "approve", other))
            if blocked != "neither":
                target = main if blocked == "main" else other
                fields = {"confirmed": "1", "reason": "phishing"}
                deciding.append(threads.submit(operators[2].act, "block", target, **fields))
        answers = [each.result() for each in registering]
        assert {each.result().status_code for each in deciding} <= {
            200,
            302,
        }  # 200: a block came first, and is asked about
        assert set(answers) <= ({201} if blocked == "neither" else {201, 403})
        (rows,) = registry.one("SELECT count(*) FROM authserver_client WHERE app_id = %s", other)
        assert rows == 1 + answers.count(201), "a registration is of another app, or gone"
        is_merged = registry.state(other)[1] is not None
        merged[is_merged] += 1
        assert registry.state(other)[1] in {None, main}
        if blocked == "main" or (blocked == "other" and is_merged):
            assert registry.state(main) == ("blocked", None)
        if blocked == "other" or is_merged:
            assert registry.state(other)[0] == registry.state(main)[0] if is_merged else "blocked"
        registry.check()
    assert merged[True] > 0, f"never merged, so that nothing was tried: {merged}"


def test_of_two_merges_in_opposite_directions_one_is_made(operators: list[Operator], registry: Registry) -> None:
    for number in range(ROUNDS):
        one, two = registry.two_apps(number, "opposite")
        with ThreadPoolExecutor(2) as threads:
            answers = [threads.submit(operators[0].merge, one, two), threads.submit(operators[1].merge, two, one)]
        assert {each.result().status_code for each in answers} == {302}
        assert sorted([registry.state(one)[1] is None, registry.state(two)[1] is None]) == [False, True]
        registry.check()
