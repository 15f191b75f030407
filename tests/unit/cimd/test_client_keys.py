"""Keys behind a `jwks_uri`: fetched when they are needed, kept as their headers say, asked for again for a new one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from authserver import clients
from authserver.client_key_sets import NoKeys, keys_of
from authserver.models import Client
from tests.fakes.documents import Documents
from tests.fakes.server import Reply
from tests.harness.approval import approve, make_client, post
from tests.harness.assertions import KEYS, assertion, proof, public_jwk
from tests.harness.policies import in_force

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = public_jwk(KEYS["ES256"], "ES256")
NEWER = public_jwk(ec.generate_private_key(ec.SECP256R1()), "ES256", kid="newer")


def publishing(documents: Documents, *keys: dict[str, str], **headers: str) -> None:
    documents.reply = Reply(document={"keys": list(keys)}, headers=headers)


@pytest.fixture
def client(documents: Documents) -> Client:
    publishing(documents, GOOD)
    return make_client(
        metadata={"jwks_uri": f"{documents.url}/jwks.json"}, token_endpoint_auth_method="private_key_jwt"
    )


def test_a_client_of_a_metadata_document_proves_itself_by_its_jwks_uri(documents: Documents) -> None:
    documents.publish(token_endpoint_auth_method="private_key_jwt", jwks_uri=f"{documents.url}/jwks.json")
    client = clients.resolve(documents.client_id, now=NOW)
    assert (client.is_public, client.client_type) == (False, "confidential")
    publishing(documents, GOOD)
    approval = approve(client=client)
    own: dict[str, Any] = {"iss": client.client_id, "sub": client.client_id}
    assert post(approval.form).status_code == 401
    stranger = assertion(key=ec.generate_private_key(ec.SECP256R1()), **own)
    assert post({**approval.form, **proof(stranger)}).status_code == 401
    assert post({**approval.form, **proof(assertion(**own))}).status_code == 200


def test_they_are_fetched_once_while_they_are_fresh(documents: Documents, client: Client) -> None:
    for minutes in (0, 30, 59):
        assert keys_of(client, now=NOW + timedelta(minutes=minutes)) == [GOOD]
    assert [seen.path for seen in documents.seen] == ["/jwks.json"]
    publishing(documents, NEWER, **{"Cache-Control": "max-age=600"})
    assert keys_of(client, now=NOW + timedelta(minutes=61)) == [NEWER]
    assert len(documents.seen) == 2


def test_a_key_that_is_not_there_asks_again_once_a_minute(documents: Documents, client: Client) -> None:
    keys_of(client, now=NOW)
    publishing(documents, GOOD, NEWER)
    assert keys_of(client, now=NOW + timedelta(seconds=59), again=True) == [GOOD]
    assert keys_of(client, now=NOW + timedelta(seconds=61), again=True) == [GOOD, NEWER]
    assert len(documents.seen) == 2


def test_while_they_cannot_be_had_the_last_ones_serve(documents: Documents, client: Client) -> None:
    keys_of(client, now=NOW)
    documents.reply = Reply(503, {})
    assert keys_of(client, now=NOW + timedelta(hours=2)) == [GOOD]
    assert keys_of(client, now=NOW + timedelta(hours=2)) == [GOOD]
    assert len(documents.seen) == 2, "an address that failed is left alone for a minute"
    with pytest.raises(NoKeys):
        keys_of(client, now=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404, {}), "status 404"),
        (Reply(302, body=b"", headers={"Location": "/elsewhere"}), "status 302"),
        (Reply(200, body=b"<html>CANARY</html>"), "not a JWK Set"),
        (Reply(200, {"keys": []}), "not a JWK Set"),
        (Reply(200, {"keys": [{"kty": "oct", "k": "CANARY"}]}), "not a JWK Set"),
        (Reply(200, body=b"x" * 70_000), "cannot be reached"),
    ],
)
def test_what_is_no_set_of_keys_proves_nobody(documents: Documents, client: Client, reply: Reply, words: str) -> None:
    documents.reply = reply
    for _ in range(2):
        with pytest.raises(NoKeys, match=words) as refusal:
            keys_of(client, now=NOW)
        assert "CANARY" not in str(refusal.value)
    assert [seen.path for seen in documents.seen] == ["/jwks.json"]


def test_a_private_address_is_not_called_unless_the_operator_lets_it(documents: Documents, client: Client) -> None:
    with in_force(), pytest.raises(NoKeys, match="not called from here"):
        keys_of(client, now=NOW)
    assert documents.seen == []


def test_the_clients_developer_is_told_what_is_wrong(documents: Documents, client: Client) -> None:
    documents.reply = Reply(404, {})
    approval = approve(client=client)
    own: dict[str, Any] = {"iss": client.client_id, "sub": client.client_id}
    answer = post({**approval.form, **proof(assertion(**own))})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "jwks_uri was answered with status 404" in answer.json()["error_description"]
