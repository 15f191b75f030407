"""Every metric there is: its name, what it says, its labels. Call sites are one line; `/metrics` tells Prometheus.

Here, because all that counts may import it: what we keep, what we consume, what we serve. Label values come from fixed lists
or from the configuration (names of upstreams and limits); a client, a person, a session or an address is never one.
Should a label get out of hand all the same, what is new is counted as `other` once a metric has `MOST_CHILDREN` series.

Counting is a few microseconds, into a file mapped into memory where gunicorn serves (`authserver.metrics.directory`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import prometheus_client

PREFIX = "authserver_"
MOST_CHILDREN = 500
OTHER = "other"
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: our own answers, which take a few milliseconds, or as long as a provider."""
REMOTE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

FAMILIES: list[Family] = []
REGISTRY = prometheus_client.CollectorRegistry()
"""Where a process that serves alone keeps them; gunicorn's workers keep theirs in files."""

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, that nobody reads


@dataclass(frozen=True)
class Family:
    """How a metric is known: `name` as it stands in a query, `kind` counter, gauge or histogram."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


class _Metric:
    kind: ClassVar[str]
    make: ClassVar[Callable[..., Any]]

    def __init__(
        self, name: str, says: str, *labels: str, known: Sequence[tuple[str, ...]] = (), **options: Any
    ) -> None:
        """`known`: values of the labels that rarely come, and are alerted on."""
        self.family = Family(PREFIX + name, self.kind, says, labels)
        self._metric = type(self).make(PREFIX + name, says, labels, registry=REGISTRY, **options)
        self._children: dict[tuple[str, ...], Any] = {}
        FAMILIES.append(self.family)
        for values in known if labels else ((),):  # there from the first moment: a first increase is one from nought
            self._child(values)

    def _child(self, values: tuple[str, ...]) -> Any:
        child = self._children.get(values)
        if child is None:
            if len(self._children) >= MOST_CHILDREN:
                values = (OTHER,) * len(values)
            child = self._children[values] = self._metric.labels(*values) if values else self._metric
        return child


class Counter(_Metric):
    kind, make = "counter", prometheus_client.Counter

    def count(self, *labels: str, by: float = 1) -> None:
        """One more, under these values of the labels in their order."""
        self._child(labels).inc(by)


class Histogram(_Metric):
    kind, make = "histogram", prometheus_client.Histogram

    def observe(self, seconds: float, *labels: str) -> None:
        self._child(labels).observe(seconds)


class Gauge(_Metric):
    """What each process says of itself, added up over those that live."""

    kind, make = "gauge", prometheus_client.Gauge

    def __init__(self, name: str, says: str, *labels: str) -> None:
        super().__init__(name, says, *labels, multiprocess_mode="livesum")

    def set(self, value: float, *labels: str) -> None:
        self._child(labels).set(value)


def _read(name: str, says: str, *labels: str) -> Family:
    """One that is not counted: whoever answers `/metrics` finds it out then (`authserver.metrics.readings`)."""
    family = Family(PREFIX + name, "gauge", says, labels)
    FAMILIES.append(family)
    return family


# --- Requests -----------------------------------------------------------------------------------------------------
HTTP = Histogram(
    "http_request_seconds",
    "Answers to requests, in seconds, by endpoint and class of status (`2xx`).",
    "endpoint",
    "status",
    buckets=QUICK,
)
RATE_LIMITED = Counter("rate_limited_total", "Requests that a rate limit refused.", "limit")
RATE_LIMITS_ALONE = Counter(
    "rate_limits_alone_total",
    "Requests that a process counted for itself, because the shared cache did not answer.",
    "limit",
)
CACHE_ERRORS = Counter("cache_errors_total", "Times that the shared cache did not answer.")

# --- Decisions ----------------------------------------------------------------------------------------------------
SIGN_INS = Counter(
    "sign_ins_total",
    "Visits to an upstream that came back, by `purpose` (`sign_in`, `connect`, `console`) and `outcome` (`ok`, `refused`, "
    "`failed`).",
    "upstream",
    "purpose",
    "outcome",
)
CALLBACKS_REFUSED = Counter(
    "callbacks_refused_total", "Callbacks that belong to no visit of this browser, by reason.", "reason"
)
REGISTRATIONS = Counter(
    "registrations_total", "Client registrations, `ok` or the error they were answered with.", "outcome"
)
AUTHORIZATIONS = Counter(
    "authorizations_total", "Decisions on authorizations: `granted`, `denied`, `refused`.", "outcome"
)
REFUSALS = Counter(
    "refusals_total", "Refused requests, by the step and the error that the client or the person saw.", "step", "error"
)
TOKENS = Counter(
    "token_requests_total",
    "Answers of the token endpoint, by `grant` and `outcome` (`ok` or the OAuth error).",
    "grant",
    "outcome",
)
REPLAYS = Counter(
    "replays_total",
    "Codes and refresh tokens that came again: `answered` (within the replay window) or `session_ended`.",
    "what",
    "outcome",
    known=[("code", "session_ended"), ("refresh_token", "session_ended"), ("refresh_token", "answered")],
)
EXCHANGES = Counter(
    "exchanges_total",
    "Upstream tokens that were asked for, by token exchange or by tsid: `ok`, `refused`, or the `state` that was answered.",
    "upstream",
    "state",
)
INTROSPECTIONS = Counter(
    "introspections_total", "Introspections, by what was answered: `active` or `inactive`.", "outcome"
)
AUDIT_EVENTS = Counter("audit_events_total", "Rows of the audit trail that this server wrote.", "event", "outcome")

# --- Upstreams ----------------------------------------------------------------------------------------------------
UPSTREAM_CALLS = Histogram(
    "upstream_call_seconds",
    "Outbound calls in seconds. `operation`: token, refresh, userinfo, discovery, jwks, revoke, and without an upstream "
    "client_document, client_keys, examination. `outcome`: ok, redirected, refused (4xx), failed (5xx), or why none came.",
    "upstream",
    "operation",
    "outcome",
    buckets=REMOTE,
)
UPSTREAM_REFRESHES = Counter(
    "upstream_refreshes_total",
    "Refreshes of people's upstream tokens: `ok`, `failed` (may pass), `died` (a new sign-in is needed).",
    "upstream",
    "outcome",
)

# --- The vault ----------------------------------------------------------------------------------------------------
VAULT_FAILURES = Counter(
    "vault_failures_total",
    "What did not open (`tokens` of a person, a `secret` of ours), could not be asked (`kms`), or was lost (`not_stored`: a "
    "refreshed token).",
    "what",
    known=[("tokens",), ("secret",), ("kms",), ("not_stored",)],
)
VAULT_KEYS = _read("vault_keys", "Vault keys: `configured` here, `in_use` by what is stored.", "state")

# --- What a scrape finds out ----------------------------------------------------------------------------------------
READY = _read("ready", "Whether a seam answers, as `/readyz` says: 1 or 0. Absent where it was not asked.", "seam")
POOL = Gauge(
    "database_connections", "Connections of the workers' pools: `used`, `idle`; `waiting`: requests for one.", "state"
)
SIGNING_KEY_AGE = _read(
    "signing_key_age_seconds", "How long the signing key has been signing. Key source `database` only."
)
SIGNING_KEY_TURN = _read(
    "signing_key_turn_seconds",
    "Until the next step of its turn is due; below zero, it is overdue. Key source `database` only.",
)
REVOCATIONS_QUEUED = _read(
    "revocations_queued", "Revocations that wait to be told to a provider; counted as far as 10,000."
)
REVOCATIONS_LATE = _read("revocations_late_seconds", "How long the oldest one of them has been due; 0 where none is.")
MAINTENANCE_AT = _read(
    "maintenance_timestamp_seconds", "When `maintenance` last left its note, in seconds since 1970. Absent: never."
)
MAINTENANCE_FAILED = _read("maintenance_failed_steps", "How many of its steps had failed then.")
BUILD = _read("build_info", "Always 1; what runs here, as labels.", "python", "django", "database")
SCRAPE_ERRORS = Counter(
    "scrape_errors_total", "Readings that a scrape could not take, such as with the database away.", "reading"
)


def names_of(family: Family) -> Iterator[str]:
    """The names that may stand in a query."""
    if family.kind == "histogram":
        yield from (f"{family.name}_{part}" for part in ("bucket", "sum", "count"))
    else:
        yield family.name


def table() -> str:
    """The list as a Markdown table: docs/metrics.md holds exactly this."""
    rows = [
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} | {family.help} |"
        for family in FAMILIES
    ]
    return "\n".join(["| name | kind | labels | says |", "| --- | --- | --- | --- |", *rows])
