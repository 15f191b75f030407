"""Token exchange at `/oauth/token` (RFC 8693): the vault's rule of access, seen from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone
from social_django.models import UserSocialAuth

from accounts.models import AuditEvent
from accounts.vault import vault
from accounts.vault.base import TokenSet
from authserver import cascade, mint
from authserver.access_tokens import jti_checksum
from authserver.grant_types import TOKEN_EXCHANGE
from authserver.keys import signer
from authserver.models import AccessToken, Client, Resource, ResourceServer, ResourceUpstream
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_client,
    make_provider,
    make_resource,
    make_resource_server,
    post,
)
from tests.harness.oauth import claims

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
CANARY = "CANARY-upstream-access-token"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def approval() -> Approval:
    made = approve(
        provider=make_provider(api_resources=["https://api.github.com"]),
        tokens=TokenSet(
            access_token=CANARY,
            refresh_token="upstream-refresh-token",
            scopes=("repo",),
            expires_at=timezone.now() + timedelta(hours=1),
        ),
    )
    make_resource_server(made.resource)
    return made


@pytest.fixture
def subject_token(approval: Approval) -> str:
    token: str = approval.redeem()["access_token"]
    return token


def test_no_web_page_may_read_an_upstream_token(approval: Approval, subject_token: str) -> None:
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN,
            "client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET}  # fmt: skip
    for changed, status in (({}, 200), ({"audience": "nobody"}, 400), ({"client_secret": "wrong"}, 401)):
        answer = post({**form, **changed}, Origin="https://app.example")
        assert answer.status_code == status
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]
    malformed = post(form, Origin="https://app.example", Authorization="Basic !")
    assert "Access-Control-Allow-Origin" not in malformed


def exchange(subject_token: str, server: str = "rs-a", secret: str = RESOURCE_SERVER_SECRET, **form: str) -> Any:
    request = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "client_id": server,
        "client_secret": secret,
        **form,
    }
    return post({name: value for name, value in request.items() if value})


def test_a_resource_server_gets_the_upstream_token(approval: Approval, subject_token: str) -> None:
    answer = exchange(subject_token)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["access_token"] == CANARY
    assert body["issued_token_type"] == ACCESS_TOKEN
    assert body["token_type"] == "Bearer"
    assert 3590 <= body["expires_in"] <= 3600
    assert body["scope"] == "repo"
    event = AuditEvent.objects.get(event="vault.release")
    assert (event.outcome, event.tsid, event.upstream) == ("ok", approval.tsid, "github")
    assert event.actor == "resource_server:rs-a"
    assert CANARY not in str(vars(event))


@pytest.mark.parametrize(
    "target",
    [{"audience": "github"}, {"resource": "https://api.github.com"}, {"subject_token_type": ACCESS_TOKEN[:-12] + "jwt"},
     {"requested_token_type": ACCESS_TOKEN}, {"scope": "repo"}],
)  # fmt: skip
def test_it_is_asked_for_in_every_way_of_the_interface(
    approval: Approval, subject_token: str, target: dict[str, str]
) -> None:
    assert exchange(subject_token, **target).json()["access_token"] == CANARY


def test_basic_works_as_well(approval: Approval, subject_token: str) -> None:
    import base64

    pair = base64.b64encode(f"rs-a:{quote(RESOURCE_SERVER_SECRET)}".encode()).decode()
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN}
    assert post(form, Authorization=f"Basic {pair}").json()["access_token"] == CANARY


@pytest.mark.parametrize("target", [{"audience": "gitlab"}, {"resource": "https://api.gitlab.com"}])
def test_an_upstream_the_resource_does_not_name_is_no_target(
    approval: Approval, subject_token: str, target: dict[str, str]
) -> None:
    make_provider("gitlab", api_resources=["https://api.gitlab.com"])
    assert exchange(subject_token, **target).json()["error"] == "invalid_target"


def test_with_several_upstreams_one_has_to_be_named(approval: Approval, subject_token: str) -> None:
    ResourceUpstream.objects.create(resource=approval.resource, provider=make_provider("gitlab"), required=False)
    assert exchange(subject_token).json()["error"] == "invalid_target"
    assert exchange(subject_token, audience="github").status_code == 200
    answer = exchange(subject_token, audience="gitlab")
    assert (answer.status_code, answer.json()["state"]) == (400, "not_connected")


@pytest.mark.parametrize("who", ["wrong secret", "no secret", "unknown", "disabled", "public client", "dcr client"])
def test_nobody_but_an_authenticated_resource_server_gets_one(approval: Approval, subject_token: str, who: str) -> None:
    server, secret = "rs-a", RESOURCE_SERVER_SECRET
    if who == "wrong secret":
        secret = "wrong"
    if who == "no secret":
        secret = ""
    if who == "unknown":
        server = "nobody"
    if who == "disabled":
        ResourceServer.objects.update(enabled=False)
    if who == "public client":
        server, secret = approval.client.client_id, ""
    if who == "dcr client":
        server, secret = "dcr-evil", "a-registered-secret-of-some-length"
        make_client(server, token_endpoint_auth_method="client_secret_post", client_secret=secret)
    answer = exchange(subject_token, server, secret)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert CANARY.encode() not in answer.content


def test_another_resource_server_gets_nothing_of_this_resource(approval: Approval, subject_token: str) -> None:
    make_resource_server(make_resource("https://other.example.com/mcp"), "rs-b")
    answer = exchange(subject_token, "rs-b")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def close(approval: Approval) -> None:
    cascade.revoke_session(approval.tsid, reason="test")


def deactivate(approval: Approval) -> None:
    type(approval.user).objects.update(is_active=False)


def disable_client(approval: Approval) -> None:
    Client.objects.update(disabled_at=timezone.now())


def disable_resource(approval: Approval) -> None:
    Resource.objects.update(enabled=False)


def disable_upstream(approval: Approval) -> None:
    approval.resource.upstreams.get().provider.__class__.objects.update(enabled=False)


def unlist_resource(approval: Approval) -> None:
    ResourceServer.objects.get().resources.clear()


@pytest.mark.parametrize(
    "change", [close, deactivate, disable_client, disable_resource, disable_upstream, unlist_resource]
)
def test_what_is_ended_is_over_at_once(
    approval: Approval, subject_token: str, change: Callable[[Approval], None]
) -> None:
    change(approval)
    answer = exchange(subject_token)
    assert 400 <= answer.status_code < 500
    assert CANARY.encode() not in answer.content


def test_an_access_token_ended_early_gives_nothing(approval: Approval, subject_token: str) -> None:
    AccessToken.objects.create(
        user=approval.user,
        application=approval.client,
        token="",
        token_checksum=jti_checksum(claims(subject_token)["jti"]),
        expires=timezone.now() + timedelta(hours=1),
    )
    assert exchange(subject_token).json()["error"] == "invalid_request"


def signed(approval: Approval, **changed: Any) -> str:
    """A token with our real signature and some claims of the caller's."""
    genuine = claims(approval.redeem()["access_token"])
    return signer().sign({**genuine, **changed}, "at+jwt")


