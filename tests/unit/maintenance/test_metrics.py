"""`manage.py maintenance --metrics FILE`: what was done, in a file for Prometheus."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import BrowserSession
from accounts.vault import vault
from authserver import housekeeping
from authserver.housekeeping_metrics import MetricsFile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]  # it closes connections

STEPS = {step.name for step in housekeeping.steps()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collected" / "authserver.prom"


def run(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    call_command("maintenance", metrics=path, stdout=StringIO(), stderr=StringIO())
    return path.read_text()


def value(text: str, sample: str) -> float:
    [line] = [line for line in text.splitlines() if line.startswith(f"authserver_maintenance_{sample} ")]
    return float(line.split()[-1])


def somebody_leaves_a_browser_session(number: int) -> None:
    BrowserSession.objects.create(
        session_key=str(number), session_data="", expire_date=timezone.now() - timedelta(days=2)
    )


def test_the_file_has_each_step_and_what_it_did(path: Path) -> None:
    somebody_leaves_a_browser_session(1)
    before = timezone.now().timestamp()
    text = run(path)
    assert value(text, 'done_total{step="browser sessions",what="deleted"}') == 1
    for step in STEPS:
        assert value(text, f'failures_total{{step="{step}"}}') == 0
        assert value(text, f'last_success_timestamp_seconds{{step="{step}"}}') >= int(before)
    assert text.count("# TYPE ") == text.count("# HELP ") == 3
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_counters_go_on_from_run_to_run(path: Path) -> None:
    for number in range(3):
        somebody_leaves_a_browser_session(number)
        text = run(path)
        assert value(text, 'done_total{step="browser sessions",what="deleted"}') == number + 1


def test_a_step_that_fails_is_counted_and_keeps_the_time_of_its_last_success(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **kwargs: Any) -> int:
        raise KeyError

    first = run(path)
    monkeypatch.setattr(vault().sessions, "sweep", fails)
    with pytest.raises(CommandError):
        run(path)
    text, time = path.read_text(), 'last_success_timestamp_seconds{step="token sessions"}'
    assert value(text, 'failures_total{step="token sessions"}') == 1
    assert value(text, time) == value(first, time)


def test_a_path_that_cannot_be_written_is_told_before_anything_is_done(tmp_path: Path) -> None:
    somebody_leaves_a_browser_session(1)
    for wrong in (tmp_path / "nowhere" / "a.prom", tmp_path):
        with pytest.raises(CommandError, match="--metrics"):
            call_command("maintenance", metrics=wrong, stdout=StringIO())
    assert BrowserSession.objects.count() == 1


def test_a_file_that_cannot_be_written_any_more_stops_no_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(limit: int) -> Counter[str]:
        shutil.rmtree(path.parent)
        return Counter()

    somebody_leaves_a_browser_session(1)
    whole = [housekeeping.Step("disk", 1, 1, batch), *housekeeping.steps()]
    monkeypatch.setattr("authserver.management.commands.maintenance.steps", lambda: whole)
    path.parent.mkdir()
    with structlog.testing.capture_logs() as logs:
        call_command("maintenance", metrics=path, stdout=StringIO())
    assert {line["event"] for line in logs if line.get("outcome") == "failed"} == {"maintenance.metrics"}
    assert not BrowserSession.objects.exists()


@pytest.mark.parametrize(
    "found",
    [
        "",
        "nonsense\n",
        'authserver_maintenance_done_total{step="x",what="y"} 1.2.3\nother_total{step="x"} 7\n',
        'authserver_maintenance_failures_total{step="x\\"} 9999999999"} 1\n',
    ],
)
def test_a_file_that_says_something_else_counts_from_nothing(found: str, path: Path) -> None:
    path.parent.mkdir()
    path.write_text(found)
    assert MetricsFile(path).samples == {}
