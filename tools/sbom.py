"""The server's components as CycloneDX 1.6: `python -m tools.sbom [--version 1.0.0] [requirements-aws.txt] > sbom.json`.

From the pinned requirements, and the licences that the installed packages say (run it with `.venv/bin/python`). The same
requirements give the same bytes, so there is no time in it, and its serial number is made from its content.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from typing import Any

from tools.licences import REQUIREMENTS, Package, Unclear, check, pinned

SERVER = "authserver"
"""The `bom-ref` of the server itself."""


def document(requirements: str = REQUIREMENTS[0], *, version: str = "") -> dict[str, Any]:
    """The whole document. Raises `Unclear` for a licence that nobody has looked at."""
    packages = pinned(requirements)
    server = {"type": "application", "bom-ref": SERVER, "name": "Authserver"}
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "pre-build"}],
            "tools": {"components": [{"type": "application", "name": "tools/sbom.py of Authserver"}]},
            "component": server | ({"version": version} if version else {}),
            "properties": [{"name": "authserver:requirements", "value": requirements}],
        },
        "components": [_component(package) for package in packages],
        "dependencies": _dependencies(packages),
    }
    return {**bom, "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bom, sort_keys=True)).urn}


def _purl(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


def _component(package: Package) -> dict[str, Any]:
    files = {
        "type": "distribution",
        "url": _purl(package),
        "comment": "Each file that it is published as; pip installs no other.",
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.hashes],
    }
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package.name,
        "version": package.version,
        "scope": "optional" if package.marker else "required",
        "licenses": [_licence(package)],
        "purl": _purl(package),
        "externalReferences": [files],
    }
    if package.marker:  # where Python or the system is another, it is not there
        component["properties"] = [{"name": "authserver:marker", "value": package.marker}]
    return component


def _licence(package: Package) -> dict[str, Any]:
    expression = check(package)
    known_from = {"acknowledgement": "concluded" if package.licence_is_read else "declared"}
    if " " in expression:
        return {"expression": expression, **known_from}
    return {"license": {"id": expression, **known_from}}


def _dependencies(packages: list[Package]) -> list[dict[str, Any]]:
    """Who needs whom, as the compiled file says after `via`; files of requirements stand for the server."""
    needs: dict[str, list[str]] = {SERVER: [], **{package.name: [] for package in packages}}
    for package in packages:
        for parent in package.wanted_by:
            if not parent.startswith("-c "):  # a file that holds versions, and needs nothing
                needs[SERVER if parent.startswith("-r ") else parent].append(_purl(package))
    references = {package.name: _purl(package) for package in packages} | {SERVER: SERVER}
    return [{"ref": references[name], "dependsOn": sorted(set(needs[name]))} for name in sorted(needs)]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.sbom", description="The server's components, as CycloneDX 1.6."
    )
    parser.add_argument("requirements", nargs="?", default=REQUIREMENTS[0], choices=REQUIREMENTS)
    parser.add_argument("--version", default="", help="the release's")
    options = parser.parse_args()
    try:
        json.dump(document(options.requirements, version=options.version), sys.stdout, indent=2, sort_keys=True)
    except Unclear as unclear:
        sys.exit(str(unclear))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
