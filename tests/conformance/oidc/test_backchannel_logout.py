"""OpenID Connect Back-Channel Logout 1.0: which logout tokens are accepted (section 2.6), and how each is answered."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client as Http
from pytest_django import Settings

from accounts.models import BrowserSession, TokenSession
from authserver import limits
from authserver.models import UsedAssertion
from tests.conformance.oidc.scene import Scene
from tests.fakes.oauth2 import CLIENT_ID
from tests.fakes.oidc import PRIVATE_KEYS, public_jwk
from tests.harness.logout import EVENT, FORM, claims, send, signed
from upstream import discovery
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
SHARED = b"what the public key looks like, taken for a shared secret"
LATER, EARLIER = int(time.time()) + 3600, int(time.time()) - 3600


@pytest.fixture
def here(scene: Scene) -> Scene:
    """Ada has signed in and approved."""
    scene.ask()
    assert still_here()
    return scene


def still_here() -> bool:
    browsers, sessions = (
        BrowserSession.objects.filter(signed_in_with="idp"),
        TokenSession.objects.filter(closed_at=None),
    )
    assert browsers.exists() == sessions.exists()
    return sessions.exists()


def is_refused(answer: Any, because: str = "") -> None:
    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert body["error"] == "invalid_request"
    assert because in body["error_description"]
    assert answer["Cache-Control"] == "no-store"
    assert still_here()


def test_a_good_token_ends_what_the_sign_in_began(here: Scene) -> None:
    answer = send(signed(here.idp))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Cache-Control"] == "no-store"
    assert not answer.cookies
    assert "Access-Control-Allow-Origin" not in answer
    assert not still_here()


@pytest.mark.parametrize("typ", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", None])
def test_the_types_of_the_specification_and_of_older_providers_pass(here: Scene, typ: str | None) -> None:
    assert send(signed(here.idp, typ)).status_code == 200
    assert not still_here()


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_every_algorithm_of_id_tokens_signs_them(here: Scene, algorithm: str) -> None:
    here.idp.algorithm, here.idp.key_id = algorithm, "key-2"
    discovery.forget()
    assert send(signed(here.idp)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"iss": "https://another.example"}, "InvalidIssuer"),
        ({"iss": None}, "MissingRequiredClaim"),
        ({"aud": "another-client"}, "InvalidAudience"),
        ({"aud": [CLIENT_ID, "another-client"]}, "id_token_audience"),
        ({"azp": "another-client"}, "id_token_audience"),
        ({"aud": None}, "MissingRequiredClaim"),
        ({"iat": EARLIER}, "iat is not recent"),
        ({"iat": LATER, "exp": LATER + 60}, "iat is not recent"),
        ({"iat": None}, "MissingRequiredClaim"),
        ({"iat": "now"}, "iat is not a number"),
        ({"iat": True}, "iat is not a number"),
        ({"exp": EARLIER}, "expired"),
        ({"exp": None}, "MissingRequiredClaim"),
        ({"exp": 1e300}, "exp is not a number"),
        ({"nbf": LATER}, "nbf is in the future"),
        ({"events": None}, "MissingRequiredClaim"),
        ({"events": {}}, "events"),
        ({"events": [EVENT]}, "events"),
        ({"events": {EVENT: True}}, "events"),
        ({"events": {"http://schemas.openid.net/event/another": {}}}, "events"),
        ({"nonce": "n-0S6_WzA2Mj"}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"sub": None}, "neither sub nor sid"),
        ({"sub": 7}, "sub is not printable text"),
        ({"sub": ""}, "sub is not printable text"),
        ({"sid": 7}, "sid is not printable text"),
        ({"sid": ""}, "sid is not printable text"),
        ({"sid": "nul\x00"}, "sid is not printable text"),
        ({"sid": "x" * 300}, "sid is not printable text"),
        ({"jti": None}, "MissingRequiredClaim"),
        ({"jti": ["x"]}, "jti is not printable text"),
        ({"jti": "x" * 300}, "jti is not printable text"),
    ],
)
def test_each_claim_is_checked(here: Scene, changes: dict[str, Any], because: str) -> None:
    is_refused(send(signed(here.idp, **changes)), because)


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "secevent+jwt", 7])
def test_another_kind_of_token_is_none(here: Scene, typ: Any) -> None:
    is_refused(send(signed(here.idp, typ)))


def test_an_id_token_is_none(here: Scene) -> None:
    """Section 4: it has a nonce, or else no event."""
    now = int(time.time())
    said = {"iss": here.idp.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "sub": "ada-1", "jti": "j"}
    here.idp.header = {"typ": "JWT"}
    is_refused(send(here.idp.signed({**said, "nonce": "n"})))
    is_refused(send(here.idp.signed(said)))


@pytest.mark.parametrize("what", ["none", "another key", "key confusion", "broken", "another kid", "embedded key"])
def test_only_the_providers_own_signature_counts(here: Scene, what: str) -> None:
    idp, said = here.idp, claims(here.idp)
    header: dict[str, Any] = {"kid": idp.key_id, "typ": "logout+jwt"}
    stranger = ec.generate_private_key(ec.SECP256R1())
    token = {
        "none": lambda: jwt.encode(said, "", "none", headers=header),
        "another key": lambda: jwt.encode(said, stranger, "ES256", headers=header),
        "key confusion": lambda: jwt.encode(said, SHARED, "HS256", headers=header),
        "broken": lambda: signed(idp)[:-4] + "AAAA",
        "another kid": lambda: jwt.encode(said, PRIVATE_KEYS["ES256"], "ES256", headers={**header, "kid": "unknown"}),
        "embedded key": lambda: jwt.encode(
            said, stranger, "ES256", headers={**header, "jwk": public_jwk("ES256", "x", stranger)}
        ),
    }[what]()
    is_refused(send(token))


def test_a_key_that_the_provider_has_just_begun_to_use_is_asked_for(here: Scene, monkeypatch: Any) -> None:
    monkeypatch.setattr(discovery, "RETRY_SECONDS", 0)
    here.idp.key_id, here.idp.private = "key-2", ec.generate_private_key(ec.SECP256R1())
    assert send(signed(here.idp)).status_code == 200
    assert not still_here()


def test_with_the_keys_away_the_provider_is_asked_to_try_again(here: Scene) -> None:
    discovery.forget()
    here.idp.down = {"/jwks"}
    answer = send(signed(here.idp))
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert still_here()


def test_a_token_counts_once(here: Scene) -> None:
    token = signed(here.idp)
    assert send(token).status_code == 200
    here.ask(prompt="login")
    is_refused(send(token), "jti was used before")
    [used] = UsedAssertion.objects.all()
    assert 0 < used.expires_at.timestamp() - time.time() < 300  # no longer than the token itself would pass


@pytest.mark.parametrize("upstream", ["unknown", "x" * 300, "github"])
def test_whoever_is_no_openid_provider_of_ours_signs_nobody_out(here: Scene, upstream: str) -> None:
    Provider.objects.create(name="github", type="github", client_id="us")
    is_refused(send(signed(here.idp), upstream))


def test_a_provider_that_is_switched_off_signs_nobody_out(here: Scene) -> None:
    Provider.objects.update(enabled=False)
    is_refused(send(signed(here.idp)))


def test_one_provider_signs_nobody_out_of_another(here: Scene) -> None:
    provider = Provider.objects.get(name="idp")
    provider.pk, provider.name, provider.client_id = None, "second", "another-client"
    provider.save(force_insert=True)
    is_refused(send(signed(here.idp), "second"))
    assert send(signed(here.idp, aud="another-client"), "second").status_code == 200  # and nobody is known there
    assert still_here()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("", FORM),
        ("logout_token=", FORM),
        ("logout_token=a.b.c", FORM),
        ("logout_token=" + "a" * 9000, FORM),
        ("logout_token=a.b.c&logout_token=a.b.c", FORM),
        ("logout_token=%zz", FORM),
        ("logout_token=%00", FORM),
        ("logout_token=%ff.%fe.x", FORM),
        ("logout_token=e30.e30.e30", FORM),
        ("logout_token=W10.W10.W10", FORM),
        ("logout_token=eyJhbGciOltdfQ.e30.x", FORM),
        ('{"logout_token": "a.b.c"}', "application/json"),
        ("logout_token=a.b.c", "text/plain"),
    ],
)
def test_whatever_else_is_sent_is_refused_in_words(here: Scene, body: str, content_type: str) -> None:
    answer = Http().post("/oauth/backchannel-logout/idp", body, content_type)
    is_refused(answer)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(here: Scene, method: str) -> None:
    answer = Http().generic(method, "/oauth/backchannel-logout/idp")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "Access-Control-Allow-Origin" not in answer
    assert still_here()


def test_a_large_body_is_not_read(here: Scene) -> None:
    answer = Http().post("/oauth/backchannel-logout/idp", "logout_token=" + "x" * 70_000, FORM)
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


def test_an_address_that_sends_too_many_waits(here: Scene, settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "backchannel_logout": "1/minute"}
    limits._limiter.cache_clear()
    send("a.b.c")
    answer = send(signed(here.idp))
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert still_here()
