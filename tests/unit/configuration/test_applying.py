"""Applying a file: what is stored, what is said, and that the second time nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, TokenSession
from authserver import policy
from authserver.configuration.applying import apply
from authserver.configuration.problems import Refused
from authserver.models import Client, Policy, Resource, ResourceServer
from tests.harness.approval import approve, make_client, make_provider, make_resource
from tests.unit.configuration.conftest import GITHUB_SECRET, MCP_SECRET, WHOLE
from upstream import providers
from upstream.models import Provider

Write = Callable[[str], Path]
pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

MINIMAL = """
    resources: [{identifier: https://mcp.example.com/mcp, name: MCP, scopes: {"mcp:tools": use its tools}}]
"""


def run(file: Path, *options: str) -> list[str]:
    """The command's lines."""
    out = StringIO()
    call_command("apply_config", str(file), *options, stdout=out)
    return out.getvalue().splitlines()


def test_the_whole_file_is_stored_as_the_server_reads_it(write: Write) -> None:
    assert run(write(WHOLE)) == [
        "+ upstream github",
        "+ resource https://mcp.example.com/mcp",
        "+ resource server example-mcp",
        "+ client my-cli",
        "~ policy lifetimes: access_token",
        "~ policy registration: cimd, mode",
        "config.yaml: 6 changes",
    ]
    github = Provider.objects.get()
    assert (github.type, github.client_id, github.sign_in) == ("github", "Iv1.abc", True)
    assert github.allow == {"email_domains": ["example.com"], "claims": {"groups": ["staff", 7], "hd": ["example.com"]}}
    assert github.authorization_params == {"access_type": "offline"}
    assert github.on_session_end == "revoke_when_unused"
    resource = Resource.objects.get()
    assert (resource.identifier, resource.default, resource.access_token_lifetime_seconds) == (
        "https://mcp.example.com/mcp",
        True,
        1800,
    )
    assert resource.scopes == {"mcp:tools": "mcp:tools"}
    assert [(row.provider.name, row.scopes, row.required) for row in resource.upstreams.all()] == [
        ("github", ["repo"], True)
    ]
    server = ResourceServer.objects.get()
    assert list(server.resources.all()) == [resource]
    client = Client.objects.get()
    assert (client.redirect_uris, client.client_type, client.grant_types) == (
        "http://127.0.0.1/callback",
        "public",
        ["authorization_code", "refresh_token"],
    )
    current = policy.current()
    assert current.lifetimes.access_token == 7200
    assert (current.registration.mode, current.registration.cimd.allowed_hosts) == ("approval", ("*.example.com",))


def test_how_operators_come_in_is_stored_and_taken_back(write: Write) -> None:
    text = (
        WHOLE
        + """
    console:
      sign_in:
        upstream: github
        groups_claim: teams
        roles: {security_administrator: [admins], operator: []}
"""
    )
    assert "~ policy console: sign_in" in run(write(text))
    chosen = policy.current().console.sign_in
    assert chosen is not None
    assert (chosen.upstream, chosen.groups_claim, chosen.roles) == (
        "github",
        "teams",
        {"security_administrator": ("admins",)},
    )
    assert run(write(text)) == ["config.yaml: nothing to change"]
    assert "note: policy console is not in the file; kept (--prune removes it)" in run(write(WHOLE))
    assert "~ policy back to the defaults: console" in run(write(WHOLE), "--prune")
    assert policy.current().console.sign_in is None


def test_secrets_are_sealed_or_hashed_and_labelled_with_where_they_came_from(write: Write) -> None:
    apply(write(WHOLE))
    github, server = Provider.objects.get(), ResourceServer.objects.get()
    assert providers.client_secret(github) == GITHUB_SECRET
    assert GITHUB_SECRET not in github.client_secret_sealed
    assert github.client_secret_source == "env:GITHUB_CLIENT_SECRET"
    assert server.client_secret.startswith("random_secret_sha256$")
    assert check_password(MCP_SECRET, server.client_secret)


def test_a_public_client_has_a_secret_that_nobody_knows(write: Write) -> None:
    apply(write(WHOLE))
    stored = Client.objects.get().client_secret
    assert stored.startswith("random_secret_sha256$")
    assert not check_password("", stored)


def test_a_secret_file_is_found_beside_the_configuration(write: Write, tmp_path: Path) -> None:
    (tmp_path / "github").write_text("from-a-file\n", encoding="utf-8")
    apply(write(WHOLE.replace("{env: GITHUB_CLIENT_SECRET}", "{file: github}")))
    assert providers.client_secret(Provider.objects.get()) == "from-a-file"
    assert Provider.objects.get().client_secret_source == "file:github"


def test_a_variable_may_be_a_file(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mounted").write_text("from-a-mount\n", encoding="utf-8")
    monkeypatch.delenv("GITHUB_CLIENT_SECRET")
    monkeypatch.setenv("GITHUB_CLIENT_SECRET_FILE", str(tmp_path / "mounted"))
    apply(write(WHOLE))
    assert providers.client_secret(Provider.objects.get()) == "from-a-mount"


def test_a_secret_written_out_is_taken_literally_and_mentioned(write: Write) -> None:
    lines = run(write(WHOLE.replace("{env: GITHUB_CLIENT_SECRET}", '{value: "${AUTHSERVER_ISSUER}"}')))
    assert providers.client_secret(Provider.objects.get()) == "${AUTHSERVER_ISSUER}"
    assert [line for line in lines if line.startswith("note: the secret of upstream github is written out")]


def test_our_issuer_may_stand_in_any_text(write: Write) -> None:
    apply(write(MINIMAL.replace("https://mcp.example.com/mcp", '"${AUTHSERVER_ISSUER}/demo/mcp"')))
    assert Resource.objects.get().identifier == f"{settings.ISSUER}/demo/mcp"


def test_the_second_time_nothing_is_written(write: Write) -> None:
    file = write(WHOLE)
    apply(file)
    with CaptureQueriesContext(connection) as captured:
        assert run(file) == ["config.yaml: nothing to change"]
    assert not [query for query in captured if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert AuditEvent.objects.filter(event="config.applied").count() == 1


def test_each_change_is_said_and_audited_by_name_and_not_by_value(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(write(WHOLE))
    monkeypatch.setenv("GITHUB_CLIENT_SECRET", "a-changed-secret-canary")
    changed = (
        WHOLE.replace('["read:user", "user:email"]', "[repo]").replace("30m", "45m").replace('"mcp:tools"]', '"mcp:x"]')
    )
    changed = changed.replace('scopes: ["repo"], required: true', "required: false").replace("My CLI", "Our CLI")
    report = apply(write(changed), actor="tests")
    assert report.changes == [
        "~ upstream github: scopes, client_secret",
        "~ resource https://mcp.example.com/mcp: scopes, access_token_lifetime, upstreams",
        "~ client my-cli: name",
    ]
    event = AuditEvent.objects.filter(event="config.applied").first()
    assert event is not None
    assert (event.actor, event.detail["changes"]) == ("tests", report.changes)
    assert "canary" not in str(event.detail)
    assert providers.client_secret(Provider.objects.get()) == "a-changed-secret-canary"


def test_what_an_entry_no_longer_says_is_the_default_again(write: Write) -> None:
    apply(write(WHOLE))
    without = [line for line in WHOLE.splitlines() if "access_token_lifetime" not in line and "lifetimes:" not in line]
    apply(write("\n".join([*without, "    lifetimes: {code: 60s}"])))
    assert Resource.objects.get().access_token_lifetime_seconds is None
    assert Policy.objects.get().lifetimes == {}


def test_a_dry_run_says_what_it_would_do_and_does_nothing(write: Write) -> None:
    lines = run(write(WHOLE), "--dry-run")
    assert "+ upstream github" in lines
    assert lines[-1] == "config.yaml: 6 changes (dry run: nothing was written)"
    assert not Provider.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_command_fails_with_every_line(write: Write) -> None:
    with pytest.raises(CommandError) as failure:
        run(write("upstream: []\nresource: []"))
    assert "config.yaml:1:" in str(failure.value)
    assert "config.yaml:2:" in str(failure.value)


def test_rows_that_the_file_does_not_name_stay_and_are_mentioned(write: Write) -> None:
    apply(write(WHOLE))
    make_client("self-registered", registration_source="dcr")
    lines = run(write(MINIMAL))
    assert [line for line in lines if line.startswith("note:")] == [
        "note: upstream github is not in the file; kept (--prune removes it)",
        "note: resource server example-mcp is not in the file; kept (--prune removes it)",
        "note: client my-cli is not in the file; kept (--prune removes it)",
        "note: policy lifetimes is not in the file; kept (--prune removes it)",
        "note: policy registration is not in the file; kept (--prune removes it)",
    ]
    assert Client.objects.count() == 2


def test_prune_removes_what_the_file_does_not_name_but_no_client_that_registered_itself(write: Write) -> None:
    apply(write(WHOLE))
    make_client("self-registered", registration_source="dcr")
    lines = run(write(MINIMAL), "--prune")
    assert lines[-6:-1] == [
        "~ resource https://mcp.example.com/mcp: name, scopes, default, access_token_lifetime, allow, claims, upstreams",
        "- client my-cli",
        "- resource server example-mcp",
        "- upstream github",
        "~ policy back to the defaults: lifetimes, registration",
    ]
    assert [client.client_id for client in Client.objects.all()] == ["self-registered"]
    assert not Provider.objects.exists()
    assert run(write(MINIMAL), "--prune") == ["config.yaml: nothing to change"]


def test_pruning_a_client_or_a_resource_ends_its_sessions(write: Write) -> None:
    static = make_client("static", registration_source="manual")
    of_client = approve(client=static, resource=make_resource("https://kept.example"))
    other = make_client(registration_source="dcr")
    of_resource = approve(client=other, resource=make_resource("https://pruned.example"))
    of_resource.redeem()
    kept = approve(client=other, resource=of_client.resource)
    apply(write("resources: [{identifier: https://kept.example, name: Kept, scopes: ['mcp:tools']}]"), prune=True)
    open_sessions = set(TokenSession.objects.filter(closed_at=None).values_list("tsid", flat=True))
    assert open_sessions == {kept.tsid}
    assert TokenSession.objects.get(tsid=of_resource.tsid).close_reason == "configuration"


def test_a_dry_run_of_a_prune_ends_no_session(write: Write) -> None:
    approval = approve(client=make_client("static", registration_source="manual"))
    report = apply(write("lifetimes: {}"), prune=True, dry_run=True)
    assert "- client static" in report.changes
    assert TokenSession.objects.get(tsid=approval.tsid).closed_at is None
    assert Client.objects.exists()


def test_pruning_disables_an_upstream_that_people_are_connected_with(write: Write) -> None:
    approve(provider=make_provider("github"), client=make_client(registration_source="dcr"))
    report = apply(write(MINIMAL), prune=True)
    assert "~ upstream github: disabled, not deleted: people are connected with it" in report.changes
    assert not Provider.objects.get().enabled
    assert apply(write(MINIMAL), prune=True).changes == []


def test_a_name_that_people_are_known_by_keeps_its_meaning(write: Write) -> None:
    """A subject at another issuer may be another person."""
    text = "upstreams: [{name: idp, type: oidc, client_id: us, client_secret: {value: s}, issuer: https://one.example}]"
    apply(write(text))
    elsewhere = write(text.replace("one", "two"))
    approve(provider=Provider.objects.get())
    with pytest.raises(Refused, match=r"config.yaml:1: upstreams\[0\].issuer: .*another name"):
        apply(elsewhere)
    assert Provider.objects.get().issuer == "https://one.example"


def test_nobody_known_means_an_upstream_may_move(write: Write) -> None:
    text = "upstreams: [{name: idp, type: oidc, client_id: us, client_secret: {value: s}, issuer: https://one.example}]"
    apply(write(text))
    apply(write(text.replace("one", "two")))
    assert Provider.objects.get().issuer == "https://two.example"


def test_what_an_operator_switched_off_stays_off(write: Write) -> None:
    apply(write(WHOLE))
    Provider.objects.update(enabled=False)
    Resource.objects.update(enabled=False)
    ResourceServer.objects.update(enabled=False)
    Client.objects.update(disabled_at=timezone.now())
    report = apply(write(WHOLE.replace("My CLI", "Our CLI").replace("Iv1.abc", "Iv1.def")))
    assert not Provider.objects.get().enabled
    assert Client.objects.get().disabled_at is not None
    assert len([note for note in report.notes if "is disabled" in note]) == 4


def test_a_default_in_the_file_ends_the_one_in_the_database(write: Write) -> None:
    make_resource("https://old.example", default=True)
    report = apply(write(WHOLE))
    assert "~ resource https://old.example: default" in report.changes
    assert [resource.identifier for resource in Resource.objects.filter(default=True)] == [
        "https://mcp.example.com/mcp"
    ]


def test_an_identifier_spelt_differently_is_the_same_resource(write: Write) -> None:
    apply(write(MINIMAL))
    report = apply(write(MINIMAL.replace("https://mcp", "https://MCP")))
    assert report.changes == ["~ resource https://MCP.example.com/mcp: identifier"]
    assert Resource.objects.count() == 1


def test_a_secret_that_no_longer_opens_is_sealed_again(write: Write) -> None:
    apply(write(WHOLE))
    Provider.objects.update(client_secret_sealed="planted")
    assert apply(write(WHOLE)).changes == ["~ upstream github: client_secret"]
    assert providers.client_secret(Provider.objects.get()) == GITHUB_SECRET


def test_a_client_that_becomes_public_forgets_its_secret(write: Write) -> None:
    confidential = """
        clients:
          - client_id: app
            name: App
            redirect_uris: [https://app.example/cb]
            token_endpoint_auth_method: client_secret_basic
            client_secret: {env: EXAMPLE_MCP_SECRET}
    """
    apply(write(confidential))
    assert check_password(MCP_SECRET, Client.objects.get().client_secret)
    apply(write("clients: [{client_id: app, name: App, redirect_uris: [https://app.example/cb]}]"))
    assert not check_password(MCP_SECRET, Client.objects.get().client_secret)
    apply(write(confidential))
    assert check_password(MCP_SECRET, Client.objects.get().client_secret)


@pytest.mark.django_db(transaction=True)
def test_several_processes_applying_at_once_make_one_set_of_rows(write: Write) -> None:
    file = write(WHOLE)

    def once(_: int) -> list[str]:
        try:
            return apply(file).changes
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        changes: list[Any] = list(threads.map(once, range(6)))
    assert sorted(len(made) for made in changes) == [0, 0, 0, 0, 0, 6]
    assert (Provider.objects.count(), Resource.objects.count(), Client.objects.count()) == (1, 1, 1)
