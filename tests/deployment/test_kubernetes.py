"""`deploy/kubernetes/` fits the API of the oldest and the newest release we say, and each pod is as narrow as it can be."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from django.urls import URLPattern, URLResolver

from authserver.urls import endpoints
from tests.deployment.files import containers, environment_of_kubernetes, migration, one, pod, server

RELEASES = ("1.31", kubernetes_validate.latest_version())
WORKLOADS = [each for each in (*server(), *migration()) if containers(each)]
WEB = one(server(), "Deployment", "authserver-web")
NOT_PUBLIC = {"admin/", "readyz", "metrics", "demo/idp/", "demo/"}


def name(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("manifest", [*server(), *migration()], ids=name)
def test_it_fits_the_api_strictly(manifest: dict[str, Any], release: str) -> None:
    """Also that nothing is misspelt: no schema here allows what it does not know."""
    kubernetes_validate.validate(manifest, release, strict=True)


def test_a_misspelt_member_is_found() -> None:
    """The test above can fail."""
    misspelt = {**one(server(), "Service", "authserver"), "sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, RELEASES[0], strict=True)


@pytest.mark.parametrize("workload", WORKLOADS, ids=name)
def test_a_pod_has_no_more_than_it_needs(workload: dict[str, Any]) -> None:
    """What the `restricted` Pod Security Standard asks for, and that it cannot change its own files."""
    specification = pod(workload)
    assert specification["automountServiceAccountToken"] is False
    assert specification["enableServiceLinks"] is False
    context = specification["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["fsGroup"] == 65532
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in specification["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert {"cpu", "memory"} == set(container["resources"]["requests"])
        assert container["image"] == "registry.example.com/authserver:1.0.0", "one image for all of them"


@pytest.mark.parametrize("workload", WORKLOADS, ids=name)
def test_secrets_come_as_files_and_are_where_the_variables_say(workload: dict[str, Any]) -> None:
    [container] = pod(workload)["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": "authserver-environment"}}]
    assert not any("valueFrom" in variable for variable in container.get("env", []))
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "secrets"]
    assert mount == {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True}
    [volume] = [volume for volume in pod(workload)["volumes"] if volume["name"] == "secrets"]
    assert (volume.get("secret") or volume.get("projected"))["defaultMode"] == 0o440
    files = {value for name, value in environment_of_kubernetes().items() if name.endswith("_FILE")}
    assert {file.rpartition("/")[0] for file in files} == {"/run/secrets"}


def test_every_selector_finds_pods() -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in WORKLOADS]
    for manifest in (*server(), *migration()):
        specification = manifest.get("spec", {})
        if manifest["kind"] == "NetworkPolicy":
            selector = specification["podSelector"]
        elif manifest["kind"] == "Service":
            selector = {"matchLabels": specification["selector"]}
        else:
            selector = specification.get("selector")
        if selector:
            assert any(matches(selector, one) for one in labels), name(manifest)


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return wanted <= labels.items() and all(labels[each["key"]] in each["values"] for each in expressions)


def test_every_pod_has_a_policy_for_what_comes_in_and_goes_out() -> None:
    policies = [each for each in (*server(), *migration()) if each["kind"] == "NetworkPolicy"]
    for workload in WORKLOADS:
        labels = workload["spec"]["template"]["metadata"]["labels"]
        mine = [policy for policy in policies if matches(policy["spec"]["podSelector"], labels)]
        assert [policy["spec"]["policyTypes"] for policy in mine] == [["Ingress", "Egress"]], name(workload)


def test_what_is_mounted_and_referred_to_is_there() -> None:
    for manifests in (server(), migration()):
        maps = {each["metadata"]["name"] for each in manifests if each["kind"] == "ConfigMap"}
        accounts = {each["metadata"]["name"] for each in manifests if each["kind"] == "ServiceAccount"}
        for workload in manifests:
            for container in containers(workload):
                volumes = {volume["name"]: volume for volume in pod(workload)["volumes"]}
                assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
                asked = {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume}
                assert asked | {each["configMapRef"]["name"] for each in container["envFrom"]} <= maps
                assert pod(workload)["serviceAccountName"] in accounts


def test_who_scales_and_who_drains_mean_the_server() -> None:
    autoscaler = one(server(), "HorizontalPodAutoscaler", "authserver-web")["spec"]
    assert autoscaler["scaleTargetRef"]["name"] == WEB["metadata"]["name"]
    assert autoscaler["minReplicas"] >= 2
    assert "replicas" not in WEB["spec"], "an apply would undo what the autoscaler did"
    assert "cpu" in pod(WEB)["containers"][0]["resources"]["requests"], "it counts in percent of this"
    assert WEB["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def paths(ingress: str) -> list[tuple[str, str]]:
    [rule] = one(server(), "Ingress", ingress)["spec"]["rules"]
    return [(path["path"], path["pathType"]) for path in rule["http"]["paths"]]


def allowed(path: str, rules: list[tuple[str, str]]) -> bool:
    """Prefixes are of whole segments."""
    return any(path == rule or (kind == "Prefix" and path.startswith(f"{rule}/")) for rule, kind in rules)


@pytest.mark.parametrize("pattern", [str(each.pattern) for each in endpoints])
def test_the_door_is_open_for_what_is_public_and_for_nothing_else(pattern: str) -> None:
    assert allowed(f"/{pattern}", paths("authserver")) == (pattern not in NOT_PUBLIC)


def test_what_is_included_at_the_root_is_public_too() -> None:
    included = [each for each in endpoints if isinstance(each, URLResolver) and str(each.pattern) == ""]
    inside = [
        f"/{pattern.pattern}" for each in included for pattern in each.url_patterns if isinstance(pattern, URLPattern)
    ]
    assert inside
    assert all(allowed(path, paths("authserver")) for path in inside)


def test_the_console_has_a_door_of_its_own() -> None:
    assert allowed("/admin/login/", paths("authserver-console"))
    assert one(server(), "Ingress", "authserver-console")["spec"]["ingressClassName"] == "internal"
    assert not allowed("/oauth/token", paths("authserver-console"))
