"""Serves the gallery, with the settings, middleware and headers of the real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.test import override_settings

from tests.browser import gallery as pages


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing: the browser tells us what goes wrong."""


@pytest.fixture(scope="module")
def gallery() -> Iterator[str]:
    """Its address, with a trailing slash. Arabic is switched on beside our own languages, for its direction."""
    changes = {"ROOT_URLCONF": pages.__name__, "LANGUAGES": [*settings.LANGUAGES, ("ar", "Arabic")]}
    with override_settings(**changes), ThreadedWSGIServer(("127.0.0.1", 0), _Quiet) as server:
        server.set_app(WSGIHandler())  # `get_wsgi_application` would set Django up once more, and its logging
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
