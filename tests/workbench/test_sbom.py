"""The list of components: CycloneDX as its schema has it, everything that is pinned and nothing else, and the same twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.harness.server import ROOT
from tests.workbench.test_requirements import PIN
from tools import sbom
from tools.licences import REQUIREMENTS


@pytest.mark.parametrize("requirements", REQUIREMENTS)
def test_it_is_what_the_schema_of_cyclonedx_asks_for(requirements: str) -> None:
    document = json.dumps(sbom.document(requirements, version="1.0.0"))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None


@pytest.mark.parametrize("requirements", REQUIREMENTS)
def test_every_pin_is_in_it_with_the_hashes_that_pip_takes(requirements: str) -> None:
    pins = {
        f"{pin['name']}@{pin['version']}": sorted(re.findall("[0-9a-f]{64}", pin["hashes"]))
        for pin in PIN.finditer((ROOT / requirements).read_text())
    }
    listed = {component["purl"].removeprefix("pkg:pypi/"): hashes(component) for component in components(requirements)}
    assert listed == pins


def components(requirements: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sbom.document(requirements)["components"]
    return found


def hashes(component: dict[str, Any]) -> list[str]:
    [files] = component["externalReferences"]
    return sorted(one["content"] for one in files["hashes"])


def test_it_says_who_needs_whom() -> None:
    needs = {one["ref"].split("@")[0]: one["dependsOn"] for one in sbom.document()["dependencies"]}
    names = {name: {ref.split("@")[0].removeprefix("pkg:pypi/") for ref in refs} for name, refs in needs.items()}
    assert {"django", "limits", "psycopg"} <= names["authserver"]
    assert "sqlparse" not in names["authserver"]
    assert {"asgiref", "sqlparse"} <= names["pkg:pypi/django"]
    assert names["pkg:pypi/sqlparse"] == set()


def test_what_only_some_systems_need_is_optional_and_says_where() -> None:
    optional = {
        one["name"]: one["properties"][0]["value"] for one in components("requirements.txt") if "properties" in one
    }
    assert optional["tzdata"] == "sys_platform == 'win32'"
    assert {one["name"] for one in components("requirements.txt") if one["scope"] == "optional"} == optional.keys()


def test_two_runs_write_the_same_bytes_and_another_release_has_another_serial_number() -> None:
    def run(version: str) -> bytes:
        command = [sys.executable, "-m", "tools.sbom", "--version", version]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout

    assert run("1.0.0") == run("1.0.0")
    first, second = json.loads(run("1.0.0")), json.loads(run("1.0.1"))
    assert first["metadata"]["component"]["version"] == "1.0.0"
    assert first["serialNumber"] != second["serialNumber"]
