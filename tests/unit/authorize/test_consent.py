"""Consent: shown before any visit upstream, bound to one browser, answered once (behaviour.md, Authorize 2 and 3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client as Http
from django.utils import timezone

from accounts.models import TokenSession
from authserver.models import Client, Consent, Grant, PendingAuthorization, Resource
from tests.harness.approval import REDIRECT_URI, make_user, post, register_themselves
from tests.harness.oauth import claims
from tests.unit.authorize.answers import sent_to, ticket_of
from tests.unit.authorize.conftest import Door
from upstream.models import Visit

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_the_page_names_client_resource_redirect_scopes_and_upstream(door: Door) -> None:
    words = door.ask().content.decode()
    for expected in ("A client", "Example MCP server", "127.0.0.1", "use its tools", "GitHub", "repo"):
        assert expected in words


def test_nothing_goes_upstream_before_the_person_approved(door: Door) -> None:
    page = door.ask()
    assert not Visit.objects.exists()
    to, answer = sent_to(door.answer(page))
    assert to == "https://github.com/login/oauth/authorize"
    assert Visit.objects.get().purpose == Visit.Purpose.SIGN_IN
    assert answer["code_challenge_method"] == "S256"


def test_an_approval_of_a_signed_in_person_gives_a_code_that_works(door: Door) -> None:
    user = door.sign_in()
    to, answer = sent_to(door.answer(door.ask()))
    assert to == REDIRECT_URI
    assert answer["state"] == "st&te /+é"
    assert answer["iss"] == "http://localhost:8000"
    assert len(answer["code"]) >= 22
    tokens = post(
        {"grant_type": "authorization_code", "client_id": "known", "code": answer["code"],
         "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    )  # fmt: skip
    assert tokens.status_code == 200, tokens.content
    assert claims(tokens.json()["access_token"])["sub"] == str(user.pk)


def test_deny_reaches_the_client(door: Door) -> None:
    to, answer = sent_to(door.answer(door.ask(), "deny"))
    assert to == REDIRECT_URI
    assert (answer["error"], answer["state"], answer["iss"]) == (
        "access_denied", "st&te /+é", "http://localhost:8000",
    )  # fmt: skip
    assert not Grant.objects.exists()


def test_an_approval_counts_once(door: Door) -> None:
    door.sign_in()
    page = door.ask()
    assert sent_to(door.answer(page))[0] == REDIRECT_URI
    again = door.answer(page)
    assert again.status_code == 400
    assert Grant.objects.count() == 1


def test_another_browser_cannot_answer(door: Door) -> None:
    page = door.ask()
    stranger = Door(door.client, door.resource, door.provider, Http())
    stranger.sign_in()
    stranger.ask()
    assert stranger.answer(page).status_code == 400
    assert not PendingAuthorization.objects.exists()


@pytest.mark.parametrize("ticket", ["", "x", "a:b:c", "é"])
def test_a_made_up_ticket_is_refused(door: Door, ticket: str) -> None:
    from urllib.parse import urlencode

    door.ask()
    answer = door.http.post(
        "/oauth/authorize",
        data=urlencode({"ticket": ticket, "decision": "approve"}),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 400


def test_approving_by_get_does_nothing(door: Door) -> None:
    door.sign_in()
    page = door.ask()
    from urllib.parse import urlencode

    door.http.get(f"/oauth/authorize?{urlencode({'ticket': ticket_of(page), 'decision': 'approve'})}")
    assert not PendingAuthorization.objects.exists()


def test_a_person_who_changed_meanwhile_is_asked_anew(door: Door) -> None:
    door.sign_in()
    page = door.ask()
    other = make_user(name="Grace Hopper")
    door.sign_in(other)
    shown = door.answer(page)
    assert shown.status_code == 200
    assert "Grace Hopper" in shown.content.decode()
    assert not Grant.objects.exists()


def test_a_person_deactivated_meanwhile_gets_no_code(door: Door) -> None:
    user = door.sign_in()
    page = door.ask()
    user.is_active = False
    user.save()
    door.answer(page)
    assert not Grant.objects.exists()


def test_a_client_disabled_or_deleted_meanwhile_gets_no_code(door: Door) -> None:
    door.sign_in()
    page = door.ask()
    Client.objects.update(disabled_at=timezone.now())
    assert door.answer(page).status_code == 400
    Client.objects.all().delete()
    assert door.answer(page).status_code == 400
    assert not Grant.objects.exists()


def test_an_approval_is_remembered_for_a_client_whose_identity_is_proven(door: Door) -> None:
    door.sign_in()
    door.answer(door.ask(scope="mcp:tools"))
    assert sent_to(door.ask(scope="mcp:tools"))[0] == REDIRECT_URI
    assert door.ask(scope="mcp:tools mcp:admin").status_code == 200, "a wider scope asks again"
    assert door.ask(scope="mcp:tools", prompt="consent").status_code == 200


def test_it_is_never_remembered_for_a_client_that_registered_itself(door: Door) -> None:
    register_themselves()
    door.sign_in()
    door.answer(door.ask())
    assert not Consent.objects.exists()
    assert door.ask().status_code == 200


def test_another_site_cannot_use_a_remembered_approval_to_reach_this_computer(door: Door) -> None:
    door.sign_in()
    door.answer(door.ask())
    from urllib.parse import urlencode

    page = door.http.get(f"/oauth/authorize?{urlencode(door.parameters())}", headers={"sec-fetch-site": "cross-site"})
    assert page.status_code == 200
    assert b"ticket" in page.content


def test_an_upstream_scope_that_grew_asks_again(door: Door) -> None:
    door.sign_in(scopes=("repo", "gist"))
    door.answer(door.ask())
    entry = door.resource.upstreams.get()
    entry.scopes = ["repo", "gist"]
    entry.save()
    assert door.ask().status_code == 200


@pytest.mark.parametrize(
    ("prepare", "error"),
    [("stranger", "login_required"), ("signed in", "consent_required"), ("stale", "login_required")],
)
def test_prompt_none_says_what_it_would_take(door: Door, prepare: str, error: str) -> None:
    if prepare != "stranger":
        door.sign_in()
    answer = door.ask(prompt="none", max_age="0" if prepare == "stale" else None)
    if prepare == "stale":
        session = door.http.session
        session["auth_time"] = int(timezone.now().timestamp()) - 60
        session.save()
        answer = door.ask(prompt="none", max_age="30")
    assert sent_to(answer)[1]["error"] == error


def test_prompt_none_with_a_remembered_approval_gives_a_code(door: Door) -> None:
    door.sign_in()
    door.answer(door.ask())
    assert "code" in sent_to(door.ask(prompt="none"))[1]


@pytest.mark.parametrize("prompt", ["login", "select_account"])
def test_prompt_login_visits_the_provider_again(door: Door, prompt: str) -> None:
    door.sign_in()
    to, _ = sent_to(door.answer(door.ask(prompt=prompt)))
    assert to == "https://github.com/login/oauth/authorize"


def test_not_you_signs_out_and_starts_over(door: Door) -> None:
    door.sign_in()
    page = door.ask()
    from urllib.parse import urlencode

    answer = door.http.post(
        "/oauth/authorize/switch",
        data=urlencode({"ticket": ticket_of(page)}),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 303
    fresh = door.http.get(answer["Location"])
    assert "Ada Lovelace" not in fresh.content.decode()


def test_a_missing_upstream_is_visited_to_connect(door: Door) -> None:
    door.sign_in(scopes=("read:user",))
    to, _ = sent_to(door.answer(door.ask()))
    assert to == "https://github.com/login/oauth/authorize"
    assert Visit.objects.get().purpose == Visit.Purpose.CONNECT


def test_a_resource_that_lets_only_some_people_in_says_so(door: Door) -> None:
    Resource.objects.update(allow={"email_domains": ["example.com"]})
    door.sign_in(make_user(email="eve@evil.example"))
    page = door.answer(door.ask())
    assert page.status_code == 403
    assert "error=access_denied" in page.content.decode()
    door.sign_in(make_user(email="ada@EXAMPLE.com"))
    assert sent_to(door.answer(door.ask()))[0] == REDIRECT_URI


def test_an_administrators_password_session_is_not_a_sign_in(door: Door) -> None:
    door.http.force_login(make_user(is_staff=True, is_superuser=True))
    to, _ = sent_to(door.answer(door.ask()))
    assert to == "https://github.com/login/oauth/authorize"


def test_a_journey_can_only_go_on_in_its_own_browser_and_time(door: Door) -> None:
    door.answer(door.ask())
    pending = PendingAuthorization.objects.get()
    url = f"/oauth/authorize/continue/{pending.pk}"
    for method in ("get", "post"):
        assert getattr(Http(), method)(url).status_code == 400
    assert door.http.put(url).status_code == 405
    PendingAuthorization.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    late = door.http.get(url)
    assert late.status_code == 400
    assert "/oauth/authorize?" in late.content.decode()


def test_two_tabs_do_not_disturb_each_other(door: Door) -> None:
    door.sign_in()
    first, second = door.ask(state="one"), door.ask(state="two")
    assert sent_to(door.answer(second))[1]["state"] == "two"
    assert sent_to(door.answer(first))[1]["state"] == "one"
    assert TokenSession.objects.count() == 2


def test_consent_names_every_scope_that_the_visit_will_ask_for(door: Door) -> None:
    page = door.ask()
    _, asked = sent_to(door.answer(page))
    assert "read:user" in asked["scope"], "GitHub's usual scopes, since the row names none"
    for scope in asked["scope"].split():
        assert scope in page.content.decode()
