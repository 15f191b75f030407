"""Signed out at the provider, and signed out here: running servers, a browser, an app, and nothing in between."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.harness.demo import exchange_form, knobs
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person, parameters
from tests.harness.server import Server


def sign_out_everywhere(server: Server, name: str) -> str:
    """At the demo provider's own page; what it says."""
    with httpx.Client(base_url=server.url, timeout=20) as http:
        form = http.get("/demo/idp/sign-out")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token
        answer = http.post("/demo/idp/sign-out", data={"csrfmiddlewaretoken": token[1], "choice": name})
    assert answer.status_code == 200
    return answer.text


def silently(client: OAuthClient, person: Person, resource: str) -> str:
    """What the app hears when nobody may be asked."""
    flow = client.begin(resource=resource, prompt="none", scope="openid")
    return parameters(person.authorize(flow.url)).get("error", "")


def gone_at_the_provider_gone_here(first: Server, second: Server) -> None:
    """The person is at the first server; the provider's page, and so the logout token, at the second."""
    resource = f"{first.issuer}/demo/mcp"
    client = OAuthClient.registered(first.issuer)
    ada, grace = Person("Ada"), Person("Grace")
    tokens = {}
    for person in (ada, grace):
        flow = client.begin(resource=resource, scope="openid")
        tokens[person.name] = client.finish(flow, person.authorize(flow.url))
    assert silently(client, ada, resource) == "consent_required"  # she is known; the app registered itself

    assert "<code>200</code>" in sign_out_everywhere(second, "ada")

    assert silently(client, ada, resource) == "login_required"
    assert silently(client, grace, resource) == "consent_required"
    for person, expected in ((ada, 400), (grace, 200)):
        exchange = httpx.post(
            f"{first.url}/oauth/token", data=exchange_form(first, tokens[person.name]["access_token"]), timeout=20
        )
        assert exchange.status_code == expected, exchange.text
    form = {"grant_type": "refresh_token", "client_id": client.client_id}
    refused = httpx.post(
        f"{first.url}/oauth/token", data={**form, "refresh_token": tokens["Ada"]["refresh_token"]}, timeout=20
    )
    assert refused.json()["error"] == "invalid_grant"


def test_a_person_signed_out_at_the_provider_is_signed_out_here(demo_server: Server) -> None:
    gone_at_the_provider_gone_here(demo_server, demo_server)


@pytest.mark.postgres
def test_on_every_host(two_servers: tuple[Server, Server]) -> None:
    gone_at_the_provider_gone_here(*two_servers)


@pytest.mark.parametrize("signature", ["broken", "none", "public_key_as_secret", "unpublished_key"])
def test_a_forged_token_signs_nobody_out(demo_server: Server, signature: str) -> None:
    resource = f"{demo_server.issuer}/demo/mcp"
    client, ada = OAuthClient.registered(demo_server.issuer), Person("Ada")
    flow = client.begin(resource=resource)
    client.finish(flow, ada.authorize(flow.url))
    knobs(demo_server, "POST", backchannel_logout={"signature": signature, "times": 1})
    try:
        assert "<code>400</code>" in sign_out_everywhere(demo_server, "ada")
    finally:
        knobs(demo_server, "DELETE")
    assert silently(client, ada, resource) == "consent_required"


def test_an_app_signs_its_person_out_of_the_browser_and_keeps_its_access(demo_server: Server) -> None:
    metadata: dict[str, Any] = {"post_logout_redirect_uris": ["http://127.0.0.1/bye"]}
    client, ada = OAuthClient.registered(demo_server.issuer, **metadata), Person("Ada")
    resource = f"{demo_server.issuer}/demo/mcp"
    flow = client.begin(resource=resource, scope="openid")
    tokens = client.finish(flow, ada.authorize(flow.url))
    there = httpx.get(f"{demo_server.issuer}/.well-known/openid-configuration").json()["end_session_endpoint"]
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "http://127.0.0.1:5005/bye", "state": "s"}
    answer = ada.browser.get(f"{there}?{urlencode(asked)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:5005/bye?state=s")
    assert silently(client, ada, resource) == "login_required"
    assert client.refresh(tokens["refresh_token"])["access_token"]
