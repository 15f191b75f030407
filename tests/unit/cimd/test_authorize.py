"""A client met at the authorization endpoint by the URL of its document: consent, or a page that says why not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Http

from authserver.models import Client
from tests.fakes.documents import Documents
from tests.fakes.server import Reply
from tests.harness.approval import challenge, make_provider, make_resource
from tests.harness.policies import in_force


def authorize(documents: Documents, **changes: str) -> Any:
    make_resource()
    make_provider()
    request = {
        "response_type": "code",
        "client_id": documents.client_id,
        "redirect_uri": "https://app.example/cb",
        "state": "s",
        "code_challenge": challenge("v" * 43),
        "code_challenge_method": "S256",
        **changes,
    }
    return Http(raise_request_exception=False).get("/oauth/authorize", request)


def test_consent_names_the_client_and_the_host_that_vouches_for_it(documents: Documents) -> None:
    page = authorize(documents)
    assert page.status_code == 200
    text = page.content.decode()
    assert "A published client" in text
    assert "localhost" in text
    assert "app.example" in text


def test_a_loopback_redirect_of_the_document_has_any_port(documents: Documents) -> None:
    assert authorize(documents, redirect_uri="http://127.0.0.1:51004/").status_code == 200


@pytest.mark.parametrize("uri", ["https://app.example/other", "http://localhost:33418/", "https://evil.example/"])
def test_a_redirect_uri_that_is_not_in_the_document_is_a_page_and_no_redirect(documents: Documents, uri: str) -> None:
    page = authorize(documents, redirect_uri=uri)
    assert page.status_code == 400
    assert "Location" not in page


def test_a_document_that_cannot_be_used_is_a_page_with_the_reason_and_no_redirect(documents: Documents) -> None:
    documents.reply = Reply(body=b"<script>alert(1)</script>", headers={"Content-Type": "text/html"})
    page = authorize(documents)
    assert page.status_code == 400
    assert "Location" not in page
    assert "not served as application/json" in page.content.decode()
    assert "alert(1)" not in page.content.decode()
    assert not Client.objects.exists()


def test_a_host_that_the_operator_keeps_out_is_told_so_and_never_called(documents: Documents) -> None:
    with in_force(cimd={"allow_private_network": True, "denied_hosts": ["localhost"]}):
        page = authorize(documents)
    assert page.status_code == 400
    assert "not admitted" in page.content.decode()
    assert documents.seen == []


def test_a_client_that_waits_for_approval_says_so(documents: Documents) -> None:
    with in_force(mode="approval", cimd={"allow_private_network": True}):
        page = authorize(documents)
    assert page.status_code == 403
    assert "Ask for approval" in page.content.decode()
