"""`id_token_hint` (OpenID Connect Core 1.0 section 3.1.2.1): the client hears of the person it names, or of nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from authserver import mint
from tests.conformance.oidc.scene import Scene
from tests.harness.approval import REDIRECT_URI, make_client, make_user
from tests.unit.authorize.answers import sent_to

pytestmark = pytest.mark.django_db


def hint(scene: Scene, person: User, **changed: Any) -> str:
    """An ID token that the client was given an hour ago, and that has ended since."""
    said = {"client_id": scene.sitting.client.client_id, "nonce": "", "auth_time": None, "access_token": "x"}
    return mint.id_token(**{**said, "subject": person.pk, "now": timezone.now() - timedelta(hours=1), **changed})


def test_the_person_it_names_goes_through(scene: Scene) -> None:
    scene.signed_in(seconds_ago=100)
    assert "code" in scene.silently(id_token_hint=hint(scene, scene.sitting.person))
    assert scene.visits == []


def test_none_of_somebody_else_is_login_required(scene: Scene) -> None:
    scene.signed_in(seconds_ago=1)
    assert scene.silently(id_token_hint=hint(scene, make_user()))["error"] == "login_required"


def test_somebody_else_is_asked_which_account_it_shall_be(scene: Scene) -> None:
    scene.signed_in(seconds_ago=1)
    ada = scene.sitting.person
    scene.idp.person = {"sub": "grace-2", "name": "Grace"}
    scene.ask(prompt="login")
    grace = scene.sitting.person
    assert grace != ada
    scene.idp.person = {"sub": "ada-1", "name": "Ada"}
    scene.idp.seen.clear()
    answer = scene.ask(id_token_hint=hint(scene, ada))
    assert scene.visits[0]["prompt"] == "select_account"
    assert scene.id_token(answer)["sub"] == str(ada.pk)


def test_where_somebody_else_signs_in_again_the_client_gets_no_code(scene: Scene) -> None:
    scene.signed_in(seconds_ago=1)
    answer = scene.ask(id_token_hint=hint(scene, make_user()))
    assert answer["error"] == "login_required"
    assert len(scene.visits) == 1


def test_nobody_is_asked_for_an_account_where_nobody_is_here(scene: Scene) -> None:
    answer = scene.ask(id_token_hint=hint(scene, make_user()))
    assert answer["error"] == "login_required"  # the provider's person is not the one that was named
    assert "prompt" not in scene.visits[0]


@pytest.mark.parametrize("what", ["another client's", "access token", "unsigned", "garbage", "too long"])
def test_what_is_no_id_token_of_ours_for_this_client_is_refused(scene: Scene, what: str) -> None:
    scene.signed_in(seconds_ago=1)
    person = scene.sitting.person
    genuine = hint(scene, person)
    sent = {
        "another client's": hint(scene, person, client_id=make_client("another").client_id),
        "access token": mint.access_token(
            subject=person.pk,
            audience=scene.sitting.client.client_id,
            client_id=scene.sitting.client.client_id,
            scope="openid",
            tsid="t",
            lifetime_seconds=60,
            now=timezone.now(),
        ),
        "unsigned": f"{genuine.rpartition('.')[0]}.",
        "garbage": "a.b.c",
        "too long": "a." * 4000,
    }[what]
    address, answer = sent_to(scene.sitting.begin(id_token_hint=sent))
    assert (address, answer["error"]) == (REDIRECT_URI, "invalid_request")
