"""What stands behind a seam: the shared cache, the vault and its keys, the signing key and its turn."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import caches
from django.utils.translation import gettext as _

from accounts.vault import key_check, vault
from accounts.vault.base import SealingUnavailable
from accounts.vault.sealing import sealing
from authserver.doctor.calls import CALL_SECONDS
from authserver.doctor.findings import Finding, failed, ok, warning
from authserver.keys import rotation, signer
from authserver.models import SigningKey

TURN_GRACE = timedelta(hours=1)
"""Maintenance looks every ten minutes; after this a turn is not coming by itself."""


def cache() -> Finding:
    """What one connection writes another reads; asked on a thread, since a cache's client may wait for ever."""
    check, title = "cache", _("Shared cache")
    if not settings.CACHE_IS_SHARED:
        meaning = _("The cache is in the process: rate limits count right with one worker on one host, and only then.")
        return ok(check, title, meaning)
    seen: list[str] = []
    worker = threading.Thread(target=lambda: seen.append(_round_trip()), name="doctor-cache", daemon=True)
    worker.start()
    worker.join(CALL_SECONDS)
    trouble = seen[0] if seen else _("it did not answer within three seconds")
    if not trouble:
        return ok(check, title, _("What one connection writes another one reads."))
    return failed(
        check,
        title,
        _("The cache does not work (%(trouble)s): each process limits for itself.") % {"trouble": trouble},
        _("Start it, and check AUTHSERVER_CACHE_URL and the network between."),
    )


def _round_trip() -> str:
    """What was wrong; empty for nothing."""
    key, value = f"doctor:{secrets.token_hex(8)}", secrets.token_hex(8)
    writer, reader = caches.create_connection("default"), caches.create_connection("default")
    try:
        writer.set(key, value, 30)
        came = reader.get(key)
        reader.delete(key)
        return "" if came == value else "it forgets at once"
    except Exception as error:  # each backend has its own; its text may name a host
        return type(error).__name__
    finally:
        writer.close()
        reader.close()


def vault_keys() -> Finding:
    check, title = "vault.keys", _("Vault keys")
    remedy = _("docs/vault-keys.md says what to do. Nothing is lost as long as the key is somewhere.")
    try:
        vault().ping()
        sealing().ping()
        key_check.verify()
    except key_check.KeysUnfit as error:
        return failed(check, title, str(error), remedy)
    except SealingUnavailable as error:
        return failed(check, title, _("What seals cannot be asked now: %(why)s") % {"why": error}, remedy)
    return ok(check, title, _("Every key that something stored is sealed with is here, and is the right one."))


def signing_key(now: datetime) -> Iterator[Finding]:
    """Only of keys in the database; others are turned over elsewhere. Says `failed` where there is none to sign with."""
    check, title = "signing_key", _("Signing key")
    try:
        rotation.check_source()
    except rotation.NotHere as elsewhere:
        signer().ping()
        yield ok(check, title, _("It signs. It is turned over elsewhere: %(how)s") % {"how": elsewhere})
        return
    rows = {row.phase: row for row in SigningKey.objects.exclude(phase=SigningKey.Phase.RETIRED)}
    active, following = rows.get(SigningKey.Phase.ACTIVE), rows.get(SigningKey.Phase.NEXT)
    if active is None:
        yield failed(
            check, title, _("There is none yet: the server has not been prepared."), _("Run manage.py bootstrap.")
        )
        return
    signer().ping()
    begins = rotation.turn_begins_at(active)
    late_since = following.created_at + rotation.PUBLISHED_AHEAD if following else begins
    names = {"kid": active.kid[:12], "when": f"{begins:%Y-%m-%d %H:%M} UTC"}
    if late_since + TURN_GRACE < now:
        yield warning(
            check,
            title,
            _("%(kid)s… signs for longer than it should: its turn was due %(when)s and has not come.") % names,
            _("Let manage.py maintenance --loop run, or run manage.py rotate_signing_key."),
        )
    elif following:
        yield ok(check, title, _("%(kid)s… signs, and the next one is published: a turn is under way.") % names)
    else:
        yield ok(check, title, _("%(kid)s… signs. The next turn begins by itself, %(when)s.") % names)
