"""The good client still gets through: behind nginx, over TLS, while others are slow, many, or huge.

200 slow clients, a flood of registrations from other addresses and bodies without an end, all at once; meanwhile an
ordinary client does what ordinary clients do. Nothing here is timed: whoever waits longer than a client would has failed.
"""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.harness import migrated, oauth
from tests.harness import topology as topologies
from tests.harness.demo import exchange_form
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.slow import Slow
from tests.harness.topology import Topology

SLOW_ADDRESSES = [f"127.0.2.{host}" for host in range(1, 9)]
FLOODING_ADDRESSES = [f"127.0.3.{host}" for host in range(1, 7)]
HUGE_ADDRESSES = [f"127.0.4.{host}" for host in range(1, 3)]
HUGE_BYTES = 4_000_000
LIMITS = (
    "register=10/minute,token=60/minute,authorize=60/minute,client_authentication=10/minute"  # as they are deployed
)


@pytest.fixture(scope="module")
def crowded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    directory = tmp_path_factory.mktemp("crowded")
    with (
        migrated.database(postgres_url) as url,
        topologies.running(directory, url, tls=True, AUTHSERVER_RATE_LIMITS=LIMITS) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def trusting(crowded: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client of these tests trusts the proxy's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(crowded.nginx.certificate))


Attack = Callable[[httpx.Client], httpx.Response]


@contextmanager
def attackers(addresses: list[str], attack: Attack, *, pause_seconds: float = 0) -> Iterator[Counter[int]]:
    """One thread an address that attacks until the end; how often it was answered with which status, 0 for not at all."""
    answers: Counter[int] = Counter()
    enough, begun = threading.Event(), threading.Semaphore(0)

    def go_on(address: str) -> None:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=20) as client:
            while not enough.wait(pause_seconds):
                try:
                    answers[attack(client).status_code] += 1
                except httpx.TransportError:
                    answers[0] += 1
                begun.release()

    threads = [threading.Thread(target=go_on, args=(address,), daemon=True) for address in addresses]
    for thread in threads:
        thread.start()
    for _ in threads:
        begun.acquire()
    try:
        yield answers
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def everything_an_ordinary_client_does(topology: Topology, name: str) -> None:
    """Register, authorize, token, refresh; and its MCP server's exchange."""
    issuer = topology.server.issuer
    client = OAuthClient.registered(issuer, client_name=name)
    flow = client.begin(resource=f"{issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    refreshed = client.refresh(tokens["refresh_token"])
    traded = httpx.post(
        f"{issuer}/oauth/token", data=exchange_form(topology.server, refreshed["access_token"]), timeout=20
    )
    assert oauth.taken(traded)["access_token"]


def test_the_good_client_gets_through_while_others_are_slow_many_and_huge(crowded: Topology) -> None:
    issuer = crowded.server.issuer
    context = ssl.create_default_context(cafile=str(crowded.nginx.certificate))
    registration = {"client_name": "Flood", "redirect_uris": ["http://127.0.0.1:7777/callback"]}
    with ExitStack() as attacks:
        slow = attacks.enter_context(Slow(crowded.nginx.port, SLOW_ADDRESSES, context))
        flood = attacks.enter_context(
            attackers(FLOODING_ADDRESSES, lambda client: client.post(f"{issuer}/oauth/register", json=registration))
        )
        huge = attacks.enter_context(
            attackers(HUGE_ADDRESSES, lambda client: client.post(f"{issuer}/oauth/token", content=b"x" * HUGE_BYTES))
        )
        for number in range(3):
            everything_an_ordinary_client_does(crowded, f"Good client {number}")
        assert slow.holding() > 150, "they are still there"

    assert flood[201] <= 10 * len(FLOODING_ADDRESSES), "each address may register ten a minute"
    assert flood[429] > 0
    assert set(flood) <= {201, 429}, flood
    assert set(huge) <= {413, 0}, "refused, before or while it was sent"


def test_an_address_that_invents_forwarded_ones_is_still_one_address(crowded: Topology) -> None:
    """The limit of ten a minute is its own, whoever it says that it speaks for."""
    registration = {"client_name": "Inventive", "redirect_uris": ["http://127.0.0.1:7777/callback"]}
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.5.1"), timeout=20) as client:
        answers = [
            client.post(
                f"{crowded.server.issuer}/oauth/register",
                json=registration,
                headers={"X-Forwarded-For": f"192.0.2.{number}", "Forwarded": f"for=192.0.2.{number}"},
            ).status_code
            for number in range(12)
        ]
    assert answers == [201] * 10 + [429] * 2


def test_a_browser_keeps_its_session_for_itself_over_tls(crowded: Topology) -> None:
    person = Person()
    client = OAuthClient.registered(crowded.server.issuer)
    flow = client.begin(resource=f"{crowded.server.issuer}/demo/mcp")
    client.finish(flow, person.authorize(flow.url))
    cookies = {cookie.name: cookie for cookie in person.browser.cookies.jar}
    assert {name for name in cookies if name.startswith("__Host-")} == {
        name for name in cookies if "authserver" in name
    }
    assert all(cookie.secure for name, cookie in cookies.items() if name.startswith("__Host-"))
    answer = person.browser.get(f"{crowded.server.issuer}/livez")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_gateway_hears_of_a_revocation_while_its_poll_waits_behind_the_proxy(crowded: Topology) -> None:
    issuer = crowded.server.issuer
    caller = ("demo-mcp-server", crowded.server.secret("demo_resource_server_secret"))
    client = OAuthClient.registered(issuer)
    flow = client.begin(resource=f"{issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    before = httpx.get(f"{issuer}/api/v1/revocations", auth=caller).json()["next"]
    heard: list[httpx.Response] = []

    def poll() -> None:
        asks = {"since": before, "wait": "25"}
        heard.append(httpx.get(f"{issuer}/api/v1/revocations", params=asks, auth=caller, timeout=35))

    polling = threading.Thread(target=poll)
    polling.start()
    ended = httpx.post(f"{issuer}/oauth/revoke", data={"client_id": client.client_id, "token": tokens["refresh_token"]})
    polling.join()
    assert ended.status_code == 200
    tsid = oauth.claims(tokens["access_token"])["tsid"]
    assert [one["tsid"] for one in heard[0].json()["revocations"]] == [tsid]


def test_a_replica_is_replaced_without_a_request_lost(crowded: Topology) -> None:
    """One after the other. Also none that is not repeated: what a POST did is not done twice."""
    issuer = crowded.server.issuer
    form = {"client_id": OAuthClient.registered(issuer).client_id, "token": "a-token-of-nobody"}

    def get(client: httpx.Client) -> httpx.Response:
        return client.get(f"{issuer}/.well-known/jwks.json")

    def post(client: httpx.Client) -> httpx.Response:
        return client.post(f"{issuer}/oauth/revoke", data=form)

    with (
        attackers(["127.0.6.1", "127.0.6.2"], get, pause_seconds=0.05) as gets,
        attackers(["127.0.6.3", "127.0.6.4"], post, pause_seconds=0.05) as posts,
    ):
        for number in range(2):
            crowded.replace(number)
    assert set(gets) == {200}, gets
    assert set(posts) <= {200, 429}, posts  # more than the limit of this endpoint, and that is an answer too
    passed_on = [line for line in crowded.nginx.log.splitlines() if '"upstream_status":"502, ' in line]
    assert passed_on, "nginx asked the other one where the first was not there"


def test_without_the_proxy_slow_clients_hold_every_thread(crowded: Topology) -> None:
    """Why there has to be one: gunicorn waits for a request inside of the thread that will answer it."""
    replica = crowded.replicas[1]
    with Slow(replica.port, ["127.0.0.1"], count=200), pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{replica.url}/livez", timeout=3)
