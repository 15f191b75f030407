"""A `connect_url` followed to its end: the session and the client's tokens live on, and can do more."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Http

from accounts.models import AuditEvent, Credential, Link, User
from authserver.models import Client, Consent, PendingConnection, ResourceUpstream
from tests.fakes.server import Reply
from tests.harness.approval import post, register_themselves
from tests.unit.authorize.sitting import Sitting
from tests.unit.connect.conftest import Scene, heading
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def goes_on(scene: Scene) -> None:
    """The client's session is the same, and its refresh token still works."""
    answer = post({"grant_type": "refresh_token", "client_id": "app", "refresh_token": scene.tokens["refresh_token"]})
    assert answer.status_code == 200, answer.content
    scene.tokens = answer.json()
    assert scene.session.closed_at is None


def test_an_upstream_that_was_left_out_is_added_to_the_open_session(scene: Scene) -> None:
    refused = scene.exchange("notes")
    assert refused.json()["state"] == "not_connected"
    page = scene.connect(scene.link("notes"))
    assert (page.status_code, heading(page)) == (200, "Notes is connected")
    assert scene.sitting.visited == [("notes", {"who", "read"})]
    given = scene.exchange("notes")
    assert given.status_code == 200, given.content
    assert given.json()["access_token"].startswith("CANARY-AT-")
    goes_on(scene)
    assert User.objects.count() == 1


def test_a_dead_connection_is_renewed(scene: Scene) -> None:
    scene.bury("mail")
    assert scene.exchange("mail").json()["state"] == "needs_reauthorization"
    page = scene.connect(scene.link("mail"))
    assert heading(page) == "Mail is connected"
    assert scene.exchange("mail").status_code == 200
    assert scene.exchange("code").status_code == 200
    goes_on(scene)


def test_a_scope_that_was_not_approved_is_asked_for_and_then_there(scene: Scene) -> None:
    refused = scene.exchange("mail", scope="inbox send")
    assert refused.json()["missing_scopes"] == ["send"]
    page = scene.connect(scene.link("mail", scope="inbox send"))
    assert heading(page) == "Mail is connected"
    assert scene.sitting.visited == [("mail", {"who", "inbox", "send"})]
    given = scene.exchange("mail", scope="inbox send")
    assert set(given.json()["scope"].split()) == {"who", "inbox", "send"}
    assert set(Link.objects.get(provider="mail").scope.split()) == {"who", "inbox", "send"}
    goes_on(scene)


def test_a_resource_whose_configured_scopes_have_grown_asks_for_them(scene: Scene) -> None:
    assert scene.exchange("mail").status_code == 200
    ResourceUpstream.objects.filter(provider__name="mail").update(scopes=["inbox", "send"])
    refused = scene.exchange("mail")
    assert (refused.json()["state"], refused.json()["missing_scopes"]) == ("missing_scope", ["send"])
    assert heading(scene.connect(scene.link("mail"))) == "Mail is connected"
    assert scene.exchange("mail").status_code == 200


def test_what_was_granted_before_stays_granted(scene: Scene) -> None:
    scene.connect(scene.link("mail", scope="send"))
    scene.sitting.visited.clear()
    scene.connect(scene.link("mail", scope="delete"))
    assert scene.sitting.visited == [("mail", {"who", "inbox", "send", "delete"})]
    assert scene.exchange("mail", scope="send delete").status_code == 200


def test_what_another_app_had_granted_needs_an_approval_and_no_visit(scene: Scene) -> None:
    """The credential is shared, the approval is not: nothing is asked at the provider, everything of the person."""
    Client.objects.create(client_id="other", name="Other", redirect_uris=scene.sitting.client.redirect_uris,
                          registration_source="manual", client_type="public", grant_types=["authorization_code"],
                          authorization_grant_type="authorization-code")  # fmt: skip
    other = Sitting(Client.objects.get(client_id="other"), scene.sitting.resource, scene.http)
    assert "code" in other.whole()
    assert scene.exchange("notes").json()["state"] == "not_connected"
    path = scene.link("notes")
    assert "Allow" in scene.http.get(path).content.decode()
    page = scene.connect(path)
    assert heading(page) == "Notes is connected"
    assert scene.sitting.visited == []
    assert scene.exchange("notes").status_code == 200


def test_the_page_names_server_app_upstream_and_what_is_new(scene: Scene) -> None:
    page = scene.http.get(scene.link("mail", scope="send")).content.decode()
    for words in (
        "Example MCP server",
        "https://mcp.example.com/mcp",
        "Claude",
        "Mail",
        "inbox",
        "send",
        "Ada Example",
    ):
        assert words in page
    assert page.count("<strong>new</strong>") == 1
    register_themselves()
    assert "calls itself “<bdi>Claude</bdi>”" in scene.http.get(scene.link("notes")).content.decode()


