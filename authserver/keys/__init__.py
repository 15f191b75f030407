"""What signs our JWTs: the signing seam (`base.py`) and its backends, `database`, `pem`, `aws-kms` and `ephemeral`."""

from __future__ import annotations

from functools import cache
from typing import cast

from django.utils.module_loading import import_string

from authserver.conf import load
from authserver.keys.base import Signer


@cache
def signer() -> Signer:
    """The configured backend, one a process. Raises `authserver.keys.base.SigningUnavailable` where it cannot start."""
    return cast(Signer, import_string(load().signing_backend)())
