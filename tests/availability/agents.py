"""A small load of real clients: each in a thread, doing what clients do, and writing all of it into the history.

An agent has one session at a time. It presents its current refresh token several times at once, as agents that share a
token file do, and again where it got no answer; it trades any access token that it was given; it revokes, sees to it that
nothing works any more, and begins anew. A code whose redemption was not answered is not sent again: that would be a replay.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from tests.availability.history import History, Operation
from tests.availability.hosts import Hosts, exchange_form
from tests.harness import oauth
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person, Stuck, parameters

TIMEOUT_SECONDS = 30.0  # longer than any answer may take: the checker says what took too long
AT_ONCE = 3
PAUSE_SECONDS = 0.15
AUTHORIZE_TRIES = 3


class Agent:
    """One client after the other, of one person. A `steady` agent never revokes: its person's credential lives on."""

    def __init__(self, hosts: Hosts, history: History, number: int, *, person: str, steady: bool) -> None:
        self.hosts, self.history, self.steady = hosts, history, steady
        self.person, self.name = Person(person), person
        self.number, self.sessions = number, 0
        self.dice = random.Random(number)  # noqa: S311  # the same steps in every run
        self.senders = ThreadPoolExecutor(AT_ONCE)
        address = httpx.HTTPTransport(local_address=f"127.0.7.{number + 1}", limits=httpx.Limits(max_connections=8))
        self.http = httpx.Client(base_url=hosts.issuer, transport=address, timeout=TIMEOUT_SECONDS)
        self.client_id, self.refresh_token = "", ""
        self.access_tokens: list[str] = []

    @property
    def session(self) -> str:
        return f"{self.name}-{self.number}-{self.sessions}"

    def begin(self) -> bool:
        """Register, authorize, redeem: a new session. False where one of them did not work."""
        self.sessions += 1
        self.refresh_token, self.access_tokens = "", []
        client = self._register()
        if client is None:
            return False
        flow = client.begin(resource=self.hosts.resource)
        with self.history.operation("authorize", self.session, person=self.name) as walk:
            code = self._walk(client, flow, walk)
        if not code:
            return False
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }  # fmt: skip
        tokens = self._post("redeem", "/oauth/token", form, sent=code)
        self._keep(tokens)
        return bool(tokens)

    def step(self) -> None:
        """One thing that clients do."""
        if not self.refresh_token:
            self.begin()
            return
        thrown = self.dice.random()
        if thrown < 0.05 and not self.steady:
            self.end()
        elif thrown < 0.35:
            self.refresh()
        else:
            self.exchange(self.dice.choice(self.access_tokens))

    def refresh(self) -> None:
        token = self.refresh_token
        form = {"grant_type": "refresh_token", "refresh_token": token}
        sent = [self.senders.submit(self._post, "refresh", "/oauth/token", form, sent=token) for _ in range(AT_ONCE)]
        for tokens in [one.result() for one in sent]:
            self._keep(tokens)

    def exchange(self, access_token: str) -> None:
        form = exchange_form(access_token)
        with self.history.operation("exchange", self.session, person=self.name, sent=access_token) as operation:
            operation.answered(self.http.post("/oauth/token", data=form))

    def end(self) -> None:
        """Revoke until that is acknowledged, see that nothing works, and have no session any more."""
        for _ in range(20):
            with self.history.operation("revoke", self.session, person=self.name, sent=self.refresh_token) as operation:
                form = {"client_id": self.client_id, "token": self.refresh_token}
                operation.answered(self.http.post("/oauth/revoke", data=form))
            if operation.took_effect:
                break
            time.sleep(0.5)
        self.probe()
        self.refresh_token, self.access_tokens = "", []

    def probe(self) -> None:
        """Everything that this session was ever given, and that was not rotated."""
        if self.refresh_token:
            self.refresh()
        for token in self.access_tokens:
            self.exchange(token)

    def close(self) -> None:
        self.senders.shutdown()
        self.http.close()

    def _register(self) -> OAuthClient | None:
        metadata = {"client_name": f"Agent {self.number}", "redirect_uris": ["http://127.0.0.1:7777/callback"]}
        with self.history.operation("register", self.session, person=self.name) as operation:
            answer = self.http.post("/oauth/register", json=metadata)
            operation.answered(answer)
        if not operation.took_effect:
            return None
        self.client_id = answer.json()["client_id"]
        return OAuthClient(self.hosts.issuer, self.client_id, "http://127.0.0.1:7777/callback")

    def _walk(self, client: OAuthClient, flow: oauth.Flow, walk: Operation) -> str:
        """The code, or nothing. A page that says 503 is one of the answers; so is an error told to the client."""
        try:
            callback = self.person.authorize(flow.url)
        except Stuck as stuck:
            walk.status, walk.error, walk.says_when_to_retry = stuck.status, stuck.page.title, True
            return ""
        answer = parameters(callback)
        walk.status, walk.error = (200, "") if "code" in answer else (400, answer["error"])
        return answer.get("code", "")

    def _post(self, kind: str, path: str, form: Mapping[str, str], *, sent: str) -> dict[str, Any]:
        """The tokens of the answer, or nothing."""
        with self.history.operation(kind, self.session, person=self.name, sent=sent) as operation:
            answer = self.http.post(path, data={**form, "client_id": self.client_id})
            operation.answered(answer)
        return answer.json() if operation.took_effect else {}

    def _keep(self, tokens: Mapping[str, Any]) -> None:
        if tokens and tokens["access_token"] not in self.access_tokens:
            self.access_tokens = [*self.access_tokens[-4:], tokens["access_token"]]
        if tokens:
            self.refresh_token = tokens["refresh_token"]


class Load:
    """Agents at work. Between its beginning and its end the test breaks something."""

    def __init__(self, agents: list[Agent], upstream_before: Mapping[str, int]) -> None:
        self.agents = agents
        self.upstream_before = upstream_before  # the provider's counters, when everybody had signed in
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(agent,), daemon=True) for agent in agents]
        self._broken: list[BaseException] = []

    def _work(self, agent: Agent) -> None:
        try:
            while not self._enough.wait(PAUSE_SECONDS):
                agent.step()
        except BaseException as error:
            self._broken.append(error)
            raise

    def go_on(self, history: History, *, until: int, since: float = 0) -> None:
        """Until so many more exchanges and refreshes worked, invoked at or after a moment."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        since = since or time.monotonic()
        while any(history.answers(kind, since=since).count(200) < until for kind in ("exchange", "refresh")):
            assert time.monotonic() < deadline, "the load does not get on"
            assert not self._broken, self._broken
            time.sleep(0.05)

    def stop(self) -> None:
        """Idempotent."""
        self._enough.set()
        for thread in self._threads:
            thread.join()
        assert not self._broken, self._broken


@contextmanager
def load(hosts: Hosts, history: History, *, agents: int = 6) -> Iterator[Load]:
    """Half of them Ada's, half Grace's; all have signed in before it begins. At the end each presents what it holds."""
    people = ("Ada", "Grace")
    crowd = [
        Agent(hosts, history, number, person=people[number % 2], steady=number < len(people))
        for number in range(agents)
    ]
    try:
        for agent in crowd:
            assert agent.begin(), history.operations[-1]
        under_load = Load(crowd, hosts.knobs("GET"))
        for thread in under_load._threads:
            thread.start()
        try:
            yield under_load
        finally:
            under_load.stop()
        for agent in crowd:
            agent.probe()
    finally:
        for agent in crowd:
            agent.close()
