"""Which app may reach which resource: the operator's decision, and the registration mode in force."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from authserver import admission
from authserver.admission import Admission
from authserver.models import App, Client, Resource
from tests.harness.approval import make_client, make_resource
from tests.harness.policies import in_force
from tests.unit.app_registry.conftest import decided
from tests.unit.authorize.conftest import Door

pytestmark = pytest.mark.django_db

YES, WAITS, NO, BLOCKED = Admission.ADMITTED, Admission.WAITS, Admission.NOT_HERE, Admission.BLOCKED
KINDS = ("pending", "vouched for", "approved", "verified", "configured", "blocked")


def of_kind(kind: str) -> Client:
    client = make_client(
        registration_source="manual" if kind == "configured" else "dcr",
        redirect_uris="https://app.example/cb",
        vouched_for=kind == "vouched for",
    )
    if kind in App.State.values:
        decided(kind)
    found: Client = Client.objects.select_related("app").get(pk=client.pk)
    return found


@pytest.mark.parametrize(
    ("mode", "verdicts"),
    [
        ("open", (YES, YES, YES, YES, YES, BLOCKED)),
        ("approval", (WAITS, YES, YES, YES, YES, BLOCKED)),
        ("token", (NO, YES, YES, YES, YES, BLOCKED)),
        ("closed", (NO, NO, NO, NO, YES, BLOCKED)),
    ],
)
def test_a_resources_own_mode_decides(mode: str, verdicts: tuple[Admission, ...]) -> None:
    for servers in ("open", "approval"):
        with in_force(mode=servers):
            resource = Resource(registration_mode=mode)
            for kind, verdict in zip(KINDS, verdicts, strict=True):
                assert admission.of(of_kind(kind), resource) is verdict, kind


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [("open", YES), ("approval", WAITS), ("token", YES), ("closed", YES)],
)
def test_else_the_servers_does_and_what_was_registered_before_it_closed_goes_on(mode: str, verdict: Admission) -> None:
    with in_force(mode=mode):
        assert admission.of(of_kind("pending"), Resource()) is verdict
        assert admission.of(of_kind("approved"), Resource()) is YES


def test_a_disabled_client_is_not_admitted_whatever_its_app() -> None:
    client = of_kind("verified")
    client.disabled_at = client.created
    assert admission.of(client, Resource()) is BLOCKED


def test_only_approved_apps_reach_a_resource_that_says_so(door: Door) -> None:
    open_to_all = make_resource("https://open.example/mcp")
    Resource.objects.filter(pk=door.resource.pk).update(registration_mode="approval")
    assert door.ask().status_code == 403
    assert door.ask(resource=open_to_all.identifier).status_code == 200
    decided("approved")
    assert door.ask().status_code == 200


def test_where_nobody_is_to_be_asked_the_page_says_so_and_leads_back(door: Door) -> None:
    Resource.objects.update(registration_mode="closed")
    page = door.ask()
    assert page.status_code == 403
    words = page.content.decode()
    assert "chosen apps only" in words
    assert "error=access_denied" in words
    assert "Ask for approval" not in words


@pytest.mark.parametrize("mode", ["approval", "token", "closed"])
def test_a_client_that_wants_no_page_hears_it_at_its_redirect_uri(mode: str, door: Door) -> None:
    Resource.objects.update(registration_mode=mode)
    answer = door.ask(prompt="none")
    assert answer.status_code == 302
    query = parse_qs(urlsplit(answer["Location"]).query)
    assert (query["error"], query["state"]) == (["access_denied"], ["st&te /+é"])


def test_an_apps_scopes_bound_those_of_its_clients(door: Door) -> None:
    App.objects.update(allowed_scopes="mcp:tools")
    assert door.ask(scope="mcp:tools").status_code == 200
    refused = door.ask(scope="mcp:tools mcp:admin")
    assert "error=invalid_scope" in refused["Location"]
    Client.objects.update(allowed_scopes="mcp:admin")
    assert "error=invalid_scope" in door.ask(scope="mcp:tools")["Location"]
    assert door.ask(scope=None).status_code == 200


def test_an_app_that_loses_its_approval_on_the_way_gets_no_code(door: Door) -> None:
    Resource.objects.update(registration_mode="approval")
    decided("approved")
    door.sign_in()
    consent = door.ask()
    decided("pending")
    answer = door.answer(consent)
    assert (answer.status_code, b"Ask for approval" in answer.content) == (403, True)
    decided("approved")
    assert b"code=" in door.answer(consent).content
