"""What a resource server reads of a session, and in which states."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import AuditEvent, Credential, TokenSession
from accounts.vault import vault
from authserver.models import Client, Resource, ResourceServer, ResourceUpstream
from tests.harness.approval import approve, make_resource, make_resource_server
from tests.unit.api.conftest import Held, basic, canary
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def items(answer: Any) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return {item["upstream"]: item for item in answer.json()["upstream_tokens"]}


def test_all_of_a_session_come_with_what_it_is(held: Held) -> None:
    held.connect("github", scopes=("repo", "gist"))
    held.connect("notes", expires_at=None)
    answer = held.get()
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    tokens = body.pop("upstream_tokens")
    session = TokenSession.objects.get()
    assert body == {
        "tsid": held.tsid,
        "resource": "https://mcp.example.com/mcp",
        "sub": str(held.approval.user.pk),
        "client_id": held.approval.client.client_id,
        "scope": "mcp:tools mcp:admin",
        "expires_at": session.expires_at.isoformat(timespec="seconds"),
    }
    assert [token["upstream"] for token in tokens] == ["github", "notes"]
    assert 3590 <= tokens[0].pop("expires_in") <= 3600
    assert tokens == [
        {"upstream": "github", "access_token": canary("github"), "token_type": "Bearer", "scope": "repo gist"},
        {"upstream": "notes", "access_token": canary("notes"), "token_type": "Bearer", "scope": "read"},
    ]
    events = AuditEvent.objects.filter(event="vault.release").order_by("upstream")
    assert [(event.upstream, event.outcome, event.actor, event.tsid) for event in events] == [
        ("github", "ok", "resource_server:rs-a", held.tsid),
        ("notes", "ok", "resource_server:rs-a", held.tsid),
    ]


def test_one_comes_alone(held: Held) -> None:
    held.connect("github")
    held.connect("notes")
    answer = held.get("notes")
    body = answer.json()
    assert body.pop("expires_in") > 3590
    assert body == {"upstream": "notes", "access_token": canary("notes"), "token_type": "Bearer", "scope": "read"}
    assert answer["Cache-Control"] == "no-store"
    assert AuditEvent.objects.get(event="vault.release").upstream == "notes"


def test_each_is_in_its_own_state_and_hides_no_other(held: Held) -> None:
    held.connect("fine")
    dead = held.connect("dead")
    grown = held.connect("grown")
    damaged = held.connect("damaged")
    off = held.connect("off")
    held.name_upstream("missing")
    credential = Credential.objects.get(provider=dead.name)
    vault().credentials.mark_dead(
        credential.id, version_seen=credential.version, reason="refused_by_provider", now=timezone.now()
    )
    ResourceUpstream.objects.filter(provider=grown).update(scopes=["read", "write"])
    Credential.objects.filter(provider=damaged.name).update(sealed_tokens="planted")
    Provider.objects.filter(pk=off.pk).update(enabled=False)
    found = items(held.get())
    assert found["fine"]["access_token"] == canary("fine")
    states = {name: (item.get("error"), item.get("state")) for name, item in found.items() if name != "fine"}
    assert states == {
        "dead": ("invalid_grant", "needs_reauthorization"),
        "grown": ("invalid_grant", "missing_scope"),
        "damaged": ("invalid_grant", "needs_reauthorization"),
        "off": ("invalid_target", "temporarily_unavailable"),
        "missing": ("invalid_grant", "not_connected"),
    }
    assert found["grown"]["missing_scopes"] == ["write"]
    for name in ("dead", "grown", "damaged", "missing"):
        assert found[name]["connect_url"].startswith(f"{settings.ISSUER}/oauth/connect/"), found[name]
        assert "access_token" not in found[name]
        single = held.get(name)
        assert (single.status_code, single["Content-Type"]) == (400, "application/problem+json")
        assert single.json()["state"] == found[name]["state"]
        assert single.json()["detail"] == found[name]["error_description"]
    noted = AuditEvent.objects.filter(event="vault.release", upstream="fine").values_list("outcome", flat=True)
    assert list(noted) == ["ok"]
    assert AuditEvent.objects.filter(event="vault.damaged").count() == 2  # once for each read that met it


def test_nothing_is_ever_null(held: Held) -> None:
    held.connect("github", expires_at=None, scopes=())
    held.name_upstream("missing")
    assert "null" not in held.get().content.decode()


def test_a_scope_that_was_not_approved_is_missing(held: Held) -> None:
    held.connect("github", scopes=("repo",))
    answer = held.get("github", scope="repo delete_repo")
    assert answer.status_code == 400
    assert answer.json()["missing_scopes"] == ["delete_repo"]
    assert held.get("github", scope="repo").status_code == 200


def test_a_scope_the_token_has_but_nobody_approved_is_missing(held: Held) -> None:
    """Another session's wider approval widens the credential, and not this session."""
    held.connect("github", scopes=("repo",))
    Credential.objects.update(scope="repo gist")
    assert held.get("github", scope="gist").json()["state"] == "missing_scope"


