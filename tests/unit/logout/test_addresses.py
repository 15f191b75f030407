"""Where apps may have people sent after signing out, from the file and from a client's metadata document."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError

from authserver import clients, policy
from authserver.models import Client
from tests.fakes.documents import Documents
from tests.unit.cimd.conftest import documents  # noqa: F401  # a fixture
from tests.unit.configuration.conftest import write  # noqa: F401  # a fixture
from tests.unit.configuration.test_applying import Write, run

pytestmark = pytest.mark.django_db

PORTAL = """
    clients:
      - client_id: my-portal
        name: My portal
        redirect_uris: ["https://portal.example.com/callback"]
"""
AFTERWARDS = '        post_logout_redirect_uris: ["https://portal.example.com/signed-out"]\n'


def registered_addresses() -> object:
    return Client.objects.get(client_id="my-portal").metadata.get("post_logout_redirect_uris")


def test_the_file_says_them_and_takes_them_away(write: Write) -> None:  # noqa: F811  # pytest's way
    run(write(PORTAL + AFTERWARDS))
    assert registered_addresses() == ["https://portal.example.com/signed-out"]
    assert any("metadata" in line for line in run(write(PORTAL)))
    assert registered_addresses() is None


def test_the_file_is_held_to_the_rules_of_redirect_uris(write: Write) -> None:  # noqa: F811  # as above
    with pytest.raises(CommandError, match="post_logout_redirect_uris"):
        run(write(PORTAL + AFTERWARDS.replace("https:", "http:")))


def test_the_file_says_what_a_providers_logout_ends(write: Write) -> None:  # noqa: F811  # as above
    run(write("revocation: {upstream_logout_ends_all: false}"))
    assert not policy.current().revocation.upstream_logout_ends_all
    run(write("revocation: {}"))
    assert policy.current().revocation.upstream_logout_ends_all


def test_a_metadata_document_says_them(documents: Documents) -> None:  # noqa: F811  # as above
    documents.publish(post_logout_redirect_uris=["https://app.example/bye"])
    client = clients.resolve(documents.client_id, now=datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert client.metadata["post_logout_redirect_uris"] == ["https://app.example/bye"]
