#!/usr/bin/env python3
"""Write deploy/grafana/dashboard.json: what is shown stands here, in one line a panel; Grafana's form is added.

A test holds the file to this, and every query to the metrics there are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "dashboard.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RATE = "$__rate_interval"

Query = tuple[str, str]
"""An expression and its legend."""
Panel = tuple[str, str, str, tuple[Query, ...]]
"""Kind (`stat`, `lines`), title, unit, queries."""


def rate(name: str, by: str, where: str = "", unit_seconds: int = 60) -> str:
    """How much a counter grows, a minute, by label."""
    return f"sum by ({by}) (rate(authserver_{name}{_selector(where)}[{RATE}])) * {unit_seconds}"


def quantile(share: float, name: str, by: str, where: str = "") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate(authserver_{name}_bucket{_selector(where)}[{RATE}])))"


def _selector(where: str) -> str:
    return f"{{{where}}}" if where else ""


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    ("Now", (
        ("stat", "Ready", "short", (("min by (seam) (authserver_ready)", "{{seam}}"),)),
        ("stat", "Answers with a 5xx", "percentunit", (
            ((f'sum(rate(authserver_http_request_seconds_count{{status="5xx"}}[{RATE}])) '
             f"/ sum(rate(authserver_http_request_seconds_count[{RATE}]))"), ""),)),
        ("stat", "Since maintenance ran", "s", (("time() - max(authserver_maintenance_timestamp_seconds)", ""),)),
        ("stat", "Until the signing key's turn", "s", (("min(authserver_signing_key_turn_seconds)", ""),)),
        ("stat", "Revocations that wait", "short", (("max(authserver_revocations_queued)", ""),)),
        ("stat", "Sessions ended by a replay, a day", "short", (
            ('sum(increase(authserver_replays_total{outcome="session_ended"}[1d]))', ""),)),
    )),
    ("Decisions", (
        ("lines", "Token endpoint, a minute", "short", ((rate("token_requests_total", "grant, outcome"), "{{grant}} {{outcome}}"),)),
        ("lines", "Upstream tokens asked for, a minute", "short", ((rate("exchanges_total", "upstream, state"), "{{upstream}} {{state}}"),)),
        ("lines", "Sign-ins and connections, a minute", "short", (
            (rate("sign_ins_total", "upstream, purpose, outcome"), "{{upstream}} {{purpose}} {{outcome}}"),
            (rate("callbacks_refused_total", "reason"), "no visit: {{reason}}"))),
        ("lines", "Authorizations and registrations, a minute", "short", (
            (rate("authorizations_total", "outcome"), "authorization {{outcome}}"),
            (rate("registrations_total", "outcome"), "registration {{outcome}}"))),
        ("lines", "Refusals, a minute", "short", ((rate("refusals_total", "step, error"), "{{step}} {{error}}"),)),
        ("lines", "Replays, a minute", "short", ((rate("replays_total", "what, outcome"), "{{what}} {{outcome}}"),)),
        ("lines", "Introspections, a minute", "short", ((rate("introspections_total", "outcome"), "{{outcome}}"),)),
        ("lines", "Audit events, a minute", "short", ((rate("audit_events_total", "event, outcome"), "{{event}} {{outcome}}"),)),
    )),
    ("Upstreams", (
        ("lines", "Calls, 95 of 100 are quicker than", "s", (
            (quantile(0.95, "upstream_call_seconds", "upstream, operation", 'upstream!=""'), "{{upstream}} {{operation}}"),)),
        ("lines", "Calls, a minute", "short", (
            (rate("upstream_call_seconds_count", "upstream, outcome", 'upstream!=""'), "{{upstream}} {{outcome}}"),)),
        ("lines", "Refreshes of people's tokens, a minute", "short", (
            (rate("upstream_refreshes_total", "upstream, outcome"), "{{upstream}} {{outcome}}"),)),
        ("lines", "Clients' documents and keys, a minute", "short", (
            (rate("upstream_call_seconds_count", "operation, outcome", 'upstream=""'), "{{operation}} {{outcome}}"),)),
    )),
    ("The server", (
        ("lines", "Requests, a second", "reqps", ((rate("http_request_seconds_count", "endpoint, status", unit_seconds=1), "{{endpoint}} {{status}}"),)),
        ("lines", "Requests, 99 of 100 are quicker than", "s", ((quantile(0.99, "http_request_seconds", "endpoint"), "{{endpoint}}"),)),
        ("lines", "Database connections", "short", (("sum by (instance, state) (authserver_database_connections)", "{{instance}} {{state}}"),)),
        ("lines", "Rate limits, a minute", "short", (
            (rate("rate_limited_total", "limit"), "refused: {{limit}}"),
            (rate("rate_limits_alone_total", "limit"), "counted alone: {{limit}}"),
            ("sum(rate(authserver_cache_errors_total[$__rate_interval])) * 60", "the cache does not answer"))),
        ("lines", "The vault: failures, a minute", "short", ((rate("vault_failures_total", "what"), "{{what}}"),)),
        ("lines", "Vault keys, and the signing key's age", "short", (
            ("max by (state) (authserver_vault_keys)", "vault keys {{state}}"),
            ("max(authserver_signing_key_age_seconds) / 86400", "signing key, days"))),
        ("lines", "The queue of revocations", "short", (
            ("max(authserver_revocations_queued)", "waiting"),
            ("max(authserver_revocations_late_seconds) / 60", "minutes late"))),
        ("lines", "Maintenance", "short", (
            ("max(authserver_maintenance_failed_steps)", "failed steps"),
            (rate("maintenance_done_total", "step, what"), "{{step}} {{what}}"))),
    )),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """As Grafana 10 and later import it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, shown in ROWS:
        panels.append({"type": "row", "title": title, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        width, height = (4, 4) if shown[0][0] == "stat" else (12, 8)
        for number, panel in enumerate(shown):
            x = number * width % 24
            panels.append(_panel(panel, {"x": x, "y": y, "w": width, "h": height}))
            if x + width == 24 or number == len(shown) - 1:
                y += height
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    return {
        "title": "Authserver",
        "uid": "authserver",
        "tags": ["authserver"],
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    kind, title, unit, queries = panel
    return {
        "type": {"stat": "stat", "lines": "timeseries"}[kind],
        "title": title,
        "gridPos": place,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": None if kind == "stat" else 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for number, (query, legend) in enumerate(queries)
        ],
    }


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
