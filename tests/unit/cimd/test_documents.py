"""Which URLs are client ids, and which documents make a client (MCP authorization, client ID metadata documents)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from authserver import clients
from authserver.cimd import address
from authserver.cimd.errors import UnusableDocument
from authserver.models import Client
from authserver.policy import Cimd
from tests.fakes.documents import Documents
from tests.fakes.server import Reply
from tests.harness.policies import in_force
from tests.harness.registration import resolved

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def refusal(client_id: str, now: datetime = NOW) -> str:
    with pytest.raises(clients.UnknownClient) as refused:
        clients.resolve(client_id, now=now)
    assert resolved(client_id, now=now) is None
    assert not Client.objects.exists()
    return str(refused.value)


def test_a_good_document_makes_a_public_client_of_a_proven_identity(documents: Documents) -> None:
    documents.publish(client_uri="https://app.example/", contacts=["a@b.example"], scope="openid", x={"unknown": 1})
    client = clients.resolve(documents.client_id, now=NOW)
    assert client.registration_source == Client.RegistrationSource.CIMD
    assert client.identity_is_proven
    assert client.is_public
    assert client.is_usable(None)
    assert client.name == "A published client"
    assert client.redirect_uris.split() == ["http://127.0.0.1:33418/", "https://app.example/cb"]
    assert client.grant_types == ["authorization_code", "refresh_token"]
    assert client.metadata == {"client_uri": "https://app.example/", "contacts": ["a@b.example"]}
    assert client.client_secret.startswith("random_secret_sha256$")
    assert client.registration_token_hash == ""
    assert client.cimd_fetched_at == NOW
    asked = documents.seen[0]
    assert (asked.method, asked.path) == ("GET", "/client.json")
    assert "application/json" in asked.headers["accept"]
    assert not {"cookie", "authorization", "referer"} & asked.headers.keys()


def test_a_query_is_part_of_the_url(documents: Documents) -> None:
    client_id = f"{documents.client_id}?version=2"
    documents.publish(client_id=client_id)
    assert clients.resolve(client_id, now=NOW).client_id == client_id
    assert documents.seen[0].query == {"version": "2"}


def test_grants_we_do_not_serve_are_left_out(documents: Documents) -> None:
    documents.publish(grant_types=["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"])
    assert clients.resolve(documents.client_id, now=NOW).grant_types == ["authorization_code"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/oauth-client+json"])
def test_json_by_any_of_its_types_is_read(documents: Documents, content_type: str) -> None:
    body = json.dumps(documents.document()).encode()
    documents.reply = Reply(body=body, headers={"Content-Type": content_type})
    assert resolved(documents.client_id, now=NOW) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:PORT",
        "https://localhost:PORT/",
        "https://localhost:PORT?x=/a",
        "https://localhost:PORT/?x=1",
        "https://localhost:PORT/client.json#f",
        "https://localhost:PORT/client.json#",
        "https://user@localhost:PORT/client.json",
        "https://user:pass@localhost:PORT/client.json",
        "https://@localhost:PORT/client.json",
        "https://localhost:PORT/a/../client.json",
        "https://localhost:PORT/./client.json",
        "https://localhost:PORT/%2e%2e/client.json",
        "https://localhost:PORT/client json",
        "https://localhost:PORT/client.json\x00",
        "https://localhost:PORT/client.json\r\n",
        "https://localhost:PORT/cli\\ent.json",
        "https://localhost:PORT/clïent.json",
        "https://localhost:PORT/%zz",
        "https://localhost:PORT/" + "a" * 2048,
        "https://localhost:0/client.json",
        "https://localhost:99999/client.json",
        "https:///client.json",
        "https://",
        "https:/localhost:PORT/client.json",
        "http://localhost:PORT/client.json",
        "HTTPS://localhost:PORT/client.json",
        "ftp://localhost:PORT/client.json",
        "unix:/client.json",
        "data:application/json,{}",
    ],
)
def test_a_url_that_is_no_client_id_is_refused_before_anything_is_fetched(documents: Documents, url: str) -> None:
    assert refusal(url.replace("PORT", documents.url.rpartition(":")[2]))
    assert documents.seen == []


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://other.example/client.json"},
        {"client_id": None},
        {"client_id": 1},
        {"client_name": None},
        {"client_name": ""},
        {"client_name": "\u202e\u200b"},
        {"client_name": 1},
        {"client_name": "a" * 121},
        {"redirect_uris": None},
        {"redirect_uris": []},
        {"redirect_uris": "https://app.example/cb"},
        {"redirect_uris": [1]},
        {"redirect_uris": ["http://app.example/cb"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["https://app.example/cb#"]},
        {"redirect_uris": [f"https://app.example/{n}" for n in range(51)]},
        {"client_secret": "s3cret"},
        {"client_secret": ""},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": None},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://localhost/jwks.json"},
        {"token_endpoint_auth_method": 1},
        {"grant_types": ["client_credentials"]},
        {"grant_types": "authorization_code"},
        {"response_types": ["token"]},
        {"logo_uri": "http://127.0.0.1/logo.png"},
        {"client_uri": "javascript:alert(1)"},
    ],
)
def test_a_document_that_breaks_a_rule_makes_no_client(documents: Documents, changes: dict[str, Any]) -> None:
    documents.publish(**changes)
    assert "metadata document" in refusal(documents.client_id)
    assert [seen.path for seen in documents.seen] == ["/client.json"]


def test_a_member_that_is_null_is_as_bad_as_another_value_where_it_may_not_be(documents: Documents) -> None:
    for member in ("client_secret", "token_endpoint_auth_method"):
        documents.reply = Reply(document={**documents.document(), member: None})
        assert refusal(documents.client_id, NOW + timedelta(hours=len(documents.seen)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"<html></html>",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"a": 1e400}',
        b"[" * 60000,
        b'{"a": "\\u0000"}',
    ],
)
def test_what_is_not_one_sound_json_object_is_refused(documents: Documents, body: bytes) -> None:
    documents.reply = Reply(body=body, headers={"Content-Type": "application/json"})
    assert "cannot be read" in refusal(documents.client_id)


def test_a_byte_order_mark_is_not_json(documents: Documents) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(documents.document()).encode()
    documents.reply = Reply(body=body, headers={"Content-Type": "application/json"})
    assert "cannot be read" in refusal(documents.client_id)


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/plain", "", "application/octet-stream", "json", "text/json"]
)
def test_another_content_type_is_refused(documents: Documents, content_type: str) -> None:
    body = json.dumps(documents.document()).encode()
    documents.reply = Reply(body=body, headers={"Content-Type": content_type})
    assert "application/json" in refusal(documents.client_id)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 307, 308, 400, 401, 404, 410, 429, 500, 503])
def test_only_200_is_a_document_and_a_redirect_is_not_followed(documents: Documents, status: int) -> None:
    documents.reply = Reply(status, document=documents.document(), headers={"Location": f"{documents.url}/other"})
    assert str(status) in refusal(documents.client_id)
    assert documents.requests_to("/other") == []


def test_a_document_of_more_than_64_kib_is_refused(documents: Documents) -> None:
    documents.publish(x="a" * 65536)
    assert "larger" in refusal(documents.client_id)


def test_a_document_on_a_private_address_is_refused_unless_the_operator_allows_it(documents: Documents) -> None:
    with in_force():
        assert "address" in refusal(documents.client_id)
    assert documents.seen == []


def test_a_server_that_does_not_answer_is_named_as_the_reason(documents: Documents) -> None:
    port = documents.url.rpartition(":")[2]
    assert "certificate" in refusal(f"https://127.0.0.1:{port}/client.json")
    assert "reached" in refusal("https://localhost:1025/client.json")


@pytest.mark.parametrize(
    ("rules", "admitted"),
    [
        ({"allowed_hosts": ["localhost"]}, True),
        ({"allowed_hosts": ["LOCALHOST"]}, True),
        ({"allowed_hosts": ["app.example", "localhost"]}, True),
        ({"allowed_hosts": ["app.example"]}, False),
        ({"allowed_hosts": ["*.localhost"]}, False),
        ({"allowed_hosts": ["*host"]}, False),
        ({"denied_hosts": ["localhost"]}, False),
        ({"denied_hosts": ["localhost."]}, False),
        ({"denied_hosts": ["app.example"]}, True),
        ({"allowed_hosts": ["localhost"], "denied_hosts": ["localhost"]}, False),
        ({"enabled": False}, False),
    ],
)
def test_the_operator_says_whose_documents_count(documents: Documents, rules: dict[str, Any], admitted: bool) -> None:
    with in_force(cimd={"allow_private_network": True, **rules}):
        if admitted:
            assert clients.resolve(documents.client_id, now=NOW).is_usable(None)
        else:
            assert refusal(documents.client_id)
            assert documents.seen == []


def test_a_host_denied_later_is_denied_to_clients_known_before(documents: Documents) -> None:
    assert resolved(documents.client_id, now=NOW) is not None
    with in_force(cimd={"allow_private_network": True, "denied_hosts": ["*.example", "localhost"]}):
        assert resolved(documents.client_id, now=NOW) is None
        assert clients.known(documents.client_id) is not None


def test_names_below_a_host_are_covered_by_a_star_and_only_they() -> None:
    rules = Cimd(denied_hosts=("*.evil.example",))
    address.check_host("https://notevil.example/c", rules)
    address.check_host("https://evil.example/c", rules)
    for url in ("https://a.evil.example/c", "https://a.b.EVIL.example./c"):
        with pytest.raises(UnusableDocument):
            address.check_host(url, rules)
