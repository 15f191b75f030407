"""The README's table is the code's, and its examples fit the server and each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from accounts import metrics
from authserver import rate_limits
from authserver.configuration import document as configuration
from authserver.configuration.applying import apply
from authserver.configuration.problems import Problems
from authserver.console import roles
from authserver.env import table
from authserver.exchange.grant import check_shape
from tests.documentation.documents import DOCUMENTS, README, ROOT, fenced, name

CURLS = [(path, block) for path in DOCUMENTS for block in fenced(path.read_text(), "sh") if "token-exchange" in block]
FILES = [(path, block) for path in DOCUMENTS for block in fenced(path.read_text(), "yaml")]


@pytest.fixture(autouse=True)
def secrets_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for _path, block in FILES:
        for variable in re.findall(r"\{env: (\w+)\}", block):
            monkeypatch.setenv(variable, "vT5nXc8kQw3zLr7pJb2mYd6sHf9gUa4eKo1i")


def test_the_environment_table_is_the_one_the_code_gives() -> None:
    [written] = re.findall(r"^\| variable \|.*\n(?:\|.*\n)+", README.read_text(), re.MULTILINE)
    assert written.strip() == table(), "put what `python -m authserver.env` prints in its place"


def test_the_table_of_roles_is_the_one_the_code_gives() -> None:
    [written] = re.findall(r"^\| may \|.*\n(?:\|.*\n)+", (ROOT / "docs/console-roles.md").read_text(), re.MULTILINE)
    assert written.strip() == roles.table(), "put what `authserver.console.roles.table()` gives in its place"


def test_the_table_of_metrics_is_the_one_the_code_gives() -> None:
    [written] = re.findall(r"^\| name \|.*\n(?:\|.*\n)+", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    assert written.strip() == metrics.table(), "put what `accounts.metrics.table()` gives in its place"


def test_the_table_of_rate_limits_is_the_one_the_code_gives() -> None:
    [written] = re.findall(r"^\| limit \|.*\n(?:\|.*\n)+", (ROOT / "docs/rate-limits.md").read_text(), re.MULTILINE)
    assert written.strip() == rate_limits.table(), "put what `python -m authserver.rate_limits` prints in its place"


@pytest.mark.django_db
def test_the_readmes_configuration_can_be_applied(tmp_path: Path) -> None:
    [block] = fenced(README.read_text(), "yaml")
    file = tmp_path / "authserver.yaml"
    file.write_text(block)
    assert apply(file).changes == [
        "+ upstream github",
        "+ resource https://mcp.example.com/mcp",
        "+ resource server example-mcp",
    ]


@pytest.mark.parametrize(("path", "block"), FILES, ids=[name(path) for path, _block in FILES])
def test_every_excerpt_of_a_configuration_file_reads_without_a_problem(path: Path, block: str, tmp_path: Path) -> None:
    problems = Problems()
    file = tmp_path / path.with_suffix(".yaml").name
    file.write_text(block)
    configuration.read(file, problems)
    assert problems.found == []


@pytest.mark.parametrize(("path", "block"), CURLS, ids=[name(path) for path, _block in CURLS])
def test_every_token_exchange_on_the_command_line_is_one_we_take(path: Path, block: str) -> None:
    form = dict(pair.split("=", 1) for pair in re.findall(r'--data "?([^\s"]+)', block))
    check_shape(form)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
    [excerpt] = fenced(path.read_text(), "yaml")
    known: dict[str, Any] = yaml.safe_load(excerpt)
    [caller] = re.findall(r'--user "([\w-]+):', block)
    assert caller in [server["client_id"] for server in known["resource_servers"]]
    named = [entry["name"] for resource in known["resources"] for entry in resource["upstreams"]]
    assert form.get("audience", named[0]) in named


def test_what_the_first_run_prints_is_what_bootstrap_prints() -> None:
    printed = (ROOT / "authserver" / "management" / "commands" / "bootstrap.py").read_text()
    shown = re.findall(r"^ +(The first administrator, .*|address|username|password)", README.read_text(), re.MULTILINE)
    assert shown, "the README shows it"
    assert [line for line in shown if line not in printed] == []
