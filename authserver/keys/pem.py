"""Signing keys from a PEM file that the operator keeps: the first key signs, all of them verify.

To rotate: put the new key first, leave the old one (its public half is enough) until its last token has ended, restart.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from authserver.conf import load
from authserver.keys.base import SigningUnavailable
from authserver.keys.keyset import KeySet
from authserver.keys.material import UnusableKey, from_pem

log = structlog.get_logger(__name__)


class PemSigner(KeySet):
    """EC P-256, P-384 or P-521, Ed25519, or RSA of at least 2048 bits; read once, when the process first signs."""

    def __init__(self, path: str | None = None) -> None:
        """`path` defaults to `conf.signing_key_file`. Raises `SigningUnavailable` with what to mend."""
        path = path or load().signing_key_file
        if not path:
            raise SigningUnavailable("AUTHSERVER_SIGNING_KEY_FILE is not set")
        try:
            super().__init__(from_pem(Path(path).read_text(encoding="ascii")))
        except (OSError, UnicodeDecodeError) as error:
            raise SigningUnavailable(f"{path} cannot be read ({type(error).__name__})") from error
        except UnusableKey as error:
            raise SigningUnavailable(f"{path}: {error}") from error
        if self.algorithm.startswith("RS"):
            log.warning(
                "signing_key.rsa", hint="an EC P-256 key signs ten times as fast, with signatures a quarter as long"
            )
