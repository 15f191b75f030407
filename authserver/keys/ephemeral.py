"""A signing key that lives and dies with the process: for trying things out."""

from __future__ import annotations

import structlog

from authserver.keys.keyset import KeySet
from authserver.keys.material import generate

log = structlog.get_logger(__name__)


class EphemeralSigner(KeySet):
    """A new ES256 key for every process: tokens do not outlive it, and two processes do not know each other's."""

    def __init__(self) -> None:
        super().__init__([generate()])
        log.warning(
            "signing_key.ephemeral", hint="tokens end with this process; set AUTHSERVER_KEY_SOURCE for anything lasting"
        )
