"""What the files of `deploy/` say about the server is what the server says, and they agree with each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from authserver.api.revocations import MAX_WAIT_SECONDS
from authserver.configuration.applying import apply
from authserver.env import VARIABLES
from authserver.middleware import EdgeGuard
from tests.deployment.files import (
    DEPLOY,
    KUBERNETES,
    SYSTEMD,
    compose,
    dockerfile,
    environment_of_kubernetes,
    migration,
    nginx_seconds,
    one,
    pod,
    server,
    unit,
)
from tests.harness.server import ROOT

GUNICORN: dict[str, Any] = {  # read, not run: to run it prepares a process to be a server
    node.targets[0].id: node.value.value
    for node in ast.parse((ROOT / "gunicorn.conf.py").read_text()).body
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant)
}
NGINX = (DEPLOY / "nginx" / "authserver.conf").read_text()
WEB = one(server(), "Deployment", "authserver-web")
[CONTAINER] = pod(WEB)["containers"]
HOST = "auth.example.com"
POSTGRES_CONNECTIONS = 100 - 3  # its default, without those kept for the superuser
ASIDE = 17  # maintenance, a migration, and whoever looks
"""Connections of others than the server's workers."""


def compose_environment() -> dict[str, str]:
    environment: dict[str, str] = compose()["services"]["web-1"]["environment"]
    return environment


def systemd_environment() -> dict[str, str]:
    lines = [line for line in (SYSTEMD / "environment").read_text().splitlines() if line.startswith("AUTHSERVER")]
    settings = [
        value for value in unit("authserver-web@.service")["Service.Environment"] if value.startswith("AUTHSERVER")
    ]
    return dict(line.split("=", 1) for line in (*lines, *settings))


ENVIRONMENTS = [compose_environment(), environment_of_kubernetes(), systemd_environment()]
everywhere = pytest.mark.parametrize("environment", ENVIRONMENTS, ids=["Compose", "Kubernetes", "systemd"])


def test_every_variable_is_one_that_is_read() -> None:
    known = {name for variable in VARIABLES for name in (variable.name, f"{variable.name}_FILE")}
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    named = {name for path in files for name in re.findall(r"AUTHSERVER_[A-Z_]*[A-Z]", path.read_text())}
    assert "AUTHSERVER_CONFIG" in named
    assert named - known == set()


def test_the_same_variables_are_set_everywhere() -> None:
    names = [{name.removesuffix("_FILE") for name in environment} for environment in ENVIRONMENTS]
    assert names[0] == names[1] == names[2]


@everywhere
def test_secrets_are_read_from_files(environment: dict[str, str]) -> None:
    secret = {variable.name for variable in VARIABLES if variable.secret} | {"AUTHSERVER_DATABASE_URL"}
    assert secret & set(environment) == set()


@everywhere
def test_nginx_is_the_one_proxy_and_answers_to_the_issuers_host(environment: dict[str, str]) -> None:
    assert environment["AUTHSERVER_TRUSTED_PROXIES"] == "1"
    assert urlsplit(environment["AUTHSERVER_ISSUER"]).hostname == HOST
    assert f"server_name {HOST};" in NGINX


