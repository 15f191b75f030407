"""What stands in the way at one of several upstreams, in words; and no one hides another."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Credential, TokenSession, User
from tests.fakes.oidc import FakeOidc
from tests.fakes.server import Reply
from tests.unit.authorize.answers import sent_to
from tests.unit.authorize.sitting import links, new_sitting
from tests.unit.authorize.town import Town, bury, words
from upstream.models import Provider

pytestmark = pytest.mark.django_db


def test_declining_an_optional_one_at_the_provider_stops_nothing(town: Town) -> None:
    town.notes.params = {"code": None, "error": "access_denied"}
    page = town.sitting.whole()
    assert "was not connected" in words(page)
    assert "code" in town.sitting.go_on(town.sitting.choose(page, "go_on_without"))
    assert set(links()) == {"code", "mail"}


def test_and_can_be_asked_again(town: Town) -> None:
    town.notes.params = {"code": None, "error": "access_denied"}
    page = town.sitting.whole()
    town.notes.params = {}
    assert "code" in town.sitting.go_on(town.sitting.choose(page, "try_again"))
    assert town.sitting.order == ["code", "mail", "notes", "notes"]
    assert set(links()) == {"code", "mail", "notes"}


def test_declining_a_needed_one_is_the_clients_to_hear(town: Town) -> None:
    town.mail.params = {"code": None, "error": "access_denied"}
    assert town.sitting.whole()["error"] == "access_denied"
    assert not TokenSession.objects.exists()


@pytest.mark.parametrize("name", ["mail", "notes"])
def test_a_broken_one_hides_no_other(town: Town, name: str) -> None:
    getattr(town, name).faults.append(Reply(500))
    page = town.sitting.whole()
    assert page.status_code == 502
    assert f"Connecting {name.capitalize()} did not work" in words(page)
    assert ("go_on_without" in words(page)) == (name == "notes")
    assert "code" in town.sitting.go_on(town.sitting.choose(page, "try_again"))
    assert set(links()) == {"code", "mail", "notes"}


def test_one_that_cannot_even_be_reached_hides_no_other(town: Town) -> None:
    """Its endpoints come from a discovery document that is not there: the consent page does not need it."""
    entry = town.entry("notes")
    Provider.objects.filter(pk=entry.provider_id).update(
        type="oidc", issuer="http://127.0.0.1:9", authorization_endpoint="", token_endpoint="", userinfo_endpoint=""
    )
    page = town.sitting.whole()
    assert page.status_code == 502
    assert town.sitting.order == ["code", "mail"]
    assert "code" in town.sitting.go_on(town.sitting.choose(page, "go_on_without"))
    assert set(links()) == {"code", "mail"}


def test_an_optional_one_that_is_switched_off_is_not_spoken_of(town: Town) -> None:
    Provider.objects.filter(name="notes").update(enabled=False)
    page = town.sitting.begin()
    assert "Notes" not in words(page)
    assert "code" in town.sitting.go_on(town.sitting.approve(page))
    Provider.objects.filter(name="mail").update(enabled=False)
    bury("mail")
    page = town.another().whole(prompt="consent")
    assert (page.status_code, "switched off" in words(page)) == (503, True)


def test_one_that_grants_too_little_is_said_so_and_can_be_asked_again(town: Town) -> None:
    def without_inbox(grant: Any, tokens: dict[str, Any]) -> dict[str, Any]:
        return {**tokens, "scope": "who"}

    town.mail.token_answer = without_inbox  # type: ignore[method-assign]
    page = town.sitting.whole()
    assert page.status_code == 403
    assert "inbox" in words(page)
    assert "go_on_without" not in words(page)
    assert not TokenSession.objects.exists()
    del town.mail.token_answer
    assert "code" in town.sitting.go_on(town.sitting.choose(page, "try_again"))


def test_an_account_of_somebody_else_is_refused_with_a_page_that_explains(town: Town) -> None:
    town.sitting.whole()
    town.code.person = {"id": 2002, "name": "Eve"}
    stranger = new_sitting(town.sitting.resource, town.sitting.client)
    page = stranger.whole()
    assert page.status_code == 403
    assert "belongs to another person here" in words(page)
    assert "Ada" not in words(page)
    assert stranger.person.name == "Eve", "connecting signs nobody in"
    assert User.objects.count() == 2
    town.mail.person, town.notes.person = {"id": 3003, "name": "Eve's"}, {"id": 4004}
    assert "code" in stranger.go_on(stranger.choose(page, "try_again"))
    assert stranger.person.name == "Eve", "and renames nobody"


def test_after_a_wrong_account_the_provider_is_told_to_offer_others(town: Town) -> None:
    with FakeOidc() as oidc:
        provider = town.entry("mail").provider
        Provider.objects.filter(pk=provider.pk).update(
            type="oidc", issuer=oidc.issuer, authorization_endpoint="", token_endpoint="", userinfo_endpoint=""
        )
        oidc.faults.append(Reply(500))
        page = town.sitting.begin()
        answer = town.sitting.approve(page)
        while True:
            address, query = sent_to(answer)
            if address.startswith(oidc.url):
                break
            answer = town.sitting.step(answer)
        assert "prompt" not in query
        page = town.sitting.step(answer)
        page = town.sitting.http.get(page["Location"])
        again = town.sitting.choose(page, "try_again")
        assert sent_to(again)[1]["prompt"] == "select_account"


def test_a_second_account_of_one_provider_is_refused_in_its_own_words(town: Town) -> None:
    town.sitting.whole()
    bury("mail")
    town.mail.person = {"id": 9999, "name": "Other"}
    page = town.another().whole()
    assert page.status_code == 403
    assert "connected a different Mail account before" in words(page)
    assert Credential.objects.filter(provider="mail").count() == 1
