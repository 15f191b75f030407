"""The dashboard and the alerts ask for metrics that there are, with labels that they have; every alert has its runbook."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from accounts import metrics
from authserver import housekeeping_metrics
from tests.documentation.documents import ROOT

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
ALERTS_TEST = ROOT / "deploy" / "prometheus" / "alerts_test.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
RULES = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
FROM_THE_SCRAPE = {"le", "job", "instance"}
LABELS = {
    **{name: {"step", "what"} for name in housekeeping_metrics.FAMILIES},
    **{name: set(family.labels) for family in metrics.FAMILIES for name in metrics.names_of(family)},
}


def queries() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "query"), list(queries()), ids=lambda value: value[:40])
def test_a_query_names_metrics_and_labels_that_there_are(where: str, query: str) -> None:
    asked = re.findall(r"\b(authserver_\w+)(?:\{([^}]*)\})?", query)
    assert asked or query.startswith("up{"), where
    known: set[str] = set(FROM_THE_SCRAPE)
    for name, selector in asked:
        assert name in LABELS, f"{where}: there is no {name}"
        known |= LABELS[name]
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            assert label in LABELS[name] | FROM_THE_SCRAPE, f"{where}: {name} has no label {label}"
    for labels in re.findall(r"\bby \(([^)]*)\)", query):
        assert {label.strip() for label in labels.split(",")} <= known, where


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_urgent_it_is_and_has_a_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == rule["alert"].lower()
    sections = re.split(r"^## ", (ROOT / page).read_text(), flags=re.MULTILINE)
    [section] = [section for section in sections if section.splitlines()[0] == rule["alert"]]
    assert re.search(r"^- ", section, re.MULTILINE), "it says what it means and what to do"


def test_every_runbook_has_its_alert() -> None:
    headings = re.findall(r"^## (Authserver\w+)$", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in RULES]


def test_the_dashboard_is_what_its_tool_writes() -> None:
    written = runpy.run_path(str(ROOT / "tools" / "dashboard.py"))["text"]()
    assert DASHBOARD.read_text() == written, "run tools/dashboard.py"


@pytest.mark.parametrize(
    "arguments", [("check", "rules", str(ALERTS)), ("test", "rules", str(ALERTS_TEST))], ids=["check", "test"]
)
def test_prometheus_takes_the_alerts_and_they_go_off_when_they_should(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("REQUIRE_PROMTOOL"):
            pytest.fail("promtool is needed: it is in Debian's package `prometheus`")
        pytest.skip("without promtool; it is in Debian's package `prometheus`")
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
