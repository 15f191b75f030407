"""The benchmark works, and says what it is to say. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import load
from bench.peers import oidc_provider
from bench.peers.flow import Unavailable
from bench.target import Database
from tests.interop import npm

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_quick_run_gives_a_table_and_json(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "metadata", "--only", "introspect", "--stores", "--json", found],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")]
    steps = [step for step in ("alive", "use", "tokens", "replace", "close") for _ in range(3)]
    assert rows == ["operation", "---", "metadata", "introspect", "step", "---", *steps]
    assert "Start " in done.stdout
    ours = json.loads(found.read_text())["authserver"]
    assert [len(ours[name]) for name in ("metadata", "introspect")] == [1, 1]
    [metadata], [introspect] = ours["metadata"], ours["introspect"]
    assert metadata["cpu_milliseconds"] > 0
    assert metadata["statements"] < 1
    assert 2 <= introspect["statements"] < 3
    assert metadata["p50"] <= metadata["p95"] <= metadata["p99"]


def test_oidc_provider_answers_every_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm.installed(oidc_provider.HERE)  # skips without npm
    monkeypatch.setattr(oidc_provider, "WARM_UP", 8)  # which drives each of them, and stops at a wrong status
    with oidc_provider.deployed(Database.start(), tmp_path) as peer:
        [request] = peer._introspect(1)
        [answer] = load.drive(peer.target.port, [request], expect=200).answers
        assert answer.json()["active"] is True
        [tokens] = peer._tokens(1)
        assert tokens["access_token"].count(".") == 2, "a signed token for the resource that wants such"


def test_a_peer_that_cannot_be_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    nowhere = Database("", 0)
    with (
        pytest.raises(Unavailable, match="oidc-provider is left out: needs npm"),
        oidc_provider.deployed(nowhere, tmp_path),
    ):
        pass
