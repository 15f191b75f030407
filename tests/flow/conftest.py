"""One stage for the tests of this folder: starting it takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import StartServer
from tests.fakes.github import FakeGithub
from tests.fakes.oidc import FakeOidc
from tests.flow.stage import Stage, configure
from tests.harness import redis
from tests.harness.relay import Relay


@pytest.fixture(scope="module")
def stage(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    with redis.server(directory) as cache_url, Relay() as relay, FakeOidc() as oidc, FakeGithub() as hub:
        oidc.gives_refresh_token = hub.gives_refresh_token = True
        server = start_server(
            issuer=relay.url, AUTHSERVER_CACHE_URL=cache_url, AUTHSERVER_LOG_LEVEL="DEBUG",
            AUTHSERVER_RATE_LIMITS="register=,token=,client_authentication=",
        )  # fmt: skip
        relay.target_port = server.port
        stage = Stage(server, relay, cache_url, oidc, hub)
        configure(stage, directory)
        yield stage
