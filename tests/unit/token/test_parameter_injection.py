"""foundations.md, danger 1: oauthlib answers `request.anything` with a form field of that name.

Every name that we or the libraries keep on the request is sent as a field, for every grant; nothing may come of it.
"""

from __future__ import annotations

import dataclasses

import pytest

from authserver.grants.context import TokenContext
from authserver.models import RefreshToken
from tests.harness.approval import Approval, approve, make_user, post
from tests.harness.oauth import claims

pytestmark = pytest.mark.django_db

OURS = [field.name for field in dataclasses.fields(TokenContext)] + ["authserver", "context", "vault_session_id"]
OAUTHLIB = [
    "user", "scopes", "client", "claims", "expires_in", "extra_credentials", "access_token_expires_in", "nonce",
    "refresh_token_instance", "using_default_redirect_uri", "token", "id_token", "prompt", "max_age", "sub", "aud",
    "iss", "user_id", "validator_log", "_params", "headers", "decoded_body", "oauth_params",
]  # fmt: skip
NAMES = sorted(set(OURS + OAUTHLIB) - {"parameters", "resource"})


@pytest.fixture
def mine() -> Approval:
    return approve()


@pytest.fixture
def victim(mine: Approval) -> Approval:
    return approve(client=mine.client, resource=mine.resource, user=make_user())


def poison(victim: Approval, name: str) -> dict[str, str]:
    value = {"user": str(victim.user.pk), "sub": str(victim.user.pk), "client": str(victim.client.pk)}
    return {name: value.get(name, victim.tsid)}


@pytest.mark.parametrize("name", NAMES)
def test_a_form_field_cannot_stand_in_for_what_the_code_grant_knows(
    mine: Approval, victim: Approval, name: str
) -> None:
    answer = post({**mine.form, **poison(victim, name)})
    assert answer.status_code == 200, answer.content
    said = claims(answer.json()["access_token"])
    assert (said["tsid"], said["sub"]) == (mine.tsid, str(mine.user.pk))
    assert said["aud"] == mine.resource.identifier
    assert said["scope"] == "mcp:tools mcp:admin"
    assert answer.json()["expires_in"] == 3600
    assert RefreshToken.objects.get().tsid == mine.tsid


@pytest.mark.parametrize("name", NAMES)
def test_a_form_field_cannot_stand_in_for_what_the_refresh_grant_knows(
    mine: Approval, victim: Approval, name: str
) -> None:
    refresh_token = mine.redeem()["refresh_token"]
    answer = post(mine.refresh_form(refresh_token, **poison(victim, name)))
    assert answer.status_code == 200, answer.content
    said = claims(answer.json()["access_token"])
    assert (said["tsid"], said["sub"]) == (mine.tsid, str(mine.user.pk))
    assert said["scope"] == "mcp:tools mcp:admin"


@pytest.mark.parametrize("name", ["tsid", "sub", "user", "client_id"])
def test_the_query_string_of_the_token_endpoint_is_never_read(mine: Approval, victim: Approval, name: str) -> None:
    from urllib.parse import urlencode

    from django.test import Client as Http

    answer = Http().post(
        f"/oauth/token?{urlencode({name: victim.tsid})}",
        data=urlencode(mine.form),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 200, answer.content
    assert claims(answer.json()["access_token"])["tsid"] == mine.tsid
