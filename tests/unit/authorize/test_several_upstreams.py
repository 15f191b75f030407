"""A resource with several upstreams: exactly what is missing is visited, in one sitting."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Credential, Link, TokenSession, User
from accounts.vault import vault
from accounts.vault.base import ORPHAN_AGE
from authserver.models import Consent, Grant, PendingAuthorization, ResourceUpstream
from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.server import Reply
from tests.harness.approval import make_resource, register_themselves
from tests.unit.authorize.sitting import Sitting, links, new_sitting, upstream
from tests.unit.authorize.town import Town, bury, words
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db


def test_one_sitting_connects_them_all_the_needed_ones_first(town: Town) -> None:
    answer = town.sitting.whole()
    assert "code" in answer
    assert town.sitting.order == ["code", "mail", "notes"]
    assert links() == {"code": {"who", "repo"}, "mail": {"who", "inbox"}, "notes": {"who", "read"}}
    assert User.objects.count() == 1


def test_the_next_sitting_visits_nothing(town: Town) -> None:
    town.sitting.whole()
    again = town.another()
    assert "code" in again.whole(prompt="consent")
    assert again.order == []


def test_exactly_what_is_dead_or_lacks_scopes_is_visited_again(town: Town) -> None:
    town.sitting.whole()
    bury("mail")
    ResourceUpstream.objects.filter(provider__name="notes").update(scopes=["read", "write"])
    again = town.another()
    page = again.begin()
    assert "This connection has ended" in words(page)
    assert "more is needed: write" in words(page)
    assert words(page).count("Connected already.") == 1
    assert "code" in again.go_on(again.approve(page))
    assert again.visited == [("mail", {"who", "inbox"}), ("notes", {"who", "read", "write"})]


def test_the_page_says_what_is_not_connected_yet(town: Town) -> None:
    town.sitting.whole("notes")
    page = town.another().begin(prompt="consent")
    assert "Not connected yet. Next, Notes asks" in words(page)
    assert words(page).count("Connected already.") == 2


def test_an_optional_one_can_be_left_out_and_only_an_optional_one(town: Town) -> None:
    page = town.sitting.begin()
    assert words(page).count('type="checkbox"') == 1
    assert "code" in town.sitting.go_on(town.sitting.approve(page, "notes", "mail"))
    assert town.sitting.order == ["code", "mail"]
    assert set(links()) == {"code", "mail"}


def test_what_is_left_out_is_not_lent_though_it_is_connected(town: Town) -> None:
    town.sitting.whole()
    TokenSession.objects.all().delete()
    Link.objects.all().delete()
    again = town.another()
    again.whole("notes", prompt="consent")
    assert again.order == []
    assert set(links()) == {"code", "mail"}


def test_a_choice_cannot_be_made_for_the_person(town: Town) -> None:
    """Neither the client's request nor a made-up field leaves anything out but what the page offered."""
    page = town.sitting.begin(**{"connect.notes": "", "go_on_without": "mail"})
    assert "code" in town.sitting.go_on(town.sitting.approve(page))
    assert set(links()) == {"code", "mail", "notes"}


def test_leaving_one_out_is_remembered_as_just_that(town: Town) -> None:
    town.sitting.whole("notes")
    assert Consent.objects.get().upstream_scopes["notes"] is None
    again = town.another()
    assert "code" in again.go_on(again.begin())
    assert again.order == []
    assert "notes" not in {link.provider for link in Link.objects.all()}
    once_more = town.another()
    page = once_more.begin(prompt="consent")
    assert "code" in once_more.go_on(once_more.approve(page))
    assert once_more.order == ["notes"]
    assert Consent.objects.get().upstream_scopes["notes"] == ["who", "read"]


def test_the_trail_keeps_what_was_approved_and_whether_anybody_was_asked(town: Town) -> None:
    """The session's own links end with it."""
    town.sitting.whole("notes")
    again = town.another()
    again.go_on(again.begin())
    asked, remembered = AuditEvent.objects.filter(event="authorization.granted").order_by("id")
    assert {name: set(scopes) for name, scopes in asked.detail["upstreams"].items()} == {
        "code": {"who", "repo"}, "mail": {"who", "inbox"},
    }  # fmt: skip
    assert asked.detail["app"] == town.sitting.client.name
    assert (asked.detail["remembered"], remembered.detail["remembered"]) == (False, True)


def test_a_new_optional_one_and_one_that_grew_are_asked_for_again(town: Town) -> None:
    town.sitting.whole()
    with FakeOAuth2() as fourth:
        upstream(town.sitting.resource, fourth, "fourth", "x", required=False)
        assert "ticket" in words(town.another().begin())
        ResourceUpstream.objects.filter(provider__name="fourth").delete()
        assert town.another().begin().status_code == 302
        ResourceUpstream.objects.filter(provider__name="notes").update(scopes=["read", "write"])
        assert "ticket" in words(town.another().begin())


def test_one_that_was_left_out_is_asked_for_when_it_is_needed(town: Town) -> None:
    town.sitting.whole("notes")
    ResourceUpstream.objects.filter(provider__name="notes").update(required=True)
    assert "ticket" in words(town.another().begin())