def test_every_probe_asks_for_an_address_that_is_served_and_for_a_host_that_is_ours() -> None:
    probes = [CONTAINER[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert [probe["path"] for probe in probes] == ["/livez", "/livez", "/readyz"]
    for probe in probes:
        assert resolve(probe["path"])
        assert probe["httpHeaders"] == [{"name": "Host", "value": HOST}]
        assert probe["port"] == "http"
    assert "/livez" in (DEPLOY / "healthcheck.py").read_text()


def test_one_port_from_the_process_to_the_proxy() -> None:
    [port] = [one.value for one in dockerfile() if one.name == "EXPOSE"]
    assert f"PORT = {port}\n" in (DEPLOY / "healthcheck.py").read_text()
    assert f'"0.0.0.0:{port}"' in (DEPLOY / "Dockerfile").read_text()
    services = compose()["services"]
    replicas = sorted(name for name in services if name.startswith("web-"))
    assert sorted(re.findall(r"^    server (\S+) ", NGINX, re.MULTILINE)) == [f"{name}:{port}" for name in replicas]
    assert [services[name]["expose"] for name in replicas] == [[port], [port]]
    [outside] = services["nginx"]["ports"]
    assert f"listen {outside.split(':')[1]} ssl " in NGINX
    [named] = CONTAINER["ports"]
    assert (named["name"], named["containerPort"]) == ("http", int(port))
    assert one(server(), "Service", "authserver")["spec"]["ports"][0]["targetPort"] == "http"
    policy = one(server(), "NetworkPolicy", "authserver")["spec"]["ingress"]
    assert [each["port"] for rule in policy for each in rule["ports"]] == [int(port)]


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_whoever_waits_waits_longer_than_whoever_they_wait_for() -> None:
    """A poll, then gunicorn's end, then nginx's patience; then whoever kills."""
    graceful = GUNICORN["graceful_timeout"]
    [read] = nginx_seconds("proxy_read_timeout")
    assert MAX_WAIT_SECONDS <= graceful < read
    services = compose()["services"]
    assert graceful + 5 <= seconds(services["web-1"]["stop_grace_period"])
    assert read < seconds(services["nginx"]["stop_grace_period"])
    [stop] = unit("authserver-web@.service")["Service.TimeoutStopSec"]
    assert graceful + 5 <= int(stop)
    pause = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pause + graceful + 5 <= pod(WEB)["terminationGracePeriodSeconds"]
    maintenance = pod(one(server(), "Deployment", "authserver-maintenance"))
    assert maintenance["terminationGracePeriodSeconds"] == 60
    assert services["maintenance"]["stop_grace_period"] == "60s"
    assert unit("authserver-maintenance.service")["Service.TimeoutStopSec"] == ["60"]


def test_nginx_lets_go_of_an_idle_connection_before_gunicorn_does() -> None:
    """Who sends a request into a connection that is being closed loses it."""
    upstream = NGINX[NGINX.index("upstream ") : NGINX.index("\n}\n")]
    [idle] = re.findall(r"keepalive_timeout (\d+)s;", upstream)
    assert int(idle) < GUNICORN["keepalive"]


def test_nginx_refuses_no_request_that_authserver_would_take() -> None:
    assert f"client_max_body_size {EdgeGuard.MAX_BODY_BYTES // 1024}k;" in NGINX
    assert "large_client_header_buffers 4 8k;" in NGINX
    assert GUNICORN["limit_request_line"] == GUNICORN["limit_request_field_size"] == 8 * 1024 - 2, (
        "without its line end"
    )


@everywhere
def test_postgresql_has_room_for_every_thread(environment: dict[str, str]) -> None:
    """Workers, times the pool of each (settings.py); on Kubernetes with all replicas there may be and one on its way."""
    of_one = int(environment["AUTHSERVER_WORKERS"]) * max(4, int(environment["AUTHSERVER_THREADS"]) + 2)
    replicas = 2
    if environment is ENVIRONMENTS[1]:
        autoscaler = one(server(), "HorizontalPodAutoscaler", "authserver-web")["spec"]
        replicas = autoscaler["maxReplicas"] + WEB["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    assert replicas * of_one + ASIDE <= POSTGRES_CONNECTIONS


def test_one_configuration_file_is_taken_by_all_of_them(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each gives it the secrets that it asks for."""
    file = KUBERNETES / "settings" / "config.yaml"
    asked = {f"{name}_FILE" for name in re.findall(r"\{env: (\w+)\}", file.read_text())}
    [job] = pod(one(migration(), "Job", "authserver-migrate"))["containers"]
    given = [
        set(compose()["services"]["migrate"]["environment"]),
        {variable["name"] for variable in job["env"]},
        {value.split("=")[0] for value in unit("authserver-bootstrap.service")["Service.Environment"]},
    ]
    assert all(asked <= names for names in given)
    assert compose()["configs"]["authserver_config"] == {"file": f"./{file.relative_to(DEPLOY)}"}
    (tmp_path / "secret").write_text("a-secret-of-enough-length-for-a-resource-server\n")
    for name in asked:
        monkeypatch.setenv(name, str(tmp_path / "secret"))
    assert apply(file, dry_run=True).changes
