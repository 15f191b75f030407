"""Token exchange for callers with habits of their own, and for those with bad intentions."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client as Http
from django.utils import timezone

from accounts.vault.base import TokenSet
from authserver.grant_types import TOKEN_EXCHANGE
from authserver.models import ResourceServer, ResourceUpstream
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_provider,
    make_resource_server,
    post,
)

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
CANARY = "CANARY-upstream-access-token"
TYPE = "urn:ietf:params:oauth:token-type:"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def approval() -> Approval:
    made = approve(
        provider=make_provider(api_resources=["https://api.github.com", "https://ghe.example.com/api/v3/"]),
        tokens=TokenSet(access_token=CANARY, scopes=("repo",), expires_at=timezone.now() + timedelta(hours=1)),
    )
    make_resource_server(made.resource)
    return made


@pytest.fixture
def form(approval: Approval) -> dict[str, str]:
    """A good request, its credentials apart."""
    token: str = approval.redeem()["access_token"]
    return {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": f"{TYPE}access_token"}


POST = {"client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET}


def basic(name: str, secret: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode(encoding)).decode()


def refused(answer: Any, *errors: str) -> dict[str, Any]:
    """The body of a refusal that says why, with a status of the caller's and without a token."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.content)
    assert CANARY.encode() not in answer.content
    body: dict[str, Any] = answer.json()
    assert "access_token" not in body
    assert body["error"] in (errors or {"invalid_request", "invalid_target", "invalid_client"})
    assert body["error_description"]
    return body


# --- Habits -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "target",
    [
        {},
        {"audience": "github"},
        {"audience": "https://api.github.com"},
        {"audience": "https://api.github.com/"},
        {"audience": "https://ghe.example.com/api/v3"},
        {"resource": "https://api.github.com/"},
        {"audience": "github", "resource": "https://api.github.com"},
        {"audience": "https://api.github.com", "resource": "https://ghe.example.com/api/v3/"},
        {"audience": "", "resource": "", "scope": ""},
        {"scope": "repo"},
        {"requested_token_type": ""},
        {"requested_token_type": f"{TYPE}access_token"},
        {"subject_token_type": f"{TYPE}jwt"},
        {"actor_token": "", "actor_token_type": ""},
        {"tenant": "acme", "requested_subject": "somebody", "options": "{}", "request": "user"},
    ],
    ids=str,
)
def test_every_way_to_ask_for_the_one_upstream_works(form: dict[str, str], target: dict[str, str]) -> None:
    body = post({**form, **POST, **target}).json()
    assert body["access_token"] == CANARY
    assert body["issued_token_type"] == f"{TYPE}access_token"
    assert body["token_type"] == "Bearer"
    assert type(body["expires_in"]) is int
    assert body["scope"] == "repo"


def test_parameters_that_nobody_knows_may_repeat(form: dict[str, str]) -> None:
    assert post(urlencode({**form, **POST}) + "&tag=a&tag=b").json()["access_token"] == CANARY


@pytest.mark.parametrize(
    "content_type",
    [f"{FORM};charset=UTF-8", f"{FORM}; charset=utf-8", f"{FORM} ; charset=ISO-8859-1", "Application/X-WWW-Form-URLencoded"],
)  # fmt: skip
def test_the_content_type_may_have_parameters(form: dict[str, str], content_type: str) -> None:
    answer = Http().post("/oauth/token", data=urlencode({**form, **POST}), content_type=content_type)
    assert answer.json()["access_token"] == CANARY


@pytest.mark.parametrize(
    "secret",
    ["with+plus%41and:colon~of-enough_length", "pass phrase of enough length & more", "Ünïcødé-of-enough-length"],
)
@pytest.mark.parametrize("style", ["encoded", "as it is"])
@pytest.mark.parametrize("body_id", [{}, {"client_id": "rs-a"}], ids=["alone", "with client_id in the body"])
def test_basic_is_read_whether_percent_encoded_or_not(
    form: dict[str, str], secret: str, style: str, body_id: dict[str, str]
) -> None:
    ResourceServer.objects.update(client_secret=make_password(secret, hasher="random_secret_sha256"))
    header = basic("rs-a", secret) if style == "as it is" else basic(quote("rs-a", safe=""), quote(secret, safe=""))
    assert post({**form, **body_id}, Authorization=header).json()["access_token"] == CANARY


