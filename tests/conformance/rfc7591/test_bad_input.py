"""Registration requests that are wrong: a 4xx in RFC 7591's own shape, and nothing stored (section 3.2.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client as Http

from accounts.models import AuditEvent
from authserver.models import Client
from tests.harness.registration import REDIRECT_URI, register, registered, send

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

RIGHT = json.dumps({"redirect_uris": [REDIRECT_URI]})
TEXTS = ["client_name", "software_id", "software_version", "scope", "token_endpoint_auth_method"]
URLS = ["client_uri", "logo_uri", "tos_uri", "policy_uri"]
LISTS = ["redirect_uris", "grant_types", "response_types", "contacts"]


def refused(answer: Any, error: str = "invalid_client_metadata", status: int = 400) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.content
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert not Client.objects.exists()
    assert not AuditEvent.objects.exists()
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"\xff\xfe",
        b'{"redirect_uris": ["https://app.example/\xc0\xae"]}',
        b'{"redirect_uris": ["https://app.example/\xed\xa0\x80"]}',
        b"\xef\xbb\xbf" + RIGHT.encode(),
        RIGHT.encode("utf-16"),
        RIGHT[:-1] + ', "redirect_uris": []}',
        RIGHT[:-1] + ', "x": {"a": 1, "a": 2}}',
        RIGHT[:-1] + ', "x": NaN}',
        RIGHT[:-1] + ', "x": -Infinity}',
        RIGHT[:-1] + ', "x": 1e400}',
        RIGHT[:-1] + ', "x": ' + "9" * 5000 + "}",
        RIGHT[:-1] + ', "x": ' + "9" * 21 + "}",
        RIGHT[:-1] + ', "x": ' + "[" * 20 + "]" * 20 + "}",
        RIGHT[:-1] + ', "x": ' + "[" * 30000 + "]" * 30000 + "}",
        RIGHT[:-1] + ', "x": ' + '{"a":' * 9000 + "1" + "}" * 9000 + "}",
        RIGHT[:-1] + ', "x\\u0000": 1}',
        RIGHT[:-1] + ', "x": "\\ud800"}',
        RIGHT + "trailing",
        "redirect_uris=https%3A%2F%2Fapp.example%2Fcb",
    ],
)
def test_what_is_not_one_sound_json_object_is_refused(body: bytes | str) -> None:
    refused(send(body))


def test_nesting_of_twenty_levels_is_read() -> None:
    assert send(RIGHT[:-1] + ', "x": ' + "[" * 19 + "]" * 19 + "}").status_code == 201


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""],
)
def test_another_content_type_is_refused(content_type: str) -> None:
    refused(send(RIGHT, content_type=content_type))


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_spelling_of_its_type_is_read(content_type: str) -> None:
    assert send(RIGHT, content_type=content_type).status_code == 201


def test_more_than_64_kib_is_413() -> None:
    filler = RIGHT[:-1] + ', "x": "' + "a" * (64 * 1024) + '"}'
    assert send(filler).status_code == 413
    assert not Client.objects.exists()
    exactly = RIGHT[:-1] + ', "x": "' + "a" * (64 * 1024 - len(RIGHT) - 9) + '"}'
    assert len(exactly) == 64 * 1024
    assert send(exactly).status_code == 201


@pytest.mark.parametrize(
    "uris",
    [
        None,
        [],
        {},
        "https://app.example/cb",
        1,
        True,
        [1],
        [None],
        [[]],
        [""],
        ["/cb"],
        ["https://app.example/#"],
        ["https://app.example/*"],
        ["https://u:p@app.example/"],
        ["http://app.example/"],
        ["https://app.example/a b"],
        ["javascript:alert(1)"],
        ["JaVaScRiPt:alert(1)"],
        [" javascript:alert(1)"],
        ["java\nscript:alert(1)"],
        ["data:text/html,x"],
        ["vbscript:x"],
        ["file:///x"],
        ["blob:https://app.example/x"],
        ["about:blank"],
        ["https://app.example/" + "a" * 60000],
        ["https://app.example/%00"],
        ["https://app.example/", "https://app.example/#"],
        [f"https://app.example/{n}" for n in range(1000)],
    ],
)
def test_bad_redirect_uris_have_an_error_of_their_own(uris: Any) -> None:
    words = refused(send({"redirect_uris": uris}), "invalid_redirect_uri")["error_description"]
    assert "redirect_uris" in words
    assert len(words) < 300


def test_no_redirect_uris_are_refused() -> None:
    refused(send({"client_name": "x"}), "invalid_redirect_uri")


@pytest.mark.parametrize("name", TEXTS + URLS)
@pytest.mark.parametrize("value", [1, 1.5, True, {}, {"a": "b"}, [1], [["a"]]])
def test_text_of_another_type_is_refused_by_its_name(name: str, value: Any) -> None:
    assert name in refused(register(**{name: value}))["error_description"]


@pytest.mark.parametrize("name", LISTS[1:])
@pytest.mark.parametrize("value", ["code", 1, True, {}, [1], [None], [["code"]], ["x"] * 51])
def test_a_list_of_another_type_is_refused_by_its_name(name: str, value: Any) -> None:
    assert name in refused(register(**{name: value}))["error_description"]


@pytest.mark.parametrize("where", ["{}x", "x{}x", "x{}"])
@pytest.mark.parametrize("character", ["\x00", "\ud800"])
@pytest.mark.parametrize("name", [*TEXTS, *URLS, "x"])
def test_nul_and_half_characters_are_refused_wherever_they_stand(name: str, character: str, where: str) -> None:
    refused(register(**{name: where.format(character)}))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("character", ["\x00", "\ud800"])
def test_nul_and_half_characters_are_refused_in_lists(name: str, character: str) -> None:
    refused(register(**{name: [f"x{character}"]}))


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/",
        "http://127.0.0.1:9/canary",
        "http://169.254.169.254/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https://user@app.example/",
        "https://app.example/ x",
        'https://app.example/#">',
        "//app.example/",
        "HTTPS://app.example/\r\nx",
        "https://app.example/" + "a" * 2048,
        "https://app.example/#" + "a" * 2048,
    ],
)
def test_pages_and_logos_are_https_or_refused(name: str, url: str) -> None:
    refused(register(**{name: url}))


@pytest.mark.parametrize("name", ["software_id", "software_version"])
@pytest.mark.parametrize("text", ["a" * 256, "a\r\nb", "a\u202eb", "\uffff"])
def test_software_is_named_in_one_printable_line(name: str, text: str) -> None:
    refused(register(**{name: text}))


@pytest.mark.parametrize("contacts", [["a" * 256], ["a\r\nb"], ["a@b.example"] * 11])
def test_contacts_are_few_and_short(contacts: list[str]) -> None:
    refused(register(contacts=contacts))


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "ä", "a\nb", "a" * 4097, ["a\tb"]])
def test_scope_outside_its_grammar_is_refused(scope: Any) -> None:
    refused(register(scope=scope))


def test_unsigned_id_tokens_cannot_be_asked_for() -> None:
    refused(register(id_token_signed_response_alg="none"))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Claude Code", "Claude Code"),
        ("  two\r\nlines\t ", "two lines"),
        ("pay\u202elap", "paylap"),
        ("a\u2066b\u2069c\u200bd\u00ade\ufefff", "abcdef"),
        ("\u0001\u007f\u0085bell", "bell"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("Z" + "\u0335" * 60, "Z" + "\u0335" * 2),
        ("Z" + "\u0335\u200d" * 60, "Z" + "\u0335" * 2),
        ("x\u3164\u2800\uffff\ue000y", "xy"),
        ("<b>{{x}}</b> %s $(id) ' OR 1=1 --", "<b>{{x}}</b> %s $(id) ' OR 1=1 --"),
        ("日本語 👩‍💻", "日本語 👩💻"),
        ("a" * 120, "a" * 120),
    ],
)
def test_a_name_is_one_line_of_characters_that_show(sent: str, kept: str) -> None:
    assert registered(client_name=sent)["client_name"] == kept
    assert Client.objects.get().name == kept


@pytest.mark.parametrize("name", ["a" * 121, "\u200b" * 5000, "é" * 5000])
def test_a_name_that_is_too_long_is_refused(name: str) -> None:
    refused(register(client_name=name))


def test_a_name_of_nothing_is_no_name() -> None:
    assert "client_name" not in registered(client_name="\u200b\u202e \n")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"])
def test_only_post_registers(method: str) -> None:
    answer = Http().generic(
        method,
        "/oauth/register",
        data=RIGHT,
        content_type="application/json",
        headers={"X-HTTP-Method-Override": "POST"},
    )
    assert answer.status_code == 405
    assert answer["Allow"] == "POST, OPTIONS"
    assert not Client.objects.exists()


def test_parameters_in_the_query_are_not_metadata() -> None:
    answer = Http().post(
        "/oauth/register?redirect_uris=https://app.example/cb&client_name=%zz",
        data="{}",
        content_type="application/json",
    )
    refused(answer, "invalid_redirect_uri")


def test_a_body_of_unknown_length_is_refused_and_not_waited_for() -> None:
    refused(send(RIGHT, CONTENT_LENGTH=""))
