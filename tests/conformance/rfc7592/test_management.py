"""RFC 7592: whoever holds the registration token reads, replaces and removes that client, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent, TokenSession
from accounts.vault import vault
from accounts.vault.base import SessionGone
from authserver import client_registry
from authserver.client_metadata import ClientMetadata
from authserver.models import App, Client, Consent, PendingAuthorization, RefreshToken
from tests.harness.approval import REDIRECT_URI as HARNESS_URI
from tests.harness.approval import approve, make_client, make_resource, make_user, post
from tests.harness.registration import REDIRECT_URI, manage, registered

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

OTHER_URI = "https://app.example/other"


def replacement(answer: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"client_id": answer["client_id"], "redirect_uris": answer["redirect_uris"], **metadata}


def row_of(answer: dict[str, Any]) -> Client:
    client: Client = Client.objects.get(client_id=answer["client_id"])
    return client


def test_a_client_reads_what_it_registered() -> None:
    given = registered(client_name="A client", scope="openid", contacts=["dev@app.example"])
    answer = manage("GET", given)
    assert answer.status_code == 200
    assert answer.json() == given
    assert answer["Cache-Control"] == "no-store"
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_a_secret_is_not_shown_a_second_time() -> None:
    given = registered(token_endpoint_auth_method="client_secret_basic")
    answer = manage("GET", given).json()
    assert answer == {name: value for name, value in given.items() if name != "client_secret"}
    assert answer["client_secret_expires_at"] == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nothing_is_done_without_the_clients_own_token(method: str) -> None:
    given, other = registered(), registered()
    before = Client.objects.values().order_by("pk")
    rows = list(before)
    tokens = [other["registration_access_token"], "rat_" + "A" * 43, "x" * 47, given["client_id"], "rat_", "é", "\x00"]
    for token in tokens:
        answer = manage(method, given, replacement(given, client_name="changed"), token=token)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token"), token
        assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    answer = manage(method, given, replacement(given), token="")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert list(before.all()) == rows


def test_a_client_that_does_not_exist_is_refused_in_the_same_words_as_a_wrong_token() -> None:
    given = registered()
    wrong = manage("GET", given, token="rat_" + "A" * 43)
    missing = {**given, "registration_client_uri": "http://localhost:8000/oauth/register/dcr-" + "0" * 32}
    answer = manage("GET", missing)
    assert (answer.status_code, answer.content) == (wrong.status_code, wrong.content)


@pytest.mark.parametrize("client_id", ["%00", "a%00b", "%ff", "a" * 3000, "é", "..", "https:%2F%2Fapp.example%2F"])
def test_no_client_id_in_the_path_is_an_accident(client_id: str) -> None:
    given = registered()
    answer = manage("GET", {**given, "registration_client_uri": f"http://localhost:8000/oauth/register/{client_id}"})
    assert 400 <= answer.status_code < 405


def test_a_client_of_the_operators_is_never_managed_here() -> None:
    given = registered()
    Client.objects.update(registration_source=Client.RegistrationSource.MANUAL)
    assert manage("GET", given).status_code == 401
    make_client("static", registration_token_hash="")
    path = {**given, "registration_client_uri": "http://localhost:8000/oauth/register/static"}
    assert manage("DELETE", path).status_code == 401
    assert Client.objects.count() == 2


def test_the_registration_token_opens_nothing_else() -> None:
    given = registered()
    token = given["registration_access_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": given["client_id"]}
    assert post(form).json()["error"] == "invalid_grant"
    assert Http().get("/oauth/register", headers={"Authorization": f"Bearer {token}"}).status_code == 405


def test_a_replacement_is_whole_and_what_is_left_out_is_gone() -> None:
    given = registered(client_name="Before", scope="openid", software_id="x", client_uri="https://app.example/")
    answer = manage("PUT", given, replacement(given, client_name="After", redirect_uris=[OTHER_URI]))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["client_name"], body["redirect_uris"]) == ("After", [OTHER_URI])
    assert not {"scope", "software_id", "client_uri"} & body.keys()
    assert body["registration_access_token"] == given["registration_access_token"]
    assert body["client_id_issued_at"] == given["client_id_issued_at"]
    assert manage("GET", given).json() == body
    client = row_of(given)
    assert (client.name, client.redirect_uris, client.metadata) == ("After", OTHER_URI, {})
    assert client.updated > client.created
    assert AuditEvent.objects.filter(event="client.changed", client_id=given["client_id"]).count() == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "another"}, "invalid_client_metadata"),
        ({"client_id": None}, "invalid_client_metadata"),
        ({"client_secret": "chosen"}, "invalid_client_metadata"),
        ({"client_secret": 1}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"redirect_uris": ["http://app.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://app.example/cb#"]}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"client_name": "x\x00"}, "invalid_client_metadata"),
    ],
)
@pytest.mark.parametrize("method", ["none", "client_secret_post"])
def test_a_replacement_is_refused_like_a_registration_and_changes_nothing(
    method: str, change: dict[str, Any], error: str
) -> None:
    given = registered(token_endpoint_auth_method=method)
    before = Client.objects.values().get()
    answer = manage("PUT", given, replacement(given, token_endpoint_auth_method=method, **change))
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert Client.objects.values().get() == before


def test_a_replacement_gains_no_privilege() -> None:
    given = registered()
    body = manage(
        "PUT",
        given,
        replacement(
            given,
            grant_types=["authorization_code", "client_credentials", "password"],
            scope="admin",
            vouched_for=True,
            skip_authorization=True,
            allowed_scopes="admin",
        ),
    ).json()
    assert body["grant_types"] == ["authorization_code"]
    assert "scope" not in body
    client = row_of(given)
    assert (client.vouched_for, client.skip_authorization, client.allowed_scopes) == (False, False, "")


def test_a_client_that_repeats_its_secret_keeps_it() -> None:
    given = registered(token_endpoint_auth_method="client_secret_post")
    answer = manage("PUT", given, {**given, "client_name": "Another name"})
    assert answer.status_code == 200
    assert "client_secret" not in answer.json()
    assert check_password(given["client_secret"], row_of(given).client_secret)


def test_a_client_that_leaves_its_secret_out_is_given_another() -> None:
    """How it turns its secret over, and how one that lost it comes back: the registration token proves it."""
    given = registered(token_endpoint_auth_method="client_secret_post")
    answer = manage("PUT", given, replacement(given, token_endpoint_auth_method="client_secret_post")).json()
    assert answer["client_secret"] != given["client_secret"]
    assert answer["client_secret_expires_at"] == 0
    assert check_password(answer["client_secret"], row_of(given).client_secret)
    assert not check_password(given["client_secret"], row_of(given).client_secret)


def test_a_public_client_that_becomes_confidential_gets_a_secret_and_loses_it_on_the_way_back() -> None:
    given = registered()
    first = manage("PUT", given, replacement(given, token_endpoint_auth_method="client_secret_basic")).json()
    assert check_password(first["client_secret"], row_of(given).client_secret)
    assert "client_secret" not in manage("PUT", given, replacement(given)).json()
    again = manage("PUT", given, replacement(given, token_endpoint_auth_method="client_secret_basic")).json()
    assert again["client_secret"] != first["client_secret"]
    assert not check_password(first["client_secret"], row_of(given).client_secret)


@pytest.mark.parametrize(
    ("change", "asked_again"),
    [({"redirect_uris": [OTHER_URI]}, True), ({"client_name": "After"}, True), ({"software_version": "2"}, False)],
)
def test_what_was_approved_about_another_name_or_address_is_asked_again(
    change: dict[str, Any], asked_again: bool
) -> None:
    given = registered(client_name="Before")
    client, resource, now = row_of(given), make_resource(), timezone.now()
    Client.objects.update(vouched_for=True)
    App.objects.update(state=App.State.APPROVED)
    Consent.objects.create(
        user=make_user(), client=client, redirect_host="app.example", resource=resource, granted_at=now
    )
    PendingAuthorization.objects.create(
        browser_hash="x",
        client=client,
        resource=resource,
        parameters={},
        approved_at=now,
        expires_at=now + timedelta(minutes=15),
    )
    assert manage("PUT", given, replacement(given, **{"client_name": "Before", **change})).status_code == 200
    assert Consent.objects.exists() != asked_again
    assert PendingAuthorization.objects.exists() != asked_again
    assert row_of(given).vouched_for != asked_again


def test_removing_a_client_ends_its_sessions_and_leaves_the_others_alone() -> None:
    given = registered(redirect_uris=["http://127.0.0.1:7777/callback"])
    theirs = approve(client=row_of(given))
    refresh_token = theirs.redeem()["refresh_token"]
    other = approve(resource=theirs.resource)
    answer = manage("DELETE", given)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Client.objects.filter(client_id=given["client_id"]).exists()
    assert vault().sessions.alive(other.tsid, now=timezone.now())
    with pytest.raises(SessionGone):
        vault().sessions.alive(theirs.tsid, now=timezone.now())
    assert not RefreshToken.objects.filter(tsid=theirs.tsid, revoked=None).exists()
    assert post(theirs.refresh_form(refresh_token)).status_code in {400, 401}
    assert TokenSession.objects.get(tsid=theirs.tsid).closed_at is not None
    assert AuditEvent.objects.filter(event="client.deleted", client_id=given["client_id"]).count() == 1
    for method in ("GET", "PUT", "DELETE"):
        assert manage(method, given, replacement(given)).status_code == 401


def test_a_replacement_that_loses_against_a_removal_brings_nothing_back() -> None:
    given = registered()
    loaded = row_of(given)
    assert manage("DELETE", given).status_code == 204
    metadata = ClientMetadata((REDIRECT_URI,), "none", ("authorization_code",))
    with pytest.raises(Client.DoesNotExist):
        client_registry.replace(loaded, metadata, now=timezone.now())
    assert not Client.objects.exists()


@pytest.mark.parametrize("method", ["POST", "PATCH", "HEAD", "TRACE"])
def test_no_other_method_is_served(method: str) -> None:
    answer = manage(method, registered())
    assert (answer.status_code, answer["Allow"]) == (405, "GET, PUT, DELETE, OPTIONS")


def test_a_web_page_of_another_origin_is_told_that_it_may_manage() -> None:
    answer = manage("OPTIONS", registered(), token="")
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in answer["Access-Control-Allow-Headers"]
    assert "DELETE" in answer["Access-Control-Allow-Methods"]


def test_reading_takes_one_statement_and_replacing_three(django_assert_num_queries: Any) -> None:
    given = registered()
    with django_assert_num_queries(1):
        manage("GET", given)
    with django_assert_num_queries(5):  # with SAVEPOINT and RELEASE
        manage("PUT", given, replacement(given))


def test_whoever_becomes_another_app_leaves_its_sessions_behind() -> None:
    """An imitator could rename itself after each approval, and nobody who blocks the imitation would reach its sessions."""
    given = registered(client_name="Imitation", redirect_uris=[HARNESS_URI])
    approval = approve(client=row_of(given))
    tokens = approval.redeem()
    assert manage("PUT", given, replacement(given, client_name="Imitation 2.0")).status_code == 200
    tokens = post(approval.refresh_form(tokens["refresh_token"])).json()
    assert manage("PUT", given, replacement(given, client_name="Something else")).status_code == 200
    assert post(approval.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert TokenSession.objects.get().closed_at is not None
