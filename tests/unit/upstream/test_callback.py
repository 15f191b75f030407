"""The callback: whose it is, how often it works, what it does with bad input and with a provider's refusal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Credential, User
from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.oidc import FakeOidc
from tests.unit.upstream.journeys import RETURN_PATH, Person, ended, provider_at, query_of
from upstream.errors import OutboundFailed, UpstreamError
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db


def test_another_browsers_callback_is_refused_and_the_visit_stays_good(oidc: FakeOidc, person: Person) -> None:
    """The attacker's unused callback URL must not sign the victim in as the attacker (login CSRF)."""
    url = person.at_provider(person.begin(provider_at(oidc, Provider.Type.OIDC)))
    for somebody in (Person(), Person(secret="short")):
        response = somebody.come_back(url)
        assert response.status_code == 400
        assert b"another browser" in response.content
        assert somebody.user is None
    assert oidc.requests_to("/token") == []
    assert ended(person.come_back(url)).outcome == Visit.Outcome.DONE


def test_a_callback_works_once(oidc: FakeOidc, person: Person) -> None:
    url = person.at_provider(person.begin(provider_at(oidc, Provider.Type.OIDC)))
    assert person.come_back(url).status_code == 302
    again = person.come_back(url)
    assert again.status_code == 400
    assert len(oidc.requests_to("/token")) == 1
    assert Visit.objects.get().outcome == Visit.Outcome.DONE


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_parallel_callbacks_one_goes_on(oidc: FakeOidc, person: Person) -> None:
    url = person.at_provider(person.begin(provider_at(oidc, Provider.Type.OIDC)))

    def come_back(_: int) -> int:
        try:
            return Person(secret=person.secret).come_back(url).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(come_back, range(8))) == [302] + [400] * 7
    assert len(oidc.requests_to("/token")) == 1
    assert User.objects.count() == 1


def test_a_visit_ends_after_ten_minutes_at_most(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    long_ago = timezone.now() - timedelta(seconds=601)
    response = person.come_back(person.at_provider(person.begin(provider, now=long_ago, lifetime_seconds=9999)))
    assert response.status_code == 400
    assert b"too much time" in response.content
    assert person.user is None


def test_the_path_must_be_the_visits_own(oidc: FakeOidc, person: Person) -> None:
    """Provider A's path with provider B's state (RFC 9700 s4.4), and the shared path where it was not asked for."""
    provider_at(oidc, Provider.Type.OIDC, name="other")
    url = person.at_provider(person.begin(provider_at(oidc, Provider.Type.OIDC, name="good")))
    for path in ("/oauth/callback/other?", "/oauth/callback?", "/oauth/callback/nobody?"):
        assert person.come_back(url.replace("/oauth/callback/good?", path)).status_code == 400
    assert oidc.requests_to("/token") == []
    assert ended(person.come_back(url)).outcome == Visit.Outcome.DONE


@pytest.mark.parametrize("iss", ["https://evil.example", "", None])
def test_another_issuers_answer_is_a_mix_up(oidc: FakeOidc, person: Person, iss: str | None) -> None:
    """RFC 9207: another's `iss`, and none from a provider that says it always sends it."""
    oidc.params = {"iss": iss}
    visit = person.sign_in(provider_at(oidc, Provider.Type.OIDC))
    assert visit.outcome == Visit.Outcome.FAILED
    assert oidc.requests_to("/token") == []  # the code goes to nobody
    assert AuditEvent.objects.get().reason == ("iss_missing" if iss is None else "iss_mismatch")


def test_a_provider_that_does_not_announce_iss_need_not_send_it(oidc: FakeOidc, person: Person) -> None:
    oidc.document = {"authorization_response_iss_parameter_supported": False}
    oidc.params = {"iss": None}
    assert person.sign_in(provider_at(oidc, Provider.Type.OIDC)).outcome == Visit.Outcome.DONE


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        ("access_denied", Visit.Outcome.DENIED, "declined_at_provider"),
        ("temporarily_unavailable", Visit.Outcome.FAILED, "provider_temporarily_unavailable"),
        ("<script>alert(1)</script>\r\nX: y", Visit.Outcome.FAILED, "provider_error"),
        ("", Visit.Outcome.FAILED, "provider_error"),
    ],
)
def test_a_providers_error_comes_back_in_our_words(
    oidc: FakeOidc, person: Person, error: str, outcome: str, reason: str
) -> None:
    oidc.params = {
        "code": None,
        "error": error,
        "error_description": "<b>their words</b>\r\nSet-Cookie: a=b",
        "error_uri": "javascript:alert(1)",
    }
    visit = person.sign_in(provider_at(oidc, Provider.Type.OIDC))
    assert visit.outcome == outcome
    assert AuditEvent.objects.get().reason == reason
    assert person.user is None


