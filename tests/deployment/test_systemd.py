"""`deploy/systemd/`: what systemd itself says about the units, and what they give away."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deployment.files import SYSTEMD, compose, unit

UNITS = ("authserver-web@.service", "authserver-bootstrap.service", "authserver-maintenance.service")
PROGRAMS = {"gunicorn", "python"}
WORST_EXPOSURE = 2.0  # of 10; that of a unit without hardening is 9.6


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system with the units, the programs they start, and the targets of systemd that they name."""
    units = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(SYSTEMD, units)
    for directory in ("usr/lib/systemd/system", "lib/systemd/system"):
        if (source := Path("/") / directory).is_dir():
            shutil.copytree(source, tmp_path / directory, symlinks=True, dirs_exist_ok=True)
    programs = tmp_path / "srv" / "authserver" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for program in PROGRAMS:
        (programs / program).write_text("#!/bin/sh\n")
        (programs / program).chmod(0o755)
    return tmp_path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_knows_every_line(root: Path, name: str) -> None:
    instance = name.replace("@.", "@8001.")
    verified = analyze("verify", f"--root={root}", "--recursive-errors=no", instance)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_common_lines_reach_each_unit(root: Path) -> None:
    """What is unknown there is complained about for every one of them."""
    common = root / "etc" / "systemd" / "system" / "authserver-.service.d" / "common.conf"
    common.write_text(common.read_text() + "Unheard=of\n")
    for name in UNITS:
        verified = analyze("verify", f"--root={root}", "--recursive-errors=no", name.replace("@.", "@8001."))
        assert "Unknown key 'Unheard'" in verified.stderr, name


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_little_to_attack(root: Path, name: str) -> None:
    instance = name.replace("@.", "@8001.")
    judged = analyze("security", f"--root={root}", "--offline=yes", "--json=off", "--no-pager", instance)
    [exposure] = re.findall(r"Overall exposure level for \S+ ([0-9.]+)", judged.stdout)
    assert float(exposure) <= WORST_EXPOSURE, judged.stdout


@pytest.mark.parametrize("name", UNITS)
def test_every_secret_is_a_credential(name: str) -> None:
    settings = unit(name)
    loaded = {value.partition(":")[0] for value in settings["Service.LoadCredential"]}
    named = {value.rpartition("%d/")[2] for value in settings["Service.Environment"] if "_FILE=" in value}
    assert named == loaded
    providers = {"github_client_secret", "example_mcp_secret"}
    assert providers <= loaded if "bootstrap" in name else not providers & loaded


def test_the_files_are_those_of_compose() -> None:
    """One list of secrets, however it is run; the password is that of Compose's own PostgreSQL, TLS is nginx's."""
    ours = {value.partition(":")[0] for name in UNITS for value in unit(name)["Service.LoadCredential"]}
    assert ours == set(compose()["secrets"]) - {"postgres_password", "tls_certificate", "tls_private_key"}


def test_every_program_is_one_that_is_there() -> None:
    started = {unit(name)["Service.ExecStart"][0].split()[0] for name in UNITS}
    assert started == {f"/srv/authserver/.venv/bin/{program}" for program in PROGRAMS}
    assert {path.name for path in SYSTEMD.glob("*.service")} == set(UNITS)
