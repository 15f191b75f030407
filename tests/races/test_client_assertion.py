"""One client assertion sent many times at once, to two processes: it lets one request in."""

from __future__ import annotations

from typing import Any

from tests.harness.assertions import KEYS, assertion, proof, public_jwk
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.races.conftest import Racers

WAYS, ROUNDS = 12, 10


def test_an_assertion_is_good_for_one_of_many_requests(racers: Racers) -> None:
    keys = {"keys": [public_jwk(KEYS["ES256"], "ES256")]}
    client = OAuthClient.registered(racers.issuer, token_endpoint_auth_method="private_key_jwt", jwks=keys)
    assert client.method == "private_key_jwt"
    audience: dict[str, Any] = {"aud": racers.issuer, "iss": client.client_id, "sub": client.client_id}
    flow = client.begin(resource=f"{racers.issuer}/demo/mcp")
    form = {
        "grant_type": "authorization_code",
        "code": client.code(flow, Person().authorize(flow.url)),
        "redirect_uri": flow.redirect_uri,
        "code_verifier": flow.verifier,
    }
    refresh_token = racers.one({**form, **proof(assertion(**audience))}).json()["refresh_token"]
    for _ in range(ROUNDS):
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **proof(assertion(**audience))}
        answers = racers.at_once(form, WAYS)
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * (WAYS - 1)
        (good,) = (answer for answer in answers if answer.status_code == 200)
        refresh_token = good.json()["refresh_token"]