def attackers(approval: Approval, **headers: Any) -> str:
    genuine = claims(approval.redeem()["access_token"])
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(genuine, key, "ES256", headers={"typ": "at+jwt", **headers})


def our_kid() -> str:
    kid: str = signer().public_jwks()["keys"][0]["kid"]
    return kid


HOSTILE: dict[str, Callable[[Approval], str]] = {
    "alg none": lambda a: jwt.encode(claims(signed(a)), "", "none", headers={"typ": "at+jwt", "kid": our_kid()}),
    "hs256": lambda a: jwt.encode(claims(signed(a)), "x" * 64, "HS256", headers={"typ": "at+jwt", "kid": our_kid()}),
    "another key, our kid": lambda a: attackers(a, kid=our_kid()),
    "another key, no kid": attackers,
    "another key, odd kid": lambda a: attackers(a, kid="../../etc/passwd"),
    "another issuer": lambda a: signed(a, iss="https://evil.example"),
    "another user": lambda a: signed(a, sub="00000000-0000-0000-0000-000000000000"),
    "another client": lambda a: signed(a, client_id="someone-else"),
    "another session": lambda a: signed(a, tsid="A" * 32),
    "expired": lambda a: signed(a, exp=int(timezone.now().timestamp()) - 1),
    "from the future": lambda a: signed(a, iat=int(timezone.now().timestamp()) + 3600),
    "text for a time": lambda a: signed(a, exp="soon"),
    "endless": lambda a: signed(a, exp=10**30),
    "list for aud": lambda a: signed(a, aud=[a.resource.identifier]),
    "an id token": lambda a: mint.id_token(
        subject=a.user.pk, client_id=a.client.client_id, access_token="x", nonce="", auth_time=None, now=timezone.now()
    ),
    "truncated": lambda a: signed(a)[:-1],
    "extended": lambda a: signed(a) + "A",
    "padded": lambda a: signed(a) + "=",
    "spaced": lambda a: signed(a).replace(".", ". ", 1),
    "garbage": lambda a: "ey.a.b",
    "empty parts": lambda a: "..",
    "no dots": lambda a: "x" * 500,
    "a refresh token": lambda a: str(a.redeem()["refresh_token"]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_token_that_is_not_ours_is_refused(approval: Approval, name: str) -> None:
    answer = exchange(HOSTILE[name](approval))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert CANARY.encode() not in answer.content


@pytest.mark.parametrize(
    "form",
    [{"subject_token": ""}, {"subject_token_type": ""}, {"subject_token_type": "urn:x"},
     {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, {"actor_token": "x"},
     {"actor_token_type": ACCESS_TOKEN}],
)  # fmt: skip
def test_a_request_that_is_not_whole_is_invalid(approval: Approval, subject_token: str, form: dict[str, str]) -> None:
    answer = exchange(**{"subject_token": subject_token, **form})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_scope_that_was_not_approved_is_named_with_a_link(approval: Approval, subject_token: str) -> None:
    body = exchange(subject_token, scope="repo delete_repo").json()
    assert (body["error"], body["state"]) == ("invalid_grant", "missing_scope")
    assert body["missing_scopes"] == ["delete_repo"]
    assert body["connect_url"].startswith("http://localhost:8000/oauth/connect/")


def test_a_dead_credential_says_so_with_a_link_that_opens(approval: Approval, subject_token: str) -> None:
    state = vault().credentials.of_user(approval.user.pk)[0]
    vault().credentials.mark_dead(state.id, version_seen=state.version, reason="invalid_grant", now=timezone.now())
    UserSocialAuth.objects.create(user=approval.user, provider="github", uid="upstream-subject")
    body = exchange(subject_token).json()
    assert (body["error"], body["state"]) == ("invalid_grant", "needs_reauthorization")
    from django.test import Client as Http

    page = Http().get(body["connect_url"].removeprefix("http://localhost:8000"))
    assert page.status_code == 200
    assert approval.resource.name in page.content.decode()
    assert json.dumps(body).count(CANARY) == 0


@pytest.mark.parametrize("ticket", ["x", "a:b:c", "%00", "é" * 50])
def test_a_connect_link_that_is_not_ours_explains_itself(ticket: str) -> None:
    from django.test import Client as Http

    page = Http().get(f"/oauth/connect/{quote(ticket) if ticket != '%00' else ticket}")
    assert page.status_code == 400
