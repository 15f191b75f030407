"""What is in `deploy/`, read: the Dockerfile's instructions, the services of Compose, the manifests as kustomize makes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.harness.server import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
SYSTEMD = DEPLOY / "systemd"
WORKLOADS = ("Deployment", "Job")


@dataclass(frozen=True)
class Instruction:
    """One of a Dockerfile, its continued lines joined. `stage` counts from 0, at the first FROM."""

    name: str
    value: str
    stage: int

    @property
    def arguments(self) -> list[str] | None:
        """Those of its exec form; None where a shell would read it."""
        start = self.value.find("[")
        try:
            return [str(one) for one in json.loads(self.value[start:])] if start >= 0 else None
        except json.JSONDecodeError:
            return None


def dockerfile() -> list[Instruction]:
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    found: list[Instruction] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, value = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(name, value.strip(), stage))
    return found


@cache
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return content


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def kustomized(directory: Path) -> Iterator[dict[str, Any]]:
    """The manifests of a kustomization, its bases, its ConfigMaps and its images: as much of kustomize as we use.

    Left out: the namespace, and the hashes in the names of ConfigMaps.
    """
    [kustomization] = documents(directory / "kustomization.yaml")
    known = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images"}
    assert set(kustomization) <= known, "this reads no other"
    images = {image["name"]: f"{image['newName']}:{image['newTag']}" for image in kustomization.get("images", [])}
    for resource in kustomization.get("resources", []):
        path = directory / resource
        for document in kustomized(path) if path.is_dir() else documents(path):
            for container in containers(document):
                container["image"] = images.get(container["image"], container["image"])
            yield document
    for generated in kustomization.get("configMapGenerator", []):
        data = dict(literal.split("=", 1) for literal in generated.get("literals", []))
        data |= {name: (directory / name).read_text() for name in generated.get("files", [])}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generated["name"]}, "data": data}


def server() -> list[dict[str, Any]]:
    """What `kubectl apply -k deploy/kubernetes` applies."""
    return list(kustomized(KUBERNETES))


def migration() -> list[dict[str, Any]]:
    """What `kubectl apply -k deploy/kubernetes/migrate` applies, before that."""
    return list(kustomized(KUBERNETES / "migrate"))


def one(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    [found] = [each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    """The pod's specification of a workload."""
    specification: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return specification


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return list(pod(manifest)["containers"]) if manifest["kind"] in WORKLOADS else []


def environment_of_kubernetes() -> dict[str, str]:
    data: dict[str, str] = one(server(), "ConfigMap", "authserver-environment")["data"]
    return data


def unit(name: str) -> dict[str, list[str]]:
    """Every setting of a unit with what all of them have in common before it, in order; `Section.Name` is the key."""
    settings: dict[str, list[str]] = {}
    for path in (SYSTEMD / "authserver-.service.d" / "common.conf", SYSTEMD / name):
        section = ""
        for line in path.read_text().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                settings.setdefault(f"{section}.{key}", []).append(value)
    return settings


def nginx_seconds(name: str) -> list[int]:
    """Every value of a directive that is a number of seconds."""
    text = (DEPLOY / "nginx" / "authserver.conf").read_text()
    return [int(value) for value in re.findall(rf"^\s*{name} (\d+)s;", text, re.MULTILINE)]
