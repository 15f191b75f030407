"""Discovery and keys: public documents as ready bytes, with an ETag, cacheable, readable from any web page."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from authserver.cors import cross_origin
from authserver.keys import signer
from authserver.metadata import document

MAX_AGE_SECONDS = 300
REBUILD_AFTER_SECONDS = 2.0


class Published:
    """A view that serves one JSON document; rebuilt at most every two seconds, never from the request."""

    def __init__(self, build: Callable[[], dict[str, Any]], content_type: str = "application/json") -> None:
        self.build = build
        self.content_type = content_type
        self._lock = Lock()
        self._built: tuple[float, bytes, str] | None = None

    def current(self) -> tuple[bytes, str]:
        """Body and ETag."""
        built = self._built
        if built is None or time.monotonic() - built[0] > REBUILD_AFTER_SECONDS:
            with self._lock:
                body = json.dumps(self.build(), separators=(",", ":")).encode()
                built = self._built = (time.monotonic(), body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        return built[1], built[2]

    def __call__(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        body, etag = self.current()
        response: HttpResponse
        if etag in request.META.get("HTTP_IF_NONE_MATCH", ""):
            response = HttpResponseNotModified()
        else:
            response = HttpResponse(b"" if request.method == "HEAD" else body, content_type=self.content_type)
        response["ETag"] = etag
        response["Cache-Control"] = f"public, max-age={MAX_AGE_SECONDS}"
        return response


authorization_server = cross_origin(methods=("GET", "HEAD"))(Published(document.authorization_server))
openid_configuration = cross_origin(methods=("GET", "HEAD"))(Published(document.openid))
jwks = cross_origin(methods=("GET", "HEAD"))(Published(lambda: signer().public_jwks(), "application/jwk-set+json"))