def test_a_dead_optional_one_is_renewed_though_consent_is_remembered(town: Town) -> None:
    town.sitting.whole()
    bury("notes")
    again = town.another()
    assert "code" in again.go_on(again.begin())
    assert again.order == ["notes"]


def test_prompt_none_shows_no_page_and_leaves_out_what_is_not_needed(town: Town) -> None:
    town.sitting.whole()
    TokenSession.objects.all().delete()
    bury("notes")
    quiet = town.another()
    assert "code" in quiet.go_on(quiet.begin(prompt="none"))
    assert quiet.order == []
    assert set(links()) == {"code", "mail"}
    assert Consent.objects.get().upstream_scopes["notes"] == ["who", "read"], "nobody said to leave it out"
    bury("mail")
    assert town.another().go_on(town.another().begin(prompt="none"))["error"] == "interaction_required"


def test_who_somebody_is_does_not_depend_on_the_order(town: Town) -> None:
    Provider.objects.filter(name="mail").update(sign_in=True)
    town.sitting.whole(provider="code")
    person = town.sitting.person
    elsewhere = new_sitting(town.sitting.resource, town.sitting.client)
    assert "code" in elsewhere.whole(provider="mail")
    assert elsewhere.person == person
    assert elsewhere.order == ["mail"]
    assert User.objects.count() == 1


def test_a_chain_that_is_left_half_way_gives_nothing_and_goes_on_where_it_stopped(town: Town) -> None:
    town.mail.params = {"code": None, "error": "access_denied"}
    town.sitting.whole()
    assert not TokenSession.objects.exists()
    assert not Grant.objects.exists()
    assert [held.provider for held in Credential.objects.all()] == ["code"]
    town.mail.params = {}
    again = town.another()
    assert "code" in again.whole()
    assert again.order == ["mail", "notes"]


def test_the_tokens_of_a_chain_that_nobody_finished_are_destroyed(town: Town) -> None:
    town.notes.faults.append(Reply(500))
    town.sitting.whole()
    assert {held.provider for held in Credential.objects.all()} == {"code", "mail"}
    vault().sessions.sweep(now=timezone.now() + ORPHAN_AGE * 2, limit=100)
    assert not Credential.objects.exists()


def test_another_browser_cannot_leave_anything_out(town: Town) -> None:
    town.notes.faults.append(Reply(500))
    page = town.sitting.whole()
    assert new_sitting(town.sitting.resource, town.sitting.client).choose(page, "go_on_without").status_code == 400
    assert PendingAuthorization.objects.get().parameters["skipped"] == []


@pytest.mark.parametrize("made_up", ["mail", "code", "nothing", "", "n\x00l"])
def test_what_is_needed_cannot_be_left_out_on_the_way_either(town: Town, made_up: str) -> None:
    town.mail.faults.append(Reply(500))
    page = town.sitting.whole()
    pending = PendingAuthorization.objects.get()
    answer = town.sitting.http.post(
        f"/oauth/authorize/continue/{pending.pk}", f"go_on_without={made_up}".replace("\x00", "%00"),
        content_type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert answer.status_code < 500
    assert page.status_code == 502
    assert not TokenSession.objects.exists()


def test_two_tabs_do_not_disturb_each_other(town: Town) -> None:
    first, second = town.sitting, town.another()
    pages = first.begin(state="one"), second.begin(state="two")
    half_way = first.approve(pages[0])
    assert second.go_on(second.approve(pages[1], "notes"))["state"] == "two"
    assert first.go_on(half_way)["state"] == "one"
    assert TokenSession.objects.count() == 2
    assert sorted(Link.objects.values_list("provider", flat=True)) == ["code", "code", "mail", "mail", "notes"]


def test_the_old_token_is_kept_until_the_new_one_is_stored(town: Town) -> None:
    town.sitting.whole()
    ResourceUpstream.objects.filter(provider__name="mail").update(scopes=["inbox", "send"])
    before = Credential.objects.get(provider="mail").sealed_tokens
    town.mail.faults.append(Reply(500))
    again = town.another()
    page = again.whole()
    assert page.status_code == 502
    assert Credential.objects.get(provider="mail").sealed_tokens == before
    assert again.visited == [("mail", {"who", "inbox", "send"})]
    town.mail.person = {"id": 31337}
    again.go_on(again.choose(page, "try_again"))
    assert Credential.objects.get(provider="mail").sealed_tokens == before, "another account's tokens do not replace it"


def test_a_visit_counts_once(town: Town) -> None:
    answer = town.sitting.whole()
    visit = Visit.objects.filter(outcome=Visit.Outcome.DONE).first()
    assert visit
    again = town.sitting.http.get(f"{visit.return_path}?visit={visit.state_hash}")
    assert again.status_code == 400
    assert "answered this already" in words(again)
    assert "code" in answer
    assert TokenSession.objects.count() == 1


def test_a_self_registered_client_is_asked_every_time(town: Town) -> None:
    register_themselves()
    town.sitting.whole("notes")
    assert not Consent.objects.exists()
    assert "ticket" in words(town.another().begin())


def test_upstreams_of_another_resource_are_not_visited(town: Town) -> None:
    other = make_resource("https://other.example.com/mcp")
    sitting = Sitting(town.sitting.client, other, town.sitting.http)
    assert "code" in sitting.whole()
    assert sitting.order == ["code"], "only to sign in"
    assert links() == {}
