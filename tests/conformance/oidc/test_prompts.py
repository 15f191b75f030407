"""`prompt`, `max_age` and `login_hint` (OpenID Connect Core 1.0 section 3.1.2.1), through a provider that answers."""

from __future__ import annotations

import time

import pytest

from accounts.models import User
from authserver.models import Consent, ResourceUpstream
from tests.conformance.oidc.relying_party import checked
from tests.conformance.oidc.scene import Scene
from tests.harness.approval import REDIRECT_URI
from tests.unit.authorize.answers import sent_to
from tests.unit.upstream.journeys import provider_at
from upstream.models import Provider

pytestmark = pytest.mark.django_db


def test_an_approval_that_is_remembered_goes_through_without_a_page_or_a_visit(scene: Scene) -> None:
    scene.signed_in(seconds_ago=100)
    answer = scene.silently(nonce="once")
    assert scene.visits == []
    said = scene.id_token(answer)
    assert said["nonce"] == "once"
    assert time.time() - 102 < said["auth_time"] <= time.time() - 100


def test_none_of_nobody_is_login_required(scene: Scene) -> None:
    assert scene.silently()["error"] == "login_required"
    assert scene.visits == []


def test_none_of_somebody_who_has_not_approved_is_consent_required(scene: Scene) -> None:
    scene.signed_in(seconds_ago=1)
    address, answer = sent_to(scene.sitting.begin(scope="openid email", prompt="none"))
    assert (address, answer["error"], answer["state"]) == (REDIRECT_URI, "consent_required", "opaque")


def test_none_that_would_need_a_provider_is_interaction_required(scene: Scene) -> None:
    scene.signed_in(seconds_ago=1)
    entry = scene.sitting.resource.upstreams.get()
    another = provider_at(scene.idp, Provider.Type.OIDC, "another", scopes=["openid"])
    scene.ask()
    ResourceUpstream.objects.create(resource=scene.sitting.resource, provider=another, scopes=[], required=True)
    Consent.objects.update(upstream_scopes={entry.provider.name: ["openid"], "another": ["openid"]})
    assert scene.silently()["error"] == "interaction_required"


def test_none_of_somebody_whose_sign_in_is_too_old_is_login_required(scene: Scene) -> None:
    scene.signed_in(seconds_ago=100)
    assert scene.silently(max_age="50")["error"] == "login_required"
    assert scene.silently(max_age="0")["error"] == "login_required"
    assert "code" in scene.silently(max_age="1000")


def test_none_together_with_another_is_refused(scene: Scene) -> None:
    address, answer = sent_to(scene.sitting.begin(prompt="none login"))
    assert (address, answer["error"]) == (REDIRECT_URI, "invalid_request")


@pytest.mark.parametrize("prompt", ["login", "select_account", "login select_account"])
def test_login_and_select_account_visit_the_provider_again_and_the_id_token_says_when(
    scene: Scene, prompt: str
) -> None:
    scene.signed_in(seconds_ago=1000)
    began = int(time.time())
    said = scene.id_token(scene.ask(prompt=prompt))
    [visit] = scene.visits
    assert set(visit["prompt"].split()) == set(prompt.split())
    assert said["auth_time"] >= began


def test_consent_asks_again_without_a_new_sign_in(scene: Scene) -> None:
    scene.signed_in(seconds_ago=1000)
    page = scene.sitting.begin(scope="openid mcp:tools", prompt="consent")
    assert b"ticket" in page.content
    said = scene.id_token(scene.sitting.go_on(scene.sitting.approve(page)))
    assert scene.visits == []
    assert said["auth_time"] <= time.time() - 1000


def test_a_sign_in_that_is_young_enough_is_not_repeated(scene: Scene) -> None:
    scene.signed_in(seconds_ago=100)
    said = scene.id_token(scene.ask(max_age="1000"))
    assert scene.visits == []
    assert said["auth_time"] <= time.time() - 100


@pytest.mark.parametrize("max_age", ["0", "50"])
def test_one_that_is_too_old_is_repeated_and_the_id_token_says_when(scene: Scene, max_age: str) -> None:
    scene.signed_in(seconds_ago=100)
    began = int(time.time())
    said = scene.id_token(scene.ask(max_age=max_age))
    [visit] = scene.visits
    assert visit["max_age"] == max_age
    assert said["auth_time"] >= began


def test_max_age_0_asks_even_somebody_who_has_just_signed_in(scene: Scene) -> None:
    scene.signed_in(seconds_ago=0)
    scene.id_token(scene.ask(max_age="0"))
    scene.id_token(scene.ask(max_age="0"))
    assert len(scene.visits) == 2


def test_auth_time_is_the_providers_own_where_it_tells(scene: Scene) -> None:
    earlier = int(time.time()) - 500
    scene.idp.forge = lambda claims: claims.update(auth_time=earlier)
    assert scene.id_token(scene.ask())["auth_time"] == earlier


def test_a_refresh_much_later_still_tells_of_that_sign_in(scene: Scene) -> None:
    earlier = int(time.time()) - 500
    scene.idp.forge = lambda claims: claims.update(auth_time=earlier)
    tokens = scene.tokens(code=scene.ask()["code"])
    scene.idp.forge = lambda claims: None
    scene.ask(prompt="login")  # a newer sign-in, for another approval
    again = scene.tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert checked(again["id_token"], scene.sitting.client.client_id)["auth_time"] == earlier


def test_login_hint_reaches_the_provider(scene: Scene) -> None:
    scene.ask(login_hint="ada@example.com")
    [visit] = scene.visits
    assert visit["login_hint"] == "ada@example.com"


def test_the_verified_address_of_the_sign_in_is_the_one_that_is_told(scene: Scene) -> None:
    answer = scene.sitting.whole(scope="openid email profile")
    said = scene.id_token(answer)
    assert (said["name"], said["email"], said["email_verified"]) == ("Ada Example", "ada@example.com", True)


def test_an_address_that_the_provider_does_not_vouch_for_is_told_to_nobody(scene: Scene) -> None:
    scene.idp.person["email_verified"] = False
    said = scene.id_token(scene.sitting.whole(scope="openid email profile"))
    assert not {"email", "email_verified"} & set(said)
    assert User.objects.get().email == ""
