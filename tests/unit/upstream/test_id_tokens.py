"""ID tokens that must sign nobody in (OpenID Connect Core s3.1.3.7), and the keys they are checked with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.models import AuditEvent, User
from tests.fakes.oauth2 import CLIENT_ID, CLIENT_SECRET
from tests.fakes.oidc import PRIVATE_KEYS, FakeOidc, public_jwk
from tests.unit.upstream.journeys import Person, provider_at
from upstream import discovery
from upstream.errors import OutboundFailed
from upstream.models import Provider, Visit

pytestmark = pytest.mark.django_db

NOW = int(time.time())
HOUR = 3600


def refused(fake: FakeOidc, person: Person, reason: str | None = None) -> None:
    """The sign-in fails, nobody comes of it, and the audit trail says why in our words."""
    visit = person.sign_in(provider_at(fake, Provider.Type.OIDC))
    assert visit.outcome == Visit.Outcome.FAILED
    assert person.user is None
    assert not User.objects.exists()
    event = AuditEvent.objects.get(event="upstream.sign_in")
    assert event.outcome == "failed"
    if reason is not None:
        assert event.reason == reason


def without(claim: str) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.pop(claim, None) and None


def having(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.update(changed)


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        pytest.param(having(iss="https://evil.example"), "invalid_claim", id="another issuer"),
        pytest.param(having(iss=7), None, id="an issuer that is a number"),
        pytest.param(without("iss"), None, id="no issuer"),
        pytest.param(having(aud="somebody-else"), "invalid_claim", id="another audience"),
        pytest.param(having(aud=[CLIENT_ID, "somebody-else"]), "id_token_audience", id="one audience too many"),
        pytest.param(
            having(aud=[CLIENT_ID, "somebody-else"], azp=CLIENT_ID),
            "id_token_audience",
            id="too many, authorized to us",
        ),
        pytest.param(having(aud=[]), None, id="an empty audience"),
        pytest.param(without("aud"), None, id="no audience"),
        pytest.param(having(azp="somebody-else"), "id_token_audience", id="authorized to another client"),
        pytest.param(having(exp=NOW - HOUR), "response_expired", id="over"),
        pytest.param(having(exp="soon"), None, id="an end that is text"),
        pytest.param(without("exp"), "missing_claim", id="no end"),
        pytest.param(having(iat=NOW - 2 * HOUR), "id_token_times", id="issued long ago"),
        pytest.param(having(iat=NOW + HOUR), None, id="issued in the future"),
        pytest.param(having(iat=True), None, id="issued at true"),
        pytest.param(having(iat=str(NOW)), "id_token_times", id="issued at a text"),
        pytest.param(without("iat"), "id_token_times", id="no time of issue"),
        pytest.param(having(nbf=NOW + HOUR), None, id="not yet valid"),
        pytest.param(having(auth_time=NOW + HOUR), "id_token_times", id="signed in in the future"),
        pytest.param(having(auth_time="today"), "id_token_times", id="signed in at a text"),
        pytest.param(without("sub"), None, id="no subject"),
        pytest.param(having(sub=""), "subject_malformed", id="an empty subject"),
        pytest.param(having(sub="None"), "subject_malformed", id="the subject None"),
        pytest.param(having(sub=1001), None, id="a numeric subject"),
        pytest.param(having(sub=None), None, id="a null subject"),
        pytest.param(having(sub=["ada-1"]), None, id="a list as subject"),
        pytest.param(having(sub="a" * 256), "subject_malformed", id="a subject too long"),
        pytest.param(having(sub="ada\x001"), "subject_malformed", id="a NUL in the subject"),
        pytest.param(without("nonce"), "id_token_nonce", id="no nonce"),
        pytest.param(having(nonce="another"), "id_token_nonce", id="another nonce"),
        pytest.param(having(nonce=["another"]), "id_token_nonce", id="a list as nonce"),
        pytest.param(having(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "invalid_claim", id="another access token's hash"),
        pytest.param(having(at_hash=7), "invalid_claim", id="a hash that is a number"),
    ],
)
def test_a_hostile_claim_signs_nobody_in(
    oidc: FakeOidc, person: Person, forge: Callable[[dict[str, Any]], None], reason: str | None
) -> None:
    oidc.forge = forge
    refused(oidc, person, reason)


def test_another_visits_nonce_signs_nobody_in(oidc: FakeOidc, person: Person) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    nonces: list[str] = []
    oidc.forge = lambda claims: nonces.append(claims["nonce"])
    assert person.sign_in(provider).outcome == Visit.Outcome.DONE
    oidc.forge = lambda claims: claims.update(nonce=nonces[0])
    assert Person().sign_in(provider).outcome == Visit.Outcome.FAILED


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _message(algorithm: str, claims: dict[str, Any]) -> str:
    return f"{_b64(json.dumps({'alg': algorithm, 'kid': 'key-1'}).encode())}.{_b64(json.dumps(claims).encode())}"


def _unsigned(claims: dict[str, Any]) -> str:
    return _message("none", claims) + "."


def _hmac_with(key: bytes) -> Callable[[dict[str, Any]], str]:
    """An HS256 token made by hand: libraries refuse to take a public key for a secret."""

    def sign(claims: dict[str, Any]) -> str:
        message = _message("HS256", claims)
        return f"{message}.{_b64(hmac.digest(key, message.encode(), hashlib.sha256))}"

    return sign


_PUBLIC_PEM = (
    PRIVATE_KEYS["ES256"]
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize(
    ("sign", "reason"),
    [
        pytest.param(_unsigned, "id_token_algorithm", id="unsigned"),
        pytest.param(_hmac_with(CLIENT_SECRET.encode()), "id_token_algorithm", id="HMAC with our secret"),
        pytest.param(_hmac_with(_PUBLIC_PEM), "id_token_algorithm", id="HMAC with the public key"),
        pytest.param(
            lambda claims: jwt.encode(claims, PRIVATE_KEYS["RS256"], "RS256", headers={"kid": "key-1"}),
            "id_token_algorithm",
            id="an algorithm the provider does not announce",
        ),
        pytest.param(
            lambda claims: jwt.encode(
                claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": "key-1"}
            ),
            "invalid_signature",
            id="another key under the same id",
        ),
        pytest.param(
            lambda claims: jwt.encode(claims, PRIVATE_KEYS["ES256"], "ES256", headers={"kid": "key-2"}),
            "invalid_signature",
            id="an unknown key id",
        ),
        pytest.param(
            lambda claims: jwt.encode(
                claims, PRIVATE_KEYS["ES256"], "ES256", headers={"kid": "key-1", "crit": ["x"], "x": 1}
            ),
            None,
            id="a critical header we do not know",
        ),
        pytest.param(lambda claims: "not.a.token", None, id="no token"),
        pytest.param(lambda claims: "", "missing_claim", id="empty"),
        pytest.param(lambda claims: "a" * 5000, None, id="no dots"),
        pytest.param(lambda claims: "e30.e30.e30", None, id="three empty objects"),
    ],
)
def test_a_hostile_signature_signs_nobody_in(
    oidc: FakeOidc, person: Person, sign: Callable[[dict[str, Any]], str], reason: str | None
) -> None:
    oidc.sign = sign
    refused(oidc, person, reason)


def test_a_signature_stripped_or_changed_signs_nobody_in(oidc: FakeOidc, person: Person) -> None:
    oidc.sign = lambda claims: oidc.signed(claims).rpartition(".")[0] + "."
    refused(oidc, person)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="none"),
        pytest.param([{"kty": "oct", "kid": "key-1", "k": "c2VjcmV0", "alg": "HS256"}], id="a symmetric key"),
        pytest.param([{**public_jwk("ES256", "key-1"), "use": "enc"}], id="an encryption key"),
        pytest.param([{**public_jwk("ES256", "key-1"), "alg": "ES384"}], id="a key for another algorithm"),
        pytest.param([{"kty": "EC", "kid": "key-1"}], id="half a key"),
        pytest.param([{"kty": "EC", "kid": "key-1", "crv": "P-256", "x": 1, "y": []}], id="a key of the wrong shapes"),
        pytest.param([public_jwk("ES256", "key-1", ec.generate_private_key(ec.SECP256R1()))], id="another's key"),
        pytest.param(["key-1"], id="text"),
        pytest.param([public_jwk("ES256", f"key-{n}") for n in range(100, 200)], id="a hundred keys"),
    ],
)
def test_useless_keys_sign_nobody_in(oidc: FakeOidc, person: Person, keys: list[Any]) -> None:
    oidc.jwks = keys
    refused(oidc, person)


def test_a_key_without_id_and_algorithm_is_found_by_its_type(oidc: FakeOidc, person: Person) -> None:
    bare = {name: value for name, value in public_jwk("ES256", "").items() if name not in {"kid", "alg", "use"}}
    oidc.jwks = [public_jwk("RS256", "another"), bare]
    oidc.sign = lambda claims: jwt.encode(claims, PRIVATE_KEYS["ES256"], "ES256")
    assert person.sign_in(provider_at(oidc, Provider.Type.OIDC)).outcome == Visit.Outcome.DONE


def test_a_new_key_is_fetched_when_it_first_signs(
    oidc: FakeOidc, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    assert person.sign_in(provider).outcome == Visit.Outcome.DONE
    oidc.key_id, oidc.private = "key-2", ec.generate_private_key(ec.SECP256R1())
    monkeypatch.setattr(discovery, "RETRY_SECONDS", 0)
    assert Person().sign_in(provider).outcome == Visit.Outcome.DONE


def test_a_new_algorithm_is_learned_when_it_first_signs(
    oidc: FakeOidc, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    assert person.sign_in(provider).outcome == Visit.Outcome.DONE
    oidc.algorithm, oidc.key_id = "RS256", "key-2"
    monkeypatch.setattr(discovery, "RETRY_SECONDS", 0)
    assert Person().sign_in(provider).outcome == Visit.Outcome.DONE


def test_unknown_key_ids_do_not_make_us_ask_again_and_again(oidc: FakeOidc) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    oidc.header = {"kid": "made-up"}
    for _ in range(5):
        Person().sign_in(provider)
    assert len(oidc.requests_to("/jwks")) == 1


def test_keys_are_remembered_while_the_provider_is_away_and_not_for_ever(
    oidc: FakeOidc, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    assert person.sign_in(provider).outcome == Visit.Outcome.DONE
    oidc.down = {"/jwks"}
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0)
    assert Person().sign_in(provider).outcome == Visit.Outcome.DONE
    monkeypatch.setattr(discovery, "STALE_SECONDS", 0)
    assert Person().sign_in(provider).outcome == Visit.Outcome.FAILED


def test_userinfo_of_somebody_else_signs_nobody_in(oidc: FakeOidc, person: Person) -> None:
    oidc.userinfo = {"sub": "grace-2"}
    refused(oidc, person, "userinfo_subject")


def test_userinfo_without_a_subject_signs_nobody_in(oidc: FakeOidc, person: Person) -> None:
    oidc.userinfo = {"sub": None}
    refused(oidc, person, "userinfo_subject")


def test_userinfo_cannot_overrule_the_signed_claims(oidc: FakeOidc, person: Person) -> None:
    oidc.forge = lambda claims: claims.update(email_verified=False)
    oidc.userinfo = {"email_verified": True, "name": "Mallory"}
    person.sign_in(provider_at(oidc, Provider.Type.OIDC))
    assert person.user is not None
    assert (person.user.name, person.user.email) == ("Ada Example", "")


def test_an_address_and_its_verification_come_from_one_place(oidc: FakeOidc, person: Person) -> None:
    oidc.forge = lambda claims: claims.pop("email_verified")
    oidc.userinfo = {"email": "ada@example.com", "email_verified": True}
    person.sign_in(provider_at(oidc, Provider.Type.OIDC))
    assert person.user is not None
    assert person.user.email == ""


def test_userinfo_adds_what_the_id_token_leaves_out(oidc: FakeOidc, person: Person) -> None:
    def only_identity(claims: dict[str, Any]) -> None:
        for claim in ("name", "email", "email_verified"):
            del claims[claim]

    oidc.forge = only_identity
    person.sign_in(provider_at(oidc, Provider.Type.OIDC))
    assert person.user is not None
    assert (person.user.name, person.user.email) == ("Ada Example", "ada@example.com")


@pytest.mark.parametrize("issuer", ["https://evil.example", "", None, 7])
def test_another_issuers_discovery_document_is_refused(oidc: FakeOidc, person: Person, issuer: object) -> None:
    provider = provider_at(oidc, Provider.Type.OIDC)
    oidc.document = {"issuer": issuer}
    with pytest.raises(OutboundFailed, match="issuer_mismatch"):
        person.begin(provider)
    assert not Visit.objects.exists()
