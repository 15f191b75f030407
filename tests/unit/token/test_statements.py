"""The budgets of performance.md, counted: what a warm request sends to the database, without BEGIN and COMMIT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext

from accounts.vault.base import TokenSet
from authserver.grant_types import TOKEN_EXCHANGE
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_client,
    make_provider,
    make_resource_server,
    post,
)

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def statements(request: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = request()
    assert answer.status_code in {200, 201}, answer.content
    return [query["sql"] for query in captured if not query["sql"].upper().startswith(TRANSACTION)]


@pytest.fixture(autouse=True)
def warm() -> None:
    """Keys parsed, policy read, modules imported."""
    tokens = approve().redeem()
    assert tokens["access_token"]


def test_a_code_takes_four() -> None:
    approval = approve(resource=warm_resource())
    assert len(statements(lambda: post(approval.form))) == 4


def test_a_code_of_a_confidential_client_takes_no_more() -> None:
    client = make_client(
        token_endpoint_auth_method="client_secret_post", client_secret="a-secret-of-enough-length-and-chance"
    )
    approval = approve(client=client, resource=warm_resource())
    form = {**approval.form, "client_secret": "a-secret-of-enough-length-and-chance"}
    assert len(statements(lambda: post(form))) == 4


def test_a_refresh_takes_three() -> None:
    approval = approve(resource=warm_resource())
    form = approval.refresh_form(approval.redeem()["refresh_token"])
    assert len(statements(lambda: post(form))) == 3


def test_a_replayed_refresh_takes_two() -> None:
    approval = approve(resource=warm_resource())
    form = approval.refresh_form(approval.redeem()["refresh_token"])
    post(form)
    assert len(statements(lambda: post(form))) == 2


def test_an_exchange_of_a_fresh_token_takes_three() -> None:
    approval = approve(
        resource=warm_resource(),
        provider=make_provider(),
        tokens=TokenSet(access_token="upstream", refresh_token="r", scopes=("repo",)),
    )
    make_resource_server(approval.resource)
    form = exchange_form(approval)
    sent = statements(lambda: post(form))
    assert len(sent) == 3, sent


@pytest.mark.parametrize(
    "path",
    ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/jwks.json"],
)
def test_public_documents_take_none(path: str) -> None:
    Http().get(path)
    assert statements(lambda: Http().get(path)) == []


def exchange_form(approval: Approval) -> dict[str, str]:
    return {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": approval.redeem()["access_token"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "client_id": "rs-a",
        "client_secret": RESOURCE_SERVER_SECRET,
    }


def warm_resource() -> Any:
    from authserver.models import Resource

    return Resource.objects.get()
