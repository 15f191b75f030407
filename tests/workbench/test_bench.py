"""The benchmark works, and says what it is to say. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_quick_run_gives_a_table_and_json(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "metadata", "--only", "introspect", "--json", found],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")]
    assert rows == ["operation", "---", "metadata", "introspect"]
    assert "Start " in done.stdout
    ours = json.loads(found.read_text())["authserver"]
    assert [len(ours[name]) for name in ("metadata", "introspect")] == [1, 1]
    [metadata], [introspect] = ours["metadata"], ours["introspect"]
    assert metadata["cpu_milliseconds"] > 0
    assert metadata["statements"] < 1
    assert 2 <= introspect["statements"] < 3
    assert metadata["p50"] <= metadata["p95"] <= metadata["p99"]