@pytest.mark.parametrize("tsid", ["unknown", "x" * 64, "x" * 65, "%00", "a%2Fb", "ü", "..", "a b", "%25"])
def test_what_is_no_session_of_the_callers_is_nothing(held: Held, tsid: str) -> None:
    answer = held.get(tsid=tsid)
    assert answer.status_code in {400, 404}
    assert answer.json()["error"] in {"not_found", "invalid_request"}


def test_unknown_ended_and_somebody_elses_cannot_be_told_apart(held: Held) -> None:
    held.connect("github")
    other = approve(resource=make_resource("https://other.example.com/mcp"))
    make_resource_server(other.resource, "rs-b")
    ended = approve(resource=held.approval.resource, client=held.approval.client)
    vault().sessions.close(ended.tsid, reason="admin", now=timezone.now())
    answers = [held.get(path, tsid=tsid) for path in ("", "github") for tsid in ("unknown", other.tsid, ended.tsid)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    refused = AuditEvent.objects.filter(event="vault.release", outcome="refused")
    assert {(event.reason, event.tsid) for event in refused} == {("not_the_callers_resource", other.tsid)}


@pytest.mark.parametrize("what", ["client", "resource", "user", "session", "unlisted"])
def test_what_an_operator_ended_is_over_at_once(held: Held, what: str) -> None:
    held.connect("github")
    assert held.get("github").status_code == 200
    if what == "client":
        Client.objects.update(disabled_at=timezone.now())
    if what == "resource":
        Resource.objects.update(enabled=False)
    if what == "user":
        type(held.approval.user).objects.update(is_active=False)
    if what == "session":
        TokenSession.objects.update(idle_expires_at=timezone.now() - timedelta(seconds=1))
    if what == "unlisted":
        ResourceServer.objects.get().resources.clear()
    for answer in (held.get(), held.get("github")):
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
        assert canary("github").encode() not in answer.content


def test_a_resource_without_upstreams_has_an_empty_list(held: Held) -> None:
    assert held.get().json()["upstream_tokens"] == []


def test_an_upstream_the_resource_does_not_name_is_said_so(held: Held) -> None:
    held.connect("github")
    ResourceUpstream.objects.all().delete()
    answer = held.get("github")
    assert (answer.status_code, answer.json()["error"]) == (404, "invalid_target")


def test_a_list_goes_on_where_it_stopped(held: Held) -> None:
    for number in range(5):
        held.connect(f"up-{number}")
    seen: list[str] = []
    answer = held.get(limit="2")
    while True:
        seen += items(answer)
        if "next" not in answer.json():
            break
        address = answer.json()["next"]
        assert address.startswith(f"{settings.ISSUER}/api/v1/")
        answer = held.http.get(address.removeprefix(settings.ISSUER), headers=basic())
    assert seen == [f"up-{number}" for number in range(5)]
    assert AuditEvent.objects.filter(event="vault.release").count() == 5


def test_only_the_named_ones_come(held: Held) -> None:
    for name in ("one", "two", "three"):
        held.connect(name)
    assert list(items(held.http.get(f"{held.path()}?upstream=three,one,nothing", headers=basic()))) == ["one", "three"]
    assert set(AuditEvent.objects.filter(event="vault.release").values_list("upstream", flat=True)) == {"one", "three"}


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "-1"}, {"limit": "x"}, {"limit": "1e1"}, {"cursor": "x"},
     {"cursor": "x" * 9000}, {"limit": "²"}, {"cursor": "\x00"}],
)  # fmt: skip
def test_a_query_that_cannot_be_understood_is_said_so(held: Held, query: dict[str, str]) -> None:
    answer = held.get(**query)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["error"] == "invalid_request"


def test_a_cursor_is_good_for_its_own_session_only(held: Held) -> None:
    for number in range(3):
        held.connect(f"up-{number}")
    cursor = held.get(limit="1").json()["next"].partition("cursor=")[2]
    other = approve(resource=held.approval.resource, client=held.approval.client)
    assert held.get(tsid=other.tsid, cursor=cursor).status_code == 400


def test_the_subject_is_the_one_of_our_access_tokens(held: Held) -> None:
    assert UUID(held.get().json()["sub"]) == held.approval.user.pk
