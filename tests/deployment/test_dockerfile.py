"""The rules that `deploy/Dockerfile` keeps: what hadolint and the CIS benchmark ask for, as far as they concern us."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.deployment.files import Instruction, dockerfile
from tests.harness import processes, server
from tests.harness.server import ROOT, Server

RUNS = ("CMD", "ENTRYPOINT")


def named(name: str, *, last_stage: bool = False) -> list[Instruction]:
    last = max(instruction.stage for instruction in dockerfile())
    found = [instruction for instruction in dockerfile() if instruction.name == name]
    return [one for one in found if one.stage == last] if last_stage else found


def copied() -> list[str]:
    """What comes into the image from here."""
    copies = [one.value.split() for one in named("COPY") if not one.value.startswith("--from")]
    return [source for words in copies for source in words[:-1]]


def test_it_has_only_instructions_that_it_needs() -> None:
    """No ADD, which fetches and unpacks; no VOLUME, no SHELL, no ONBUILD."""
    allowed = {
        "ARG",
        "FROM",
        "WORKDIR",
        "ENV",
        "COPY",
        "RUN",
        "LABEL",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "CMD",
    }
    assert {instruction.name for instruction in dockerfile()} == allowed


def test_each_stage_starts_from_one_base_with_a_version() -> None:
    [base] = [one.value for one in named("ARG") if one.value.startswith("PYTHON=")]
    assert re.fullmatch(r"PYTHON=python:3\.1[1-3]-slim-[a-z]+", base), "a version and a distribution: no `latest`"
    assert [one.value.split()[0] for one in named("FROM")] == ["${PYTHON}", "${PYTHON}"]


def test_it_runs_as_nobody_in_particular_by_number() -> None:
    [user] = named("USER", last_stage=True)
    assert re.fullmatch(r"(\d+):\1", user.value)
    assert int(user.value.split(":")[0]) > 10_000, "of no account of the host"
    assert not named("RUN", last_stage=True), "and nothing is done as root on the way"


def test_what_runs_is_in_exec_form_and_signals_reach_it() -> None:
    assert not named("ENTRYPOINT")
    [command] = named("CMD")
    assert command.arguments == ["gunicorn", "--bind", "0.0.0.0:8000"]
    [check] = named("HEALTHCHECK")
    assert check.arguments == ["python", "deploy/healthcheck.py"]
    assert [one.value for one in named("EXPOSE")] == ["8000"]


def test_what_is_installed_has_hashes_and_is_a_wheel() -> None:
    [install] = [one.value for one in named("RUN") if " install " in one.value]
    assert {"--require-hashes", "--only-binary"} <= set(install.split())


def test_no_instruction_has_a_secret() -> None:
    """Not in ENV, not in ARG: both stay in the image's history."""
    text = " ".join(f"{one.name} {one.value}" for one in dockerfile())
    assert "AUTHSERVER_" not in text
    assert not re.search(r"(?i)secret|password|token=", text)


def test_nothing_is_copied_that_dockerignore_does_not_name() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*", "everything stays out"
    kept = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert all(any(fnmatch.fnmatch(source, pattern) for pattern in kept) for source in copied())
    assert not any(pattern.startswith((".", "var", "deploy/secrets", "tests")) for pattern in kept)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the Dockerfile copies, and nothing else."""
    root = tmp_path_factory.mktemp("image")
    for source in copied():
        target = root / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    return root


def test_what_is_copied_is_all_that_runs_and_nothing_is_written_to_it(
    image: Path, demo_server: Server, tmp_path: Path
) -> None:
    """Bootstrap, then the server with the health check beside it, in the copy."""
    port = processes.free_port()
    secrets = {
        f"{name}_FILE": str(demo_server.data_dir / name.removeprefix("AUTHSERVER_").lower())
        for name in ("AUTHSERVER_SECRET_KEY", "AUTHSERVER_VAULT_KEYS")
    }
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "AUTHSERVER_ISSUER": "https://auth.example.com/with/path",
        "AUTHSERVER_DATABASE_URL": f"sqlite:///{tmp_path / 'database.sqlite3'}",
        "AUTHSERVER_DATA_DIR": str(tmp_path),
        **secrets,
    }
    before = sorted(image.rglob("*"))
    check = [sys.executable, str(image / "deploy" / "healthcheck.py"), str(port)]
    # By name, from the working directory: `manage.py`, and gunicorn's `gunicorn.conf.py`.
    subprocess.run([sys.executable, "manage.py", "bootstrap"], cwd=image, env=environment, check=True, timeout=120)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"],
            cwd=image, env=environment, stdout=log, stderr=log, preexec_fn=processes.die_with_parent,
        )  # fmt: skip
    try:
        assert subprocess.run(check, env=environment, check=False).returncode == 1, "not yet"
        server.wait_for_port(port, process)
        assert subprocess.run(check, env=environment, check=False).returncode == 0, (tmp_path / "log").read_text()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/with/path", headers={"Host": "auth.example.com"}) as http:
            assert 'lang="de"' in http.get("/account/", headers={"Accept-Language": "de"}).text
            assert http.get("/static/console.css").status_code == 200
    finally:
        processes.stop(process)
    assert subprocess.run(check, env=environment, check=False).returncode == 1, "no longer"
    assert sorted(image.rglob("*")) == before
