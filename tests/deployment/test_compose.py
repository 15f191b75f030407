"""`deploy/compose.yaml` fits the Compose specification, and every service is as narrow as it can be."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from tests.deployment.files import DEPLOY, compose, dockerfile

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = ("web-1", "web-2", "maintenance", "migrate")


def test_it_fits_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} == set(limits)
    assert re.fullmatch(r"[\w./-]+:\d[\w.-]*", service["image"]), "a version: no `latest`"
    user = service.get("user") or next(one.value for one in dockerfile() if one.name == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_when_it_is_healthy(name: str) -> None:
    """Or that it serves nothing. The web replicas have the image's own check."""
    check = SERVICES[name].get("healthcheck")
    if name in {"migrate", "maintenance"}:
        assert check == {"disable": True}
    elif name.startswith("web"):
        assert check is None
    else:
        assert check is not None
        assert check["test"][0] == "CMD", "no shell"


def test_only_nginx_can_be_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    assert compose()["networks"]["data"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "data" in service["networks"]} == {
        *OURS,
        "postgres",
        "valkey",
    }
    assert {name for name, service in SERVICES.items() if service["networks"] == ["data"]} == {"postgres", "valkey"}


def test_no_secret_is_in_an_environment() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"SECRET|PASSWORD|KEYS?$|DATABASE_URL$", variable.removesuffix("_FILE")) or (
                variable.endswith("_FILE") and value.removeprefix("/run/secrets/") in service["secrets"]
            ), f"{name}: {variable}"


def test_every_secret_is_somebodys_and_everybody_has_only_theirs() -> None:
    used = [secret for service in SERVICES.values() for secret in service.get("secrets", [])]
    assert set(used) == set(compose()["secrets"])
    assert [name for name, service in SERVICES.items() if "github_client_secret" in service.get("secrets", [])] == [
        "migrate"
    ]
    assert [name for name, service in SERVICES.items() if "tls_private_key" in service.get("secrets", [])] == ["nginx"]


def test_the_tables_are_there_before_anybody_needs_them() -> None:
    for name in ("web-1", "web-2", "maintenance"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert [name for name in OURS if "bootstrap" in SERVICES[name].get("command", [])] == ["migrate"]
    assert SERVICES["migrate"]["restart"] == "no"