def test_a_token_in_its_last_second_is_not_said_to_last_for_ever() -> None:
    """golang.org/x/oauth2 takes `expires_in: 0` for none at all and keeps the token."""
    from authserver.release import token_members
    from upstream.refresh import Fresh

    now = timezone.now()
    fresh = Fresh("a-token", "Bearer", (), now + timedelta(milliseconds=300), None)  # type: ignore[arg-type]
    assert token_members(fresh, now=now)["expires_in"] == 1


def test_a_token_that_does_not_say_when_it_ends_has_no_expires_in() -> None:
    made = approve(provider=make_provider(), tokens=TokenSet(access_token=CANARY, scopes=("repo",)))
    make_resource_server(made.resource)
    answer = post(
        {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": made.redeem()["access_token"],
            "subject_token_type": f"{TYPE}access_token",
            **POST,
        }
    )
    assert answer.json()["access_token"] == CANARY
    assert "expires_in" not in answer.json()


# --- What is refused, and in which words ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "kind", ["id_token", "refresh_token", "saml2", "access-token", "ACCESS_TOKEN", "access_token "]
)
def test_other_kinds_of_subject_token_are_refused_by_name(form: dict[str, str], kind: str) -> None:
    body = refused(post({**form, **POST, "subject_token_type": TYPE + kind}), "invalid_request")
    assert body["error_description"].startswith("subject_token_type must be")


@pytest.mark.parametrize("kind", ["jwt", "id_token", "refresh_token", "id-jag"])
def test_only_an_access_token_can_be_requested(form: dict[str, str], kind: str) -> None:
    body = refused(post({**form, **POST, "requested_token_type": TYPE + kind}), "invalid_request")
    assert "requested_token_type" in body["error_description"]


def test_acting_for_somebody_else_is_refused_by_name(form: dict[str, str]) -> None:
    body = refused(post({**form, **POST, "actor_token": form["subject_token"]}), "invalid_request")
    assert "actor_token" in body["error_description"]


def test_the_refusal_names_the_upstreams_there_are(approval: Approval, form: dict[str, str]) -> None:
    gitlab = make_provider("gitlab", api_resources=["https://gitlab.com/api"])
    ResourceUpstream.objects.create(resource=approval.resource, provider=gitlab, required=False)
    assert "github, gitlab" in refused(post({**form, **POST}), "invalid_target")["error_description"]
    unknown = refused(post({**form, **POST, "audience": "nobody"}), "invalid_target")
    assert "github, gitlab" in unknown["error_description"]
    assert "nobody" not in unknown["error_description"]


@pytest.mark.parametrize(
    ("audience", "resource"),
    [("gitlab", "https://api.github.com"), ("github", "https://gitlab.com/api"), ("github", "github")],
)
def test_audience_and_resource_have_to_mean_the_same(
    approval: Approval, form: dict[str, str], audience: str, resource: str
) -> None:
    gitlab = make_provider("gitlab", api_resources=["https://gitlab.com/api"])
    ResourceUpstream.objects.create(resource=approval.resource, provider=gitlab, required=False)
    refused(post({**form, **POST, "audience": audience, "resource": resource}), "invalid_target")


@pytest.mark.parametrize("name", ["audience", "resource"])
def test_several_targets_at_once_are_refused_as_such(form: dict[str, str], name: str) -> None:
    repeated = f"{urlencode({**form, **POST})}&{name}=github&{name}=gitlab"
    assert refused(post(repeated), "invalid_target")["error_description"] == f"Name one {name} only."


