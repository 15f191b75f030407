"""What a person ends from their own page, and what is said before and after."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.test import Client as Http

from accounts.models import AuditEvent, Credential, Revocation, TokenSession
from authserver.models import Consent, ResourceUpstream
from tests.harness.approval import post
from tests.unit.account.conftest import PAGE, eve_of, read
from tests.unit.authorize.sitting import Sitting
from tests.unit.connect.conftest import Scene, heading
from upstream.models import Provider, Visit

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

TOKENS = {"grant_type": "refresh_token", "client_id": "app"}


def refreshed(scene: Scene) -> int:
    return int(post({**TOKENS, "refresh_token": scene.tokens["refresh_token"]}).status_code)


def test_disconnecting_asks_first_then_ends_what_needs_it_and_says_so(scene: Scene) -> None:
    path = f"{PAGE}connections/mail/disconnect"
    asked = scene.http.get(path)
    assert heading(asked) == "Disconnect Mail?"
    for said in (
        "1 app loses access to Mail through this server.",
        "1 app sign-in ends, because its server needs this connection.",
        "Your connection to Code ends too: no other app uses it.",
        "Mail is not told.",
    ):
        assert said in read(asked)
    assert refreshed_later(scene)
    done = scene.http.post(path)
    assert done.status_code == 303
    receipt = scene.http.get(done["Location"])
    assert heading(receipt) == "That is done"
    assert "You disconnected Mail." in read(receipt)
    assert "You ended the access of Claude to Example MCP server." in read(receipt)
    assert refreshed(scene) == 400
    assert not Credential.objects.filter(user=scene.sitting.person).exists()
    event = AuditEvent.objects.get(event="connection.revoked", upstream="mail")
    assert (event.reason, event.actor) == ("person", f"user:{scene.sitting.person.pk}")
    assert event.address == "127.0.0.1"
    assert "Nothing is connected." in read(scene.http.get(PAGE))


def refreshed_later(scene: Scene) -> bool:
    """Asking ended nothing."""
    return TokenSession.objects.filter(closed_at=None, user=scene.sitting.person).exists()


def test_a_server_that_can_do_without_keeps_its_session(scene: Scene) -> None:
    ResourceUpstream.objects.filter(provider__name="mail").update(required=False)
    path = f"{PAGE}connections/mail/disconnect"
    words = read(scene.http.get(path))
    assert "1 app loses access to Mail" in words
    assert "sign-in ends" not in words
    scene.http.post(path)
    assert refreshed(scene) == 200
    assert scene.exchange("mail").json()["state"] == "not_connected"


def test_the_provider_that_is_told_is_named_and_waited_for(scene: Scene) -> None:
    Provider.objects.filter(name="mail").update(
        on_session_end=Provider.SessionEnd.REVOKE, revocation_endpoint="https://mail.example/revoke"
    )
    path = f"{PAGE}connections/mail/disconnect"
    assert "Mail is told, and takes its access back." in read(scene.http.get(path))
    done = scene.http.post(path)
    assert Revocation.objects.get().provider == "mail"
    assert "Mail is still to be told." in read(scene.http.get(done["Location"]))


def test_disconnecting_twice_is_a_page_that_is_not_there(scene: Scene) -> None:
    path = f"{PAGE}connections/mail/disconnect"
    assert scene.http.post(path).status_code == 303
    assert scene.http.post(path).status_code == 404


def test_an_app_whose_access_was_removed_is_out_and_has_to_ask_again(scene: Scene) -> None:
    assert Consent.objects.count() == 1
    path = f"{PAGE}sessions/{scene.session.tsid}/remove"
    asked = scene.http.get(path)
    assert "Remove the access of" in heading(asked)
    assert "1 app sign-in ends at once." in read(asked)
    done = scene.http.post(path)
    assert "You ended the access of Claude" in read(scene.http.get(done["Location"]))
    assert refreshed(scene) == 400
    assert scene.exchange("mail").status_code == 400
    again = Sitting(scene.sitting.client, scene.sitting.resource, scene.http)
    assert "ticket" in again.begin().content.decode(), "the consent page, though they had approved it before"


def test_disconnecting_lets_no_app_connect_it_again_without_a_word(scene: Scene) -> None:
    scene.http.post(f"{PAGE}connections/mail/disconnect")
    again = Sitting(scene.sitting.client, scene.sitting.resource, scene.http)
    assert "ticket" in again.begin().content.decode()


def test_all_access_of_one_app_ends_at_once_and_nobody_elses(scene: Scene) -> None:
    assert "code" in scene.sitting.whole("notes", prompt="consent")
    eve_of(scene)
    client = scene.sitting.client
    assert "Remove all access of Claude" in read(scene.http.get(PAGE))
    path = f"{PAGE}apps/{client.pk}/remove"
    assert "2 app sign-ins end at once." in read(scene.http.get(path))
    done = scene.http.post(path)
    assert "(2 times)" in read(scene.http.get(done["Location"]))
    assert refreshed(scene) == 400
    assert TokenSession.objects.filter(closed_at=None).count() == 1
    assert Consent.objects.exclude(user=scene.sitting.person).count() == 1
    assert not Consent.objects.filter(user=scene.sitting.person).exists()


def signed_in_elsewhere(scene: Scene) -> Http:
    phone = Http()
    answer = phone.post(f"{PAGE}sign-in", {"provider": "code"})
    Sitting(scene.sitting.client, scene.sitting.resource, phone).go_on(answer)
    return phone


def test_signing_out_ends_this_browsers_session_and_says_how_far_it_reaches(scene: Scene) -> None:
    person = scene.sitting.person
    phone = signed_in_elsewhere(scene)
    assert "signed in in 1 other." in read(scene.http.get(f"{PAGE}sign-out"))
    words = read(scene.http.get(PAGE))
    assert words.count("Another browser") == 1
    assert str(phone.session.session_key) not in words
    page = scene.http.post(f"{PAGE}sign-out", {"where": "here"})
    assert "You are signed out in this browser." in read(page)
    assert heading(phone.get(PAGE)) == "What has access to your accounts"
    assert heading(page) == "You are signed out"
    assert "Your apps keep their access." in read(page)
    assert heading(scene.http.get(PAGE)) == "Sign in to see what has access"
    assert refreshed(scene) == 200
    assert AuditEvent.objects.get(event="browser_session.ended").user_id == person.pk


def test_signing_out_of_everything_ends_every_app_too(scene: Scene) -> None:
    phone, eve = signed_in_elsewhere(scene), eve_of(scene)
    page = scene.http.post(f"{PAGE}sign-out", {"apps": "1", "where": "everywhere"})
    assert "You are signed out in every browser." in read(page)
    assert heading(phone.get(PAGE)) == "Sign in to see what has access"
    assert heading(eve.get(PAGE)) == "What has access to your accounts"
    assert "No app has access any more." in read(page)
    assert refreshed(scene) == 400
    assert not TokenSession.objects.filter(closed_at=None).exclude(user__name="Eve").exists()
    assert not Consent.objects.exclude(user__name="Eve").exists()
    phone_again = signed_in_elsewhere(scene)
    event = AuditEvent.objects.get(event="browser_session.ended")
    assert (event.reason, event.detail) == ("person", {"everywhere": True})
    assert "You signed out in every browser." in read(phone_again.get(PAGE))


def test_signing_in_leads_back_here_without_any_app(scene: Scene) -> None:
    phone = Http()
    answer = phone.post(f"{PAGE}sign-in", {"provider": "code"})
    sitting = Sitting(scene.sitting.client, scene.sitting.resource, phone)
    page = sitting.go_on(answer)
    assert heading(page) == "What has access to your accounts"
    assert "Remove access to Example MCP server" in read(page)
    assert sitting.order == ["code"]
    assert phone.session.get_expiry_age() <= 12 * 3600


@pytest.mark.parametrize("provider", ["mail", "nowhere", ""])
def test_only_what_signs_people_in_can_be_chosen(scene: Scene, provider: str) -> None:
    answer = Http().post(f"{PAGE}sign-in", {"provider": provider})
    assert (answer.status_code, answer["Location"]) == (303, PAGE)


def test_whoever_says_no_at_the_provider_is_told_and_not_signed_in(scene: Scene) -> None:
    scene.code.params = {"code": None, "error": "access_denied"}
    phone = Http()
    page = Sitting(scene.sitting.client, scene.sitting.resource, phone).go_on(
        phone.post(f"{PAGE}sign-in", {"provider": "code"})
    )
    assert (page.status_code, heading(page)) == (403, "You are not signed in")
    assert "_auth_user_id" not in phone.session


def test_reconnecting_renews_a_connection_that_ended_there(scene: Scene) -> None:
    scene.bury("mail")
    assert scene.exchange("mail").status_code == 400
    page = scene.sitting.go_on(scene.http.post(f"{PAGE}connections/mail/reconnect"))
    assert heading(page) == "Mail is connected"
    assert scene.sitting.visited == [("mail", {"who", "inbox"})]
    assert scene.exchange("mail").status_code == 200
    assert refreshed(scene) == 200


def test_another_account_does_not_take_a_connections_place(scene: Scene) -> None:
    scene.mail.person = {"id": 9999}
    page = scene.sitting.go_on(scene.http.post(f"{PAGE}connections/mail/reconnect"))
    assert (page.status_code, heading(page)) == (403, "You have connected a different Mail account before")
    assert scene.exchange("mail").status_code == 200


def test_only_what_is_there_can_be_connected_again(scene: Scene) -> None:
    assert scene.http.post(f"{PAGE}connections/notes/reconnect").status_code == 404
    Provider.objects.filter(name="mail").update(enabled=False)
    assert scene.http.post(f"{PAGE}connections/mail/reconnect").status_code == 404
    assert "Connect Mail again" not in read(scene.http.get(PAGE))


def test_a_visit_of_another_browser_or_another_journey_leads_nowhere(scene: Scene) -> None:
    visit = Visit.objects.filter(outcome=Visit.Outcome.DONE).first()
    assert visit
    for state_hash in (visit.state_hash, "x", "", "%00", "%ff"):
        page = scene.http.get(f"{PAGE}back?visit={state_hash}")
        assert (page.status_code, heading(page)) == (400, "This address leads nowhere")
    answer = scene.http.post(f"{PAGE}connections/mail/reconnect")
    scene.sitting.go_on(answer)
    own = Visit.objects.get(return_path=f"{PAGE}back")
    assert Http().get(f"{PAGE}back?visit={own.state_hash}").status_code == 400


def test_nobody_elses_page_can_press_a_button_here(scene: Scene) -> None:
    strict = Http(enforce_csrf_checks=True)
    strict.cookies = scene.http.cookies
    for path in (
        "sign-in",
        "sign-out",
        "connections/mail/disconnect",
        "connections/mail/reconnect",
        f"sessions/{scene.session.tsid}/remove",
        f"apps/{scene.sitting.client.pk}/remove",
    ):
        assert strict.post(PAGE + path, headers={"Origin": "https://evil.example"}).status_code == 403
        assert strict.post(PAGE + path).status_code == 403
    assert refreshed(scene) == 200


def test_a_provider_is_visited_only_so_often(scene: Scene, settings: object) -> None:
    from authserver import limits

    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "authorize": "1/hour"}  # type: ignore[attr-defined]
    limits._limiter.cache_clear()
    answers = [Http().post(f"{PAGE}sign-in", {"provider": "code"}) for _ in range(2)]
    assert answers[1].status_code == 429
    assert answers[1]["Retry-After"]
    limits._limiter.cache_clear()


def test_where_a_provider_sends_people_is_this_servers_own_page(scene: Scene) -> None:
    scene.http.post(f"{PAGE}connections/mail/reconnect")
    assert urlsplit(Visit.objects.latest("created_at").return_path).path == f"{PAGE}back"
