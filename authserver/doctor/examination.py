"""The whole examination, in the order in which one thing needs the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import structlog
from django.utils import timezone
from django.utils.translation import gettext as _

from authserver.doctor import configuration, database, issuer, proxies, seams, upkeep, upstreams
from authserver.doctor.calls import Calls
from authserver.doctor.findings import Finding, Level, failed, worst

log = structlog.get_logger(__name__)


def examine(*, now: datetime | None = None, through: Calls | None = None) -> list[Finding]:
    """Every finding. Without a database, or without its tables, what needs them is left out. Raises nothing."""
    now, through = now or timezone.now(), through or Calls()
    found = database.look()
    usable = worst(finding for finding in found if finding.check != "database.pool") is not Level.FAILED
    steps: dict[str, Callable[[], Iterable[Finding]]] = {
        "configuration": lambda: configuration.look(database=usable),
        "cache": lambda: [seams.cache()],
    }
    if usable:
        steps |= {
            "vault.keys": lambda: [seams.vault_keys()],
            "signing_key": lambda: seams.signing_key(now),
            "issuer": lambda: issuer.look(through),
            "proxy": lambda: proxies.look(through),
            "upstream": lambda: upstreams.look(through, now),
            "maintenance": lambda: [upkeep.maintenance(now)],
            "revocations": lambda: [upkeep.revocations(now)],
        }
    for check, step in steps.items():
        found += _findings(check, step)
    return found


def _findings(check: str, step: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """A step that breaks is a finding too: whatever it is, the others are worth having. Its text may hold anything."""
    try:
        return list(step())
    except Exception as error:
        log.warning("doctor", check=check, error=type(error).__name__)
        return [
            failed(
                check,
                check,
                _("Looking at it failed: %(error)s.") % {"error": type(error).__name__},
                _("The other findings may say why; /readyz and the log say more."),
            )
        ]