def test_json_is_refused(form: dict[str, str]) -> None:
    answer = Http().post("/oauth/token", data={**form, **POST}, content_type="application/json")
    assert FORM in refused(answer, "invalid_request")["error_description"]


def test_a_multipart_body_is_refused(form: dict[str, str]) -> None:
    refused(Http().post("/oauth/token", data={**form, **POST}), "invalid_request")


def test_two_ways_to_authenticate_at_once_are_refused(form: dict[str, str]) -> None:
    header = basic("rs-a", RESOURCE_SERVER_SECRET)
    refused(post({**form, **POST}, Authorization=header), "invalid_request")
    refused(post({**form, "client_id": "rs-b"}, Authorization=header), "invalid_request")


# --- Hostile ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "around", ["Bearer {}", "bearer {}", " {}", "{} ", "{}\n", "\t{}", "{}\r\n", '"{}"', "{},", "{}\u00a0"]
)
def test_anything_around_the_subject_token_is_refused(form: dict[str, str], around: str) -> None:
    refused(post({**form, **POST, "subject_token": around.format(form["subject_token"])}), "invalid_request")


NAMES = (
    "subject_token",
    "subject_token_type",
    "requested_token_type",
    "audience",
    "resource",
    "scope",
    "client_id",
    "client_secret",
)
VALUES = {
    "a NUL": "a%00b",
    "a lone NUL": "%00",
    "invalid UTF-8": "%ff%fe",
    "a surrogate": "%ed%a0%80",
    "overlong UTF-8": "%c0%af",
    "a broken escape": "%zz",
    "over 8 KiB": "a" * (8 * 1024 + 1),
    "8 KiB": "a" * (8 * 1024),
    "letters from elsewhere": quote("gíth\u0443b🐙\u202e"),
    "control characters": quote("a\x01\x1b[31m\x7f"),
    "SQL": quote("' OR 1=1 --"),
    "a line break": quote("a\r\nSet-Cookie: b=c"),
}  # fmt: skip


MALFORMED = ("a NUL", "a lone NUL", "invalid UTF-8", "a surrogate", "overlong UTF-8", "a broken escape", "over 8 KiB")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_value_is_a_4xx_without_a_token(form: dict[str, str], name: str, value: str) -> None:
    rest = urlencode({key: given for key, given in {**form, **POST}.items() if key != name})
    answer = post(f"{rest}&{name}={VALUES[value]}")
    body = refused(answer, "invalid_request", "invalid_target", "invalid_client", "invalid_scope", "invalid_grant")
    assert body["error"] == "invalid_request" or value not in MALFORMED
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", [*NAMES, "grant_type"])
def test_a_known_parameter_given_twice_is_refused(form: dict[str, str], name: str) -> None:
    given = {**form, "audience": "github", "resource": "https://api.github.com", "scope": "repo", **POST}
    refused(post(f"{urlencode(given)}&{name}={quote(given.get(name, f'{TYPE}access_token'))}&{name}="))


@pytest.mark.parametrize(
    "header",
    [
        "Basic", "Basic ", "Basic !!!", "Basic " + "A" * 5000, "Bearer abc", "Digest username=rs-a", "Basic cnMtYQ==",
        basic("", RESOURCE_SERVER_SECRET), basic("rs-a", ""), basic("rs-a\x00", RESOURCE_SERVER_SECRET),
        basic("rs-a", "ÿ", "latin-1"), basic("rs-a%00", "a"), basic("rs%c3%a9\u202e", "a"),
        basic("rs-a", "x" * 2000), basic("rs-a%00", RESOURCE_SERVER_SECRET), basic("%ff", "%ff"),
    ],
)  # fmt: skip
def test_a_malformed_header_is_refused(form: dict[str, str], header: str) -> None:
    refused(post(form, Authorization=header), "invalid_client")


@pytest.mark.parametrize("body", ["", "&&&", "=", "a" * 70_000, "&".join(f"x{n}=1" for n in range(100))])
def test_a_body_that_is_none_is_refused(approval: Approval, body: str) -> None:
    refused(post(body), "invalid_request")
