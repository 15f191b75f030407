"""Each cause of the table: the situation is produced over HTTP, and an operator reads what it was."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Http
from django.utils import timezone

from accounts.models import TokenSession
from authserver import cascade
from authserver.models import App, Client, Grant, PendingAuthorization, Resource
from tests.fakes.server import Reply
from tests.harness import policies
from tests.harness.approval import RESOURCE_SERVER_SECRET, make_client, make_resource, make_resource_server, post
from tests.unit.authorize.answers import sent_to, ticket_of
from tests.unit.authorize.sitting import Sitting, new_sitting
from tests.unit.authorize.town import Town, bury
from tests.unit.trace.conftest import Read
from upstream.models import Provider, Visit

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B, as the sitting's challenge
PAST = timedelta(hours=1)


def redeem(sitting: Sitting, query: dict[str, str], **changed: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "code": query["code"],
        "redirect_uri": "http://127.0.0.1:7777/callback",
        "client_id": sitting.client.client_id,
        "code_verifier": VERIFIER,
        **changed,
    }
    return post({name: value for name, value in form.items() if value})


def until(sitting: Sitting, redirect_uri: str) -> None:
    """Through every provider, to where the browser is sent to this address."""
    page = sitting.approve(sitting.begin(redirect_uri=redirect_uri))
    while sent_to(page)[0] != redirect_uri:
        page = sitting.step(page)


def exchange(access_token: str, audience: str = "code") -> Any:
    return post(
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": access_token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "client_id": "rs-a",
            "client_secret": RESOURCE_SERVER_SECRET,
            "audience": audience,
        }
    )


def verdict(read: Read, asked: str = "app") -> str:
    shown = read(asked)
    assert shown.verdicts, shown.text
    return shown.verdicts[0]


def register(**metadata: Any) -> Any:
    body = {"client_name": "An app", "redirect_uris": ["http://127.0.0.1/callback"], **metadata}
    return Http().post("/oauth/register", json.dumps(body), content_type="application/json")


# Registration


def test_registered_and_never_seen_again(read: Read) -> None:
    client_id = register().json()["client_id"]
    assert "is registered, and nobody has approved it since" in verdict(read, client_id)


def test_registration_refused(read: Read) -> None:
    assert register(redirect_uris=["http://evil.example/callback"]).status_code == 400
    shown = read("127.0.0.1")
    assert shown.verdicts[0].startswith("The app could not register: ")
    assert "Refused (registration)" in shown.text


def test_registration_that_is_closed(read: Read) -> None:
    with policies.in_force(mode="closed"):
        assert register().status_code in {401, 403}
    assert "registration is closed" in verdict(read, "127.0.0.1")


# The authorization request


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"redirect_uri": "http://127.0.0.1:7777/other"}, "answered at an address that it has not registered"),
        ({"code_challenge": ""}, "did not use PKCE as it must"),
        ({"resource": "https://other.example/mcp"}, "asked for a resource that is not configured here"),
        ({"scope": "mcp:everything"}, "a scope that it cannot have: Not offered by this resource: mcp:everything"),
        ({"response_type": "token"}, "was refused: unsupported_response_type"),
    ],
)
def test_a_request_that_is_wrong(read: Read, changed: dict[str, str], words: str) -> None:
    new_sitting().begin(**changed)
    assert words in verdict(read)


def test_a_client_that_is_not_registered(read: Read) -> None:
    new_sitting().begin(client_id="of-another-server")
    assert "a client id that is not registered here" in verdict(read, "of-another-server")


def test_a_blocked_app(read: Read) -> None:
    sitting = new_sitting()
    App.objects.update(state=App.State.BLOCKED)
    assert sitting.begin().status_code == 403
    assert verdict(read) == "An operator has blocked the app."


def test_an_app_that_waits_for_approval(read: Read) -> None:
    resource = make_resource(default=True, registration_mode="approval")
    sitting = new_sitting(resource, make_client("app", registration_source=Client.RegistrationSource.DCR))
    sitting.begin()
    assert verdict(read) == "The app waits for an operator's approval."


# Consent


def test_the_person_declined(read: Read) -> None:
    sitting = new_sitting()
    form = {"ticket": ticket_of(sitting.begin()), "decision": "deny"}
    sitting.http.post("/oauth/authorize", urlencode(form), content_type="application/x-www-form-urlencoded")
    assert verdict(read) == "It was declined: The person did not approve."


def test_the_person_may_not_use_the_resource(read: Read, town: Town) -> None:
    Resource.objects.update(allow={"emails": ["nobody@example.com"]})
    town.sitting.whole()
    assert verdict(read) == "The person signed in, and may not use the resource."


# The provider


def test_the_person_is_at_the_provider_and_then_never_comes_back(read: Read, town: Town) -> None:
    town.sitting.approve(town.sitting.begin())
    assert verdict(read) == "It is under way: the person is at Code."
    PendingAuthorization.objects.update(approved_at=timezone.now() - PAST)
    Visit.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert verdict(read) == "The person was sent to Code and did not come back."
    assert "our callback is not registered" in read("app").text


def test_the_person_declined_at_the_provider(read: Read, town: Town) -> None:
    town.code.params = {"code": None, "error": "access_denied"}
    town.sitting.whole()
    assert verdict(read) == "The person declined at Code."


def test_the_account_is_not_let_in(read: Read, town: Town) -> None:
    Provider.objects.filter(name="code").update(allow={"emails": ["nobody@example.com"]})
    town.sitting.whole()
    assert verdict(read) == "The account at Code is not let in here."


def test_the_provider_is_broken(read: Read, town: Town) -> None:
    town.code.faults.append(Reply(500))
    town.sitting.whole()
    assert verdict(read) == "Code gave no answer that can be used."


def test_the_person_came_back_in_another_browser(read: Read, town: Town) -> None:
    town.sitting.approve(town.sitting.begin())
    pending = PendingAuthorization.objects.get()
    assert Http().get(f"/oauth/authorize/continue/{pending.pk}").status_code == 400
    assert verdict(read) == "The person came back in another browser, or without their cookie."


# The code


def test_the_callback_on_a_port_was_not_reached(read: Read, town: Town) -> None:
    until(town.sitting, "http://127.0.0.1:51234/callback")
    assert verdict(read) == "It is under way: the code is waiting for the app."
    Grant.objects.update(expires=timezone.now() - PAST)
    words = "The client never came back for the token: its callback on port 51234 was not reached."
    assert verdict(read) == words
    assert "forward the port" in read("app").text


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("cursor://anysphere.cursor/callback", "did not open cursor:"),
        ("https://app.example/back", "app.example got the code"),
    ],
)
def test_an_app_elsewhere_was_not_reached(read: Read, town: Town, uri: str, words: str) -> None:
    Client.objects.update(redirect_uris=uri)
    until(town.sitting, uri)
    Grant.objects.update(expires=timezone.now() - PAST)
    assert words in verdict(read)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"code_verifier": "x" * 43}, "a PKCE verifier that does not belong to the code"),
        ({"code_verifier": ""}, "a PKCE verifier that does not belong to the code"),
        ({"redirect_uri": "http://127.0.0.1:1/callback"}, "named another redirect URI at the token endpoint"),
        ({"resource": "https://other.example/mcp"}, "and was refused: "),
    ],
)
def test_the_code_was_redeemed_wrongly(read: Read, town: Town, changed: dict[str, str], words: str) -> None:
    assert redeem(town.sitting, town.sitting.whole(), **changed).status_code == 400
    assert words in verdict(read)


def test_the_code_was_redeemed_late(read: Read, town: Town) -> None:
    query = town.sitting.whole()
    Grant.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert redeem(town.sitting, query).status_code == 400
    assert verdict(read) == "The app came for its token when the code had expired."


def test_the_app_could_not_prove_who_it_is(read: Read, town: Town) -> None:
    Client.objects.update(client_type="confidential", token_endpoint_auth_method="client_secret_post")
    assert redeem(town.sitting, town.sitting.whole(), client_secret="wrong").status_code == 401
    assert "could not prove who it is" in verdict(read)


def test_a_code_redeemed_twice(read: Read, town: Town) -> None:
    query = town.sitting.whole()
    assert redeem(town.sitting, query).status_code == 200
    assert redeem(town.sitting, query).status_code == 400
    assert verdict(read) == "The code was redeemed twice, so that the session was ended."


# The first exchange


def test_connected_then_exchanged_then_failing_then_ended(read: Read, town: Town) -> None:
    make_resource_server(town.sitting.resource)
    token = redeem(town.sitting, town.sitting.whole()).json()["access_token"]
    assert "has not asked for the person's token" in verdict(read)
    assert exchange(token).status_code == 200
    assert verdict(read) == "It works: the MCP server has had the person's token."
    bury("code")
    assert exchange(token).status_code == 400
    assert "asked for the token at code and did not get it: needs_reauthorization" in verdict(read)
    cascade.revoke_session(TokenSession.objects.get().tsid, reason="admin", actor="operator")
    assert verdict(read) == "It was connected. The session has ended: admin."


def test_nothing_to_exchange(read: Read, town: Town) -> None:
    town.sitting.resource.upstreams.all().delete()
    query = town.sitting.whole(provider="code")
    assert redeem(town.sitting, query).status_code == 200
    assert verdict(read) == "The app has its tokens, and there is nothing to exchange."


# Later


def test_an_app_that_nobody_knows_at_the_token_endpoint(read: Read) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "CANARY-refresh", "client_id": "of-another-server"}
    assert post(form).status_code == 401
    assert "is not known there" in verdict(read, "of-another-server")


def test_a_refresh_that_is_over(read: Read) -> None:
    make_client("app")
    assert (
        post({"grant_type": "refresh_token", "refresh_token": "CANARY-refresh", "client_id": "app"}).status_code == 400
    )
    shown = read("app")
    assert "with something that is over" in shown.verdicts[0]
    assert "CANARY" not in shown.text
