"""The shared cache goes away: each process limits for itself, and everything else is as it was."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.harness import redis
from tests.harness.demo import exchange_form
from tests.harness.oauth import OAuthClient, claims
from tests.harness.person import Person

LIMITS = "token=60/minute,exchange=600/minute,authorize=60/minute,api=600/minute,client_authentication=10/minute"


def test_nothing_depends_on_the_cache(start_server: Any, tmp_path: Path) -> None:
    with ExitStack() as running:
        cache_url = running.enter_context(redis.server(tmp_path))
        server = start_server(AUTHSERVER_CACHE_URL=cache_url, AUTHSERVER_RATE_LIMITS=LIMITS)
        client = OAuthClient.registered(server.issuer)
        person, resource = Person(), f"{server.issuer}/demo/mcp"
        flow = client.begin(resource=resource)
        tokens = client.finish(flow, person.authorize(flow.url))
        exchange = exchange_form(server, tokens["access_token"])
        path = f"/api/v1/sessions/{claims(tokens['access_token'])['tsid']}/upstream-tokens"
        running.close()  # and the cache is gone

        http = running.enter_context(httpx.Client(base_url=server.url, timeout=30))
        assert http.post("/oauth/token", data=exchange).status_code == 200
        assert http.get(path, auth=("demo-mcp-server", exchange["client_secret"])).status_code == 200
        assert http.post("/oauth/token", data={**exchange, "client_secret": "wrong"}).status_code == 401
        assert client.refresh(tokens["refresh_token"])["access_token"]
        another = OAuthClient.registered(server.issuer)
        flow = another.begin(resource=resource)
        assert another.finish(flow, person.authorize(flow.url))["access_token"]
        unknown = {"client_id": "https://client.invalid/metadata.json", "redirect_uri": "https://client.invalid/cb"}
        for _ in range(2):
            page = http.get("/oauth/authorize", params={**unknown, "response_type": "code"})
            assert (page.status_code, "Location" in page.headers) == (400, False)
        assert http.get("/readyz").status_code == 200
        assert "Traceback" not in server.log
        server.stop()
