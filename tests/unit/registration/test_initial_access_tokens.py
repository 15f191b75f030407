"""Initial access tokens: how many clients they let in, until when, and what does not use them up."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import AuditEvent
from authserver.models import Client, InitialAccessToken
from tests.harness.policies import in_force
from tests.harness.registration import REDIRECT_URI, manage, send

pytestmark = pytest.mark.django_db


def made(*arguments: str) -> str:
    """What the command prints: the token, and nothing else."""
    out = io.StringIO()
    call_command("create_initial_access_token", "pipeline", *arguments, stdout=out)
    return out.getvalue().strip()


def register_with(token: str, **metadata: Any) -> Any:
    body = {"redirect_uris": [REDIRECT_URI], **metadata}
    return send(body, HTTP_AUTHORIZATION=f"Bearer {token}" if token else "")


def test_it_lets_in_as_many_as_it_says_and_no_more() -> None:
    token = made("--uses", "2")
    with in_force(mode="token"):
        assert [register_with(token).status_code for _ in range(3)] == [201, 201, 401]
    assert Client.objects.count() == 2
    assert all(client.is_usable(None) for client in Client.objects.all())


def test_it_is_printed_once_and_kept_as_a_hash() -> None:
    token = made()
    row = InitialAccessToken.objects.get()
    assert token.startswith("iat_")
    assert token not in str(list(InitialAccessToken.objects.values()) + list(AuditEvent.objects.values()))
    assert (row.label, row.max_uses, row.uses) == ("pipeline", 1, 0)
    assert timedelta(days=6, hours=23) < row.expires_at - timezone.now() <= timedelta(days=7)


def test_the_trail_says_which_token_let_a_client_in() -> None:
    token = made()
    with in_force(mode="token"):
        client_id = register_with(token).json()["client_id"]
    event = AuditEvent.objects.get(event="registration.token_created")
    assert (event.actor, event.detail["label"]) == ("create_initial_access_token", "pipeline")
    registered = AuditEvent.objects.get(event="client.registered", client_id=client_id)
    assert registered.detail["initial_access_token"] == str(InitialAccessToken.objects.get().pk)


def test_a_registration_that_is_refused_uses_nothing_up() -> None:
    token = made()
    with in_force(mode="token"):
        assert register_with(token, redirect_uris=["javascript:alert(1)"]).status_code == 400
        assert register_with(token).status_code == 201


@pytest.mark.parametrize(
    "change",
    [{"expires_at": timezone.now() - timedelta(seconds=1)}, {"revoked_at": timezone.now()}, {"token_hash": "0" * 64}],
    ids=["over", "revoked", "unknown"],
)
def test_one_that_is_over_revoked_or_unknown_lets_nobody_in(change: dict[str, Any]) -> None:
    token = made()
    InitialAccessToken.objects.update(**change)
    with in_force(mode="token"):
        answer = register_with(token)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert not Client.objects.exists()


def test_without_one_the_challenge_names_no_error() -> None:
    with in_force(mode="token"):
        assert register_with("")["WWW-Authenticate"] == "Bearer"


def test_what_is_no_initial_access_token_lets_nobody_in() -> None:
    token = made()
    with in_force(mode="token"):
        given = register_with(token).json()
        others = [given["registration_access_token"], token.upper(), token[:-1], f"{token}x", "é", "a" * 9000]
        assert {register_with(other).status_code for other in others} == {401}


def test_it_opens_no_other_door() -> None:
    token = made()
    with in_force(mode="token"):
        given = register_with(made()).json()
    assert manage("GET", given, token=token).status_code == 401


def test_under_approval_it_is_the_approval() -> None:
    token = made()
    with in_force(mode="approval"):
        assert register_with(token).status_code == 201
        assert register_with(token).status_code == 201, "used up, and so like one without"
    assert [client.vouched_for for client in Client.objects.order_by("id")] == [True, False]


def test_where_everybody_may_register_none_is_used_up() -> None:
    token = made()
    assert register_with(token).status_code == 201
    assert InitialAccessToken.objects.get().uses == 0


@pytest.mark.parametrize("arguments", [["--uses", "0"], ["--uses", "10001"], ["--days", "367"], ["--days", "x"]])
def test_the_command_refuses_what_is_out_of_bounds(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="is not a whole number from 1 to"):
        made(*arguments)
    assert not InitialAccessToken.objects.exists()


@pytest.mark.parametrize("label", ["", " ", "x" * 101, "two\nlines"])
def test_a_label_is_one_line(label: str) -> None:
    with pytest.raises(CommandError, match="1 to 100 characters"):
        call_command("create_initial_access_token", label)
