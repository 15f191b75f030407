"""Ending all of a person, an app, a client, an upstream or a resource: what would end, a reason, the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent, BrowserSession, Credential, TokenSession, User
from authserver import receipts
from authserver.console.sessions import ending, everything
from authserver.models import App, Client, Consent, RefreshToken, Resource
from tests.harness.approval import Approval, approve, make_client, make_provider, make_resource
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

KINDS: list[type[Model]] = [User, App, Client, Provider, Resource]
MAY = ("accounts.change_tokensession", "accounts.view_tokensession", "accounts.view_auditevent", "accounts.view_user")


@dataclass(frozen=True)
class Scene:
    """Two sessions that have everything in common, one that has nothing with them."""

    first: Approval
    second: Approval
    stranger: Approval

    def page(self, kind: type[Model]) -> str:
        things: dict[type[Model], Any] = {
            User: self.first.user, App: self.first.client.app, Client: self.first.client,
            Provider: Provider.objects.get(name="github"), Resource: self.first.resource,
        }  # fmt: skip
        return f"{ROOT}{kind._meta.app_label}/{kind._meta.model_name}/{things[kind].pk}/revoke/"


@pytest.fixture
def scene(db: None) -> Scene:
    github = make_provider("github", on_session_end="revoke_when_unused")
    first = approve(client=make_client(name="Claude"), provider=github)
    second = approve(client=first.client, user=first.user, resource=first.resource, provider=github)
    stranger = approve(client=make_client(name="Other"), resource=make_resource("https://other.example/mcp"),
                       provider=make_provider("google"))  # fmt: skip
    for approval in (first, stranger):
        Consent.objects.create(user=approval.user, client=approval.client, redirect_host="127.0.0.1",
                               resource=approval.resource, granted_at=timezone.now())  # fmt: skip
    return Scene(first, second, stranger)


def open_tsids() -> set[str]:
    return set(TokenSession.objects.filter(closed_at=None).values_list("tsid", flat=True))


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_would_end_wants_a_reason_ends_it_and_shows_the_receipt(
    kind: type[Model], scene: Scene, superuser: Http
) -> None:
    scene.first.redeem()
    url = scene.page(kind)
    asked = superuser.get(url).content.decode()
    for words in ("2 token sessions end.", "ends 1 refresh token.", "1 credential of github is destroyed",
                  "github is told to revoke 1 token"):  # fmt: skip
        assert words in asked, words
    for reason in ("", "  ", "x" * 201, "a\x00b"):
        assert superuser.post(url, {"reason": reason}).status_code == 200
    assert len(open_tsids()) == 3
    answer = superuser.post(url, {"reason": "laptop stolen"}, follow=True)
    assert open_tsids() == {scene.stranger.tsid}
    assert not RefreshToken.objects.filter(tsid=scene.first.tsid, revoked=None).exists()
    assert set(Credential.objects.values_list("provider", flat=True)) == {"google"}
    begun, *_steps = AuditEvent.objects.exclude(receipt=None).order_by("id")
    assert answer.redirect_chain == [(f"{ROOT}receipts/{begun.receipt}/", 302)]
    assert "Revoked 2 token sessions." in answer.content.decode()
    assert (begun.reason, begun.actor, begun.address) == ("laptop stolen", "root", "127.0.0.1")
    assert "2 token sessions end." not in superuser.get(url).content.decode()
    assert set(TokenSession.objects.exclude(closed_at=None).values_list("close_reason", flat=True)) == {"admin"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_approved_is_forgotten_where_the_app_is_what_ends(
    kind: type[Model], scene: Scene, superuser: Http
) -> None:
    superuser.post(scene.page(kind), {"reason": "x"})
    left = set(Consent.objects.values_list("client__client_id", flat=True))
    forgotten = set() if kind not in {App, Client} else {scene.first.client.client_id}
    assert left == {scene.first.client.client_id, scene.stranger.client.client_id} - forgotten


@pytest.mark.parametrize("kind", KINDS)
def test_the_button_is_on_each_ones_own_page_for_whoever_may_revoke(
    kind: type[Model], scene: Scene, superuser: Http, staff: Operator
) -> None:
    url, view = scene.page(kind), f"{kind._meta.app_label}.view_{kind._meta.model_name}"
    own = url.replace("/revoke/", "/change/")
    assert f'href="{url}"' in superuser.get(own).content.decode()
    looks = staff(view)
    assert url not in looks.get(own).content.decode()
    revokes = staff("accounts.change_tokensession")
    for http in (looks, revokes):
        assert http.post(url, {"reason": "x"}).status_code == 403
        assert http.get(f"{ROOT}{kind._meta.app_label}/{kind._meta.model_name}/0/revoke/").status_code == 403
    assert len(open_tsids()) == 3
    both = staff(view, "accounts.change_tokensession")
    assert both.post(url, {"reason": "x"})["Location"] == f"{ROOT}accounts/tokensession/"
    assert open_tsids() == {scene.stranger.tsid}


def test_what_is_not_there_is_a_404(superuser: Http, db: None) -> None:
    for kind in KINDS:
        url = f"{ROOT}{kind._meta.app_label}/{kind._meta.model_name}/0/revoke/"
        assert superuser.get(url).status_code == superuser.post(url, {"reason": "x"}).status_code == 404


def test_a_person_is_signed_out_of_every_browser_and_an_operator_by_a_superuser_only(
    scene: Scene, superuser: Http, staff: Operator
) -> None:
    operator = staff(*MAY)
    person, url = scene.first.user, scene.page(User)
    Http().force_login(person)
    operator.post(url, {"reason": "x"})
    assert not BrowserSession.objects.filter(user_id=person.pk).exists()
    User.objects.filter(pk=person.pk).update(is_staff=True)
    Http().force_login(person)
    assert "This is an operator" in operator.get(url).content.decode()
    operator.post(url, {"reason": "x"})
    assert BrowserSession.objects.filter(user_id=person.pk).exists()
    superuser.post(url, {"reason": "x"})
    assert not BrowserSession.objects.filter(user_id=person.pk).exists()


def test_a_connection_that_no_session_needs_ends_with_its_upstream(scene: Scene, superuser: Http) -> None:
    scene.first.resource.upstreams.update(required=False)
    assert "1 person is connected." in superuser.get(scene.page(Provider)).content.decode()
    superuser.post(scene.page(Provider), {"reason": "leaked"})
    assert scene.first.tsid in open_tsids(), "it can do without"
    assert set(Credential.objects.values_list("provider", flat=True)) == {"google"}


@pytest.mark.parametrize("kind", KINDS)
def test_one_go_ends_so_many_and_says_that_there_is_more(
    kind: type[Model], scene: Scene, superuser: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AT_ONCE", 1)
    monkeypatch.setattr(receipts, "MAX_PREVIEWED", 1)
    monkeypatch.setattr(everything, "LOOKED_FOR", 2)
    url = scene.page(kind)
    assert "One go ends 1 of them" in superuser.get(url).content.decode()
    answer = superuser.post(url, {"reason": "x"}, follow=True).content.decode()
    assert "There is more to end than one go does." in answer
    assert f'<a href="{url}">Go on</a>' in answer
    assert len(open_tsids()) == 2
    assert "There is more" not in superuser.post(url, {"reason": "x"}, follow=True).content.decode()
    assert open_tsids() == {scene.stranger.tsid}