def test_all_of_it_is_in_the_language_of_the_persons_browser(scene: Scene) -> None:
    scene.http.defaults["HTTP_ACCEPT_LANGUAGE"] = "de-CH, en;q=0.5"
    path = scene.link("notes")
    assert heading(scene.http.get(path)) == "Example MCP server braucht Zugriff auf Notes"
    assert heading(scene.press(path)) == "Es geht weiter zu Notes\N{NO-BREAK SPACE}…"
    assert heading(scene.connect(path)) == "Notes ist verbunden"
    assert heading(scene.http.get(path)) == "Dieser Link wurde schon benutzt"


def test_it_is_in_the_audit_trail(scene: Scene) -> None:
    scene.connect(scene.link("notes"))
    event = AuditEvent.objects.get(event="session.connected")
    assert (event.outcome, event.tsid, event.upstream) == ("ok", scene.session.tsid, "notes")
    assert event.user_id == scene.sitting.person.pk
    assert event.detail["scope"] == "who read"


def test_the_remembered_approval_grows_with_it(scene: Scene) -> None:
    assert Consent.objects.get().upstream_scopes["notes"] is None
    scene.connect(scene.link("notes"))
    assert Consent.objects.get().upstream_scopes["notes"] == ["who", "read"]
    again = Sitting(scene.sitting.client, scene.sitting.resource, scene.http)
    assert "code" in again.go_on(again.begin())
    assert Link.objects.filter(provider="notes").count() == 2


def test_nobody_signed_in_here_signs_in_first_and_goes_on_by_themselves(scene: Scene) -> None:
    phone = Http()
    page = scene.connect(scene.link("notes"), phone)
    assert heading(page) == "Notes is connected"
    assert scene.sitting.order == ["code", "notes"]
    assert scene.exchange("notes").status_code == 200


def test_where_the_upstream_is_what_they_sign_in_with_one_visit_does_both(scene: Scene) -> None:
    scene.bury("code")
    page = scene.connect(scene.link("code"), Http())
    assert heading(page) == "Code is connected"
    assert scene.sitting.visited == [("code", {"who", "repo"})]
    assert scene.exchange("code").status_code == 200


def test_only_providers_that_know_the_person_are_offered(scene: Scene) -> None:
    Provider.objects.filter(name="notes").update(sign_in=True)
    page = Http().get(scene.link("notes")).content.decode()
    assert 'type="radio"' not in page
    assert "Sign in with Code" in page
    Provider.objects.filter(name="mail").update(sign_in=True)
    page = Http().get(scene.link("notes")).content.decode()
    assert page.count('type="radio"') == 2
    assert heading(scene.connect(scene.link("notes"), Http(), provider="mail")) == "Notes is connected"
    assert scene.sitting.order == ["mail", "notes"]


def test_a_person_without_a_way_to_sign_in_is_told(scene: Scene) -> None:
    Provider.objects.update(sign_in=False)
    page = Http().get(scene.link("notes"))
    assert (page.status_code, heading(page)) == (403, "Sign in first")


def test_a_provider_that_grants_less_keeps_the_link_for_another_try(scene: Scene) -> None:
    def grudging(grant: Any, tokens: dict[str, Any]) -> dict[str, Any]:
        return {**tokens, "scope": "who inbox"}

    scene.mail.token_answer = grudging  # type: ignore[method-assign]
    path = scene.link("mail", scope="send")
    page = scene.connect(path)
    assert "did not give all" in heading(page)
    assert "send" in page.content.decode()
    assert scene.exchange("mail").status_code == 200, "what was there stays there"
    del scene.mail.token_answer
    assert heading(scene.connect(path)) == "Mail is connected"
    assert scene.exchange("mail", scope="send").status_code == 200


@pytest.mark.parametrize("how", ["declines", "fails", "is away", "is somebody else's"])
def test_a_visit_that_brings_nothing_changes_nothing_and_can_be_repeated(scene: Scene, how: str) -> None:
    before = Credential.objects.get(provider="mail").sealed_tokens
    path = scene.link("mail", scope="send")
    if how == "declines":
        scene.mail.params = {"code": None, "error": "access_denied"}
    if how == "fails":
        scene.mail.faults.append(Reply(500))
    if how == "is somebody else's":
        scene.mail.person = {"id": 9999}
    if how == "is away":
        scene.mail.params = {"code": None, "error": "temporarily_unavailable"}
    page = scene.connect(path)
    assert page.status_code in {403, 502}
    assert path in page.content.decode(), "the page offers to try again"
    assert Credential.objects.get(provider="mail").sealed_tokens == before
    assert scene.exchange("mail").status_code == 200
    scene.mail.params, scene.mail.person = {}, {"id": 1001, "name": "Ada Example"}
    assert heading(scene.connect(path)) == "Mail is connected"
    assert PendingConnection.objects.get().finished_at is not None
