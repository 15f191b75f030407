"""What nobody counts, found out when somebody scrapes: the queue, keys, maintenance, whether each seam answers.

A handful of statements over indexes, counted no further than `MOST`, and not more often than every `KEPT_SECONDS` in a
process. With the database away they are absent, and `authserver_scrape_errors_total` says so.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from threading import Lock

import django
import structlog
from django.db import connection
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from accounts import metrics
from accounts.metrics import Family
from accounts.models import Revocation, VaultKey
from accounts.vault.sealing import sealing
from authserver import probes
from authserver.keys import rotation
from authserver.models import MaintenanceRun, SigningKey

log = structlog.get_logger(__name__)

MOST = 10_000
KEPT_SECONDS = 5.0

Reading = tuple[Family, tuple[str, ...], float]
Phase = SigningKey.Phase


def signing_key(now: datetime) -> Iterator[Reading]:
    """Of keys in the database; others are turned over elsewhere."""
    try:
        rotation.check_source()
    except rotation.NotHere:
        return
    rows = {row.phase: row for row in SigningKey.objects.exclude(phase=Phase.RETIRED)}
    active, following = rows.get(Phase.ACTIVE), rows.get(Phase.NEXT)
    if active is None:
        return
    due = following.created_at + rotation.PUBLISHED_AHEAD if following else rotation.turn_begins_at(active)
    began = active.activated_at or active.created_at
    yield metrics.SIGNING_KEY_AGE, (), (now - began).total_seconds()
    yield metrics.SIGNING_KEY_TURN, (), (due - now).total_seconds()


def revocations(now: datetime) -> Iterator[Reading]:
    queued = Revocation.objects.filter(state=Revocation.State.QUEUED)
    oldest = queued.order_by("due_at").values_list("due_at", flat=True).first()
    yield metrics.REVOCATIONS_QUEUED, (), queued.order_by()[:MOST].count()
    yield metrics.REVOCATIONS_LATE, (), max(0.0, (now - oldest).total_seconds()) if oldest else 0


def maintenance(now: datetime) -> Iterator[Reading]:
    run = MaintenanceRun.objects.first()
    if run is not None:
        yield metrics.MAINTENANCE_AT, (), run.at.timestamp()
        yield metrics.MAINTENANCE_FAILED, (), len(run.failed_steps)


def vault_keys(now: datetime) -> Iterator[Reading]:
    yield metrics.VAULT_KEYS, ("configured",), len(sealing().prefixes)
    yield metrics.VAULT_KEYS, ("in_use",), VaultKey.objects.filter(retired_at=None).count()


FROM_THE_DATABASE: tuple[Callable[[datetime], Iterable[Reading]], ...] = (
    signing_key,
    revocations,
    maintenance,
    vault_keys,
)


def take(now: datetime) -> list[Reading]:
    """All of them, or those that can be taken. Raises nothing."""
    answers = probes.ask()
    taken: list[Reading] = [
        (metrics.READY, (seam,), float(answer == "ok")) for seam, answer in answers.items() if answer != "not_asked"
    ]
    labels = (platform.python_version(), django.get_version(), connection.vendor)
    taken.append((metrics.BUILD, labels, 1))
    for reading in FROM_THE_DATABASE:
        if answers["database"] != "ok":  # each would wait for a connection again
            metrics.SCRAPE_ERRORS.count(reading.__name__)
            continue
        try:
            taken += reading(now)
        except Exception as error:  # whatever is wrong with one, the others are as good as ever
            log.warning("reading not taken", reading=reading.__name__, error=type(error).__name__)
            metrics.SCRAPE_ERRORS.count(reading.__name__)
    return taken


class Readings(Collector):
    """For `prometheus_client`: the readings as families, taken anew when those of before are old."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._taken: list[Reading] = []
        self._taken_at = float("-inf")

    def refresh(self) -> None:
        """Whoever comes while another thread is at it waits: it is asked for what is true now."""
        with self._lock:
            if self._clock() - self._taken_at >= KEPT_SECONDS:
                self._taken = take(timezone.now())
                self._taken_at = self._clock()

    def forget(self) -> None:
        """For tests."""
        self._taken_at = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[Family, GaugeMetricFamily] = {}
        for family, labels, value in self._taken:
            if family not in families:
                families[family] = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            families[family].add_metric(labels, value)
        yield from families.values()


readings = Readings()
