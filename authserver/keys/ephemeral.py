"""A signing key that lives and dies with the process: for trying things out."""

from __future__ import annotations

import structlog

from authserver.conf import load
from authserver.keys.keyset import KeySet
from authserver.keys.material import generate

log = structlog.get_logger(__name__)


class EphemeralSigner(KeySet):
    """A new key for every process: tokens do not outlive it, and two processes do not know each other's."""

    turned_over = "Restart the process: it makes a new one, and what the old one signed is refused."

    def __init__(self) -> None:
        super().__init__([generate(load().signing_algorithm)])
        log.warning(
            "signing_key.ephemeral", hint="tokens end with this process; set AUTHSERVER_KEY_SOURCE for anything lasting"
        )
