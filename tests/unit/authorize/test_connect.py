"""The page behind a `connect_url`, back from the provider: it claims no more than is true."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from accounts.vault import vault
from accounts.vault.base import TokenSet
from authserver.connections import connect_url
from tests.harness.approval import Approval, approve
from tests.unit.authorize.conftest import Door
from upstream.models import Visit


def come_back(door: Door, approval: Approval, scopes: tuple[str, ...]) -> str:
    """What the person reads after a visit that went well."""
    path = urlsplit(connect_url(approval.tsid, door.provider, scopes)).path + "/done"
    now = timezone.now()
    Visit.objects.create(
        state_hash="a" * 64, provider=door.provider, purpose=Visit.Purpose.CONNECT, browser_hash="b" * 64,
        user_id=approval.user.pk, redirect_uri="x", return_path=path, created_at=now,
        expires_at=now + timedelta(minutes=5), outcome=Visit.Outcome.DONE,
    )  # fmt: skip
    answer = door.http.get(f"{path}?visit={'a' * 64}")
    assert answer.status_code == 200
    words: str = answer.content.decode()
    return words


@pytest.mark.parametrize(("missing", "works"), [((), True), (("repo",), True), (("delete_repo",), False)])
def test_it_says_that_the_app_goes_on_only_where_it_does(door: Door, missing: tuple[str, ...], works: bool) -> None:
    user = door.sign_in()
    approval = approve(client=door.client, user=user, resource=door.resource, provider=door.provider)
    given = TokenSet(access_token="renewed", scopes=("repo", "delete_repo"))
    vault().credentials.keep(user.pk, door.provider.name, "upstream-subject", given, now=timezone.now())
    assert ("can use it again" in come_back(door, approval, missing)) is works


def test_a_session_that_was_never_linked_is_told_to_connect_the_app_anew(door: Door) -> None:
    user = door.sign_in()
    approval = approve(client=door.client, user=user, resource=door.resource)
    assert "not to this sign-in" in come_back(door, approval, ())
