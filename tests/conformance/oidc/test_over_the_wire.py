"""A relying party and a running server: discover, sign in at a provider, check the ID token, ask UserInfo, refresh."""

from __future__ import annotations

from typing import Any

import httpx
import jwt

from tests.harness.oauth import OAuthClient, claims
from tests.harness.person import Person
from tests.harness.server import Server


def test_a_relying_party_learns_who_signed_in(demo_server: Server) -> None:
    found: dict[str, Any] = httpx.get(f"{demo_server.issuer}/.well-known/openid-configuration").json()
    keys = jwt.PyJWKClient(found["jwks_uri"])

    def checked(tokens: dict[str, Any], client: OAuthClient) -> dict[str, Any]:
        return jwt.decode(
            tokens["id_token"],
            keys.get_signing_key_from_jwt(tokens["id_token"]),
            algorithms=found["id_token_signing_alg_values_supported"],
            audience=client.client_id,
            issuer=found["issuer"],
        )

    client = OAuthClient.registered(demo_server.issuer)
    flow = client.begin(scope=" ".join(found["scopes_supported"]), nonce="n-0S6_WzA2Mj", max_age="300")
    tokens = client.finish(flow, Person("Ada").authorize(flow.url))
    said = checked(tokens, client)
    assert said["nonce"] == "n-0S6_WzA2Mj"
    assert said["email_verified"] is True
    assert "email" not in claims(tokens["access_token"])  # the demo's resource does not ask
    for method in ("GET", "POST"):
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = httpx.request(method, found["userinfo_endpoint"], headers=bearer)
        assert answer.json() == {name: said[name] for name in ("sub", "name", "email", "email_verified")}
    form = httpx.post(found["userinfo_endpoint"], data={"access_token": tokens["access_token"]})
    assert form.json()["sub"] == said["sub"]
    again = checked(client.refresh(tokens["refresh_token"]), client)
    assert all(again[name] == said[name] for name in ("iss", "sub", "aud", "auth_time", "name", "email"))
    assert "nonce" not in again