def test_a_refused_code_fails_without_the_providers_words(oidc: FakeOidc, person: Person) -> None:
    oidc.params = {"code": "made-up"}
    assert person.sign_in(provider_at(oidc, Provider.Type.OIDC)).outcome == Visit.Outcome.FAILED
    assert AuditEvent.objects.get().reason == "token_exchange_http_400"


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/jwks"])
def test_a_provider_that_breaks_on_the_way_fails_the_visit(oidc: FakeOidc, person: Person, path: str) -> None:
    oidc.down = {path}
    assert person.sign_in(provider_at(oidc, Provider.Type.OIDC)).outcome == Visit.Outcome.FAILED
    assert person.user is None
    assert not Credential.objects.exists()


def test_a_provider_without_discovery_begins_nothing(oidc: FakeOidc, person: Person) -> None:
    oidc.down = {"/.well-known/openid-configuration"}
    with pytest.raises(OutboundFailed):
        person.begin(provider_at(oidc, Provider.Type.OIDC))


def test_a_token_too_large_to_keep_fails_the_visit(person: Person) -> None:
    class Verbose(FakeOAuth2):
        def token_answer(self, grant: object, tokens: dict[str, object]) -> dict[str, object]:
            return {**tokens, "refresh_token": "r" * 70_000}

    with Verbose() as fake:
        assert person.sign_in(provider_at(fake, Provider.Type.OAUTH2)).outcome == Visit.Outcome.FAILED
    assert AuditEvent.objects.get().reason == "token_too_large"
    assert person.user is None


def test_a_provider_switched_off_meanwhile_signs_nobody_in(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    url = person.at_provider(person.begin(provider))
    Provider.objects.update(enabled=False)
    assert ended(person.come_back(url)).outcome == Visit.Outcome.FAILED
    assert oidc.requests_to("/token") == []
    provider.refresh_from_db()
    with pytest.raises(UpstreamError, match="provider_disabled"):
        person.begin(provider)


def test_a_provider_for_connecting_only_signs_nobody_in(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC, sign_in=False)
    with pytest.raises(UpstreamError, match="sign_in_not_offered"):
        person.begin(provider)


def test_a_secret_that_does_not_open_fails_the_visit(oidc: FakeOidc, person: Person) -> None:
    provider_at(oidc, Provider.Type.OIDC)
    provider = Provider.objects.get()
    provider.client_secret_sealed = provider.client_secret_sealed[:-4] + "AAAA"
    provider.save()
    assert person.sign_in(provider).outcome == Visit.Outcome.FAILED
    assert AuditEvent.objects.filter(event="upstream.sign_in").get().reason == "client_secret_unreadable"


def test_signing_in_makes_a_new_session(oidc: FakeOidc, person: Person) -> None:
    """Whoever planted a session in this browser does not have the signed-in one (session fixation)."""
    session = person.client.session
    session["planted"] = True
    session.save()
    before = session.session_key or ""
    person.sign_in(provider_at(oidc, Provider.Type.OIDC))
    assert person.client.session.session_key != before
    assert not Client().session.exists(before)


STATE = "A" * 43


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="nothing"),
        pytest.param("code=a&state=", id="an empty state"),
        pytest.param(f"code=a&state={STATE}", id="an unknown state"),
        pytest.param("code=a&state=' OR 1=1 --", id="no state of ours"),
        pytest.param(f"code=a&state={STATE}%00", id="a NUL"),
        pytest.param(f"code=%00&state={STATE}", id="a NUL in the code"),
        pytest.param(f"code=%ff&state={STATE}", id="bytes that are no UTF-8"),
        pytest.param(f"code=%zz&state={STATE}", id="a broken escape"),
        pytest.param(f"code=a&code=b&state={STATE}", id="a parameter twice"),
        pytest.param(f"code={'a' * 8193}&state={STATE}", id="a value too long"),
        pytest.param("&".join(f"p{n}=1" for n in range(40)), id="too many parameters"),
        pytest.param(f"code=a&state={quote('ä' * 43)}", id="another alphabet"),
    ],
)
@pytest.mark.parametrize("path", ["/oauth/callback", "/oauth/callback/fake"])
def test_bad_input_gets_a_page_and_no_more(person: Person, path: str, query: str) -> None:
    response = person.client.get(f"{path}?{query}")
    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")
    assert "no-store" in response["Cache-Control"]
    assert b"sign-in cannot go on" in response.content
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("method", ["post", "put", "delete", "head", "options"])
def test_only_get_is_served(person: Person, method: str) -> None:
    response = getattr(person.client, method)("/oauth/callback/fake")
    assert response.status_code == 405
    assert response["Allow"] == "GET"


def test_the_return_is_the_callers_and_never_the_requests(oidc: FakeOidc, person: Person) -> None:
    oidc.params = {
        "next": "https://evil.example",
        "return_path": "//evil.example",
        "redirect_uri": "https://evil.example",
    }
    response = person.come_back(person.at_provider(person.begin(provider_at(oidc, Provider.Type.OIDC))))
    assert response["Location"] == f"{RETURN_PATH}&visit={Visit.objects.get().pk}"


def test_two_tabs_do_not_disturb_each_other(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    first, second = person.begin(provider), person.begin(provider)
    assert query_of(first)["state"] != query_of(second)["state"]
    assert ended(person.come_back(person.at_provider(second))).outcome == Visit.Outcome.DONE
    assert ended(person.come_back(person.at_provider(first))).outcome == Visit.Outcome.DONE
