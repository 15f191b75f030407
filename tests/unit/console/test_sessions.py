"""The list of token sessions: found by anything that an operator knows of them, along an index or in a bounded piece."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts import devices
from accounts.models import Credential, Link, TokenSession
from authserver.console.sessions import filters, standing
from authserver.console.sessions.beside import configured
from authserver.console.sessions.standing import Need, Standing
from authserver.models import App, Client, Resource, ResourceUpstream
from tests.harness.approval import Approval, approve, make_client, make_provider, make_resource, make_user
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

LIST = f"{ROOT}accounts/tokensession/"
NOW = timezone.now()
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def github(db: None) -> Provider:
    return make_provider("github")


@pytest.fixture
def ada(github: Provider) -> Approval:
    """A session of which everything is known."""
    client = make_client("https://claude.ai/client", name="Claude", registration_source="cimd")
    user = make_user(name="Ada", email="ada@example.com")
    approval = approve(client=client, user=user, resource=make_resource(), provider=github)
    change(approval.tsid, address="192.0.2.7", user_agent=FIREFOX)
    return approval


@pytest.fixture
def other(ada: Approval) -> Approval:
    """And one beside it, in everything another."""
    resource = make_resource("https://other.example/mcp", name="Other")
    approval = approve(resource=resource, now=NOW - timedelta(minutes=1))
    change(approval.tsid, address="2001:db8::1", user_agent=CHROME)
    return approval


def change(tsid: str, **columns: Any) -> None:
    TokenSession.objects.filter(tsid=tsid).update(**columns)


def shown(http: Http, **asked: Any) -> list[str]:
    answer = http.get(LIST, asked)
    assert answer.status_code == 200
    return [row.tsid for row in answer.context["cl"].result_list]


def test_a_row_says_who_lets_what_reach_what_from_where_and_until_when(
    ada: Approval, other: Approval, superuser: Http
) -> None:
    page = superuser.get(LIST).content.decode()
    for words in ("Ada", "Claude", "https://claude.ai/client", "Example MCP server", "GitHub: live", "Firefox on Linux",
                  "192.0.2.7", f"{ada.tsid[:8]}…"):  # fmt: skip
        assert words in page, words
    assert page.index(ada.tsid[:8]) < page.index(other.tsid[:8]), "the newest first"


def test_each_filter_finds_its_own_and_nothing_else(ada: Approval, other: Approval, superuser: Http) -> None:
    assert set(shown(superuser)) == {ada.tsid, other.tsid}
    asked: list[dict[str, Any]] = [
        {"person": ada.user.pk}, {"person": ada.user.username}, {"person": "ada@example.com"},
        {"app": "claude"}, {"app": "claude.ai"}, {"client_id": "https://claude.ai/client"},
        {"resource": ada.resource.identifier}, {"upstream": "github"}, {"credential": "live"},
        {"upstream": "github", "credential": "live"}, {"address": "192.0.2.7"},
        {"device": "Firefox on Linux"}, {"device": "firefox"}, {"device": "rv:128"},
        {"since": f"{NOW - timedelta(seconds=30):%Y-%m-%dT%H:%M:%S}"},
        {"person": ada.user.pk, "app": "Claude", "resource": ada.resource.identifier, "device": "Linux"},
        {"resource": ada.resource.identifier, "upstream": "github", "address": "192.0.2.7"},
    ]  # fmt: skip
    for one in asked:
        assert shown(superuser, **one) == [ada.tsid], one
    for one in ({"person": "nobody"}, {"app": "nobody"}, {"client_id": "nothing"}, {"device": "Lynx"},
                {"upstream": "gone"}, {"resource": "https://gone.example"}, {"credential": "dead"},
                {"resource": other.resource.identifier, "address": "192.0.2.7"}):  # fmt: skip
        assert shown(superuser, **one) == [], one


def test_what_is_merged_into_an_app_is_found_and_listed_as_that_app(
    ada: Approval, other: Approval, superuser: Http
) -> None:
    main, alias = ada.client.app, other.client.app
    App.objects.filter(pk=alias.pk).update(merged_into=main, state_before_merge="pending")
    for name in ("Claude", other.client.name):
        answer = superuser.get(LIST, {"app": name})
        assert {row.tsid for row in answer.context["cl"].result_list} == {ada.tsid, other.tsid}
        page = answer.content.decode()
        assert page.count(f'href="{ROOT}authserver/app/{main.pk}/change/"') == 2
        assert f"{ROOT}authserver/app/{main.pk}/revoke/" in page


@pytest.mark.parametrize(
    ("kind", "term"),
    [
        ("a token session", lambda ada: ada.tsid), ("a token session", lambda ada: f"{ada.tsid[:8]}…"),
        ("an address", lambda ada: "192.0.2.7"), ("a person", lambda ada: str(ada.user.pk)),
        ("a person", lambda ada: "ada@"), ("a person", lambda ada: ada.user.username),
        ("a client", lambda ada: "https://claude.ai/client"), ("an app", lambda ada: "CLAUDE"),
        ("a resource", lambda ada: "example mcp server"), ("a resource", lambda ada: ada.resource.identifier),
    ],
)  # fmt: skip
def test_one_search_takes_whatever_an_operator_has_and_says_what_it_took_it_for(
    kind: str, term: Callable[[Approval], str], ada: Approval, other: Approval, superuser: Http
) -> None:
    answer = superuser.get(LIST, {"q": f" {term(ada)} "})
    assert [row.tsid for row in answer.context["cl"].result_list] == [ada.tsid]
    assert f"Found as {kind}." in answer.content.decode()


def test_a_search_for_what_nobody_knows_says_so(ada: Approval, superuser: Http) -> None:
    answer = superuser.get(LIST, {"q": "whatever"})
    assert not answer.context["cl"].result_list
    assert "is known by this" in answer.content.decode()


def test_what_ended_is_found_when_it_is_asked_for_and_by_its_tsid(
    ada: Approval, other: Approval, superuser: Http
) -> None:
    change(ada.tsid, closed_at=NOW, close_reason="expired")
    assert shown(superuser) == [other.tsid]
    assert shown(superuser, state="ended") == [ada.tsid]
    assert set(shown(superuser, state="all")) == {ada.tsid, other.tsid}
    assert shown(superuser, q=ada.tsid) == [ada.tsid]
    assert shown(superuser, when="ended", since=f"{NOW - timedelta(minutes=5):%Y-%m-%dT%H:%M}") == [ada.tsid]
    assert shown(superuser, state="ended", address="192.0.2.7", device="Firefox") == [ada.tsid]
    assert "expired" in superuser.get(LIST, {"state": "ended"}).content.decode()


@pytest.mark.parametrize(("when", "column"), [("used", "last_used_at"), ("ends", "idle_expires_at")])
def test_sessions_are_found_by_when_they_were_used_and_when_they_end(
    when: str, column: str, ada: Approval, other: Approval, superuser: Http
) -> None:
    change(ada.tsid, **{column: NOW + timedelta(days=9)})
    between = {"since": NOW + timedelta(days=8), "until": NOW + timedelta(days=10)}
    said = {name: f"{moment:%Y-%m-%dT%H:%M}" for name, moment in between.items()}
    assert shown(superuser, when=when, **said) == [ada.tsid]


@pytest.mark.parametrize(
    ("field", "value"),
    [("address", "not-one"), ("since", "yesterday"), ("q", "x\x00"), ("person", "x" * 300), ("state", "half"),
     ("credential", "sealed_tokens"), ("when", "password"), ("client_id", "x" * 3000), ("device", "x" * 81)],
)  # fmt: skip
def test_what_makes_no_sense_is_said_and_finds_nothing(field: str, value: str, ada: Approval, superuser: Http) -> None:
    answer = superuser.get(LIST, {field: value})
    assert (answer.status_code, list(answer.context["cl"].result_list)) == (200, [])
    assert answer.context["cl"].form.errors[field]


CREDENTIALS: dict[Standing, dict[str, Any]] = {
    Standing.LIVE: {"expires_at": NOW - timedelta(hours=1), "refreshable": True},
    Standing.DEAD: {"state": "dead", "dead_reason": "invalid_grant", "scope": ""},
    Standing.LACKS: {"scope": "repository repo:status", "expires_at": NOW - timedelta(hours=1)},
    Standing.RAN_OUT: {"expires_at": NOW - timedelta(hours=1), "refreshable": False},
}
ALSO: list[tuple[Standing, dict[str, Any]]] = [
    (Standing.LIVE, {"expires_at": None}),
    (Standing.LIVE, {"expires_at": NOW + timedelta(hours=1), "scope": "user repo"}),
    (Standing.RAN_OUT, {"expires_at": NOW - timedelta(hours=1), "refreshable": True,
                        "refresh_expires_at": NOW - timedelta(minutes=1)}),
]  # fmt: skip


def test_each_upstream_stands_as_a_resource_server_would_be_told_in_the_row_and_for_the_filter(
    github: Provider, superuser: Http
) -> None:
    """The database is asked the same question in its own words, and both have to agree."""
    resource, expected = make_resource(), {}
    for stands, columns in [*CREDENTIALS.items(), *ALSO]:
        approval = approve(resource=resource, provider=github)
        Credential.objects.filter(user=approval.user).update(**columns)
        expected[approval.tsid] = stands
    Link.objects.filter(session__in=[approve(resource=resource, provider=github).tsid]).delete()
    [unconnected] = TokenSession.objects.exclude(tsid__in=expected)
    expected[unconnected.tsid] = Standing.MISSING
    needs = {resource.identifier: {"github": Need(("repo",), True)}}
    for tsid, stands in expected.items():
        link = Link.objects.filter(session=tsid).first()
        assert standing.of_link(link, needs[resource.identifier]["github"], now=NOW)[0] == stands
    page = superuser.get(LIST).content.decode()
    for stands in Standing:
        own = {tsid for tsid, one in expected.items() if one == stands}
        assert own
        assert set(shown(superuser, credential=str(stands))) == own, stands
        assert set(shown(superuser, credential=str(stands), upstream="github")) == own, stands
        assert shown(superuser, credential=str(stands), upstream="google") == []
        assert f"GitHub: {stands.label}" in page


def test_what_an_upstream_may_be_without_is_missed_by_nobody(github: Provider, superuser: Http) -> None:
    approval = approve(resource=make_resource())
    ResourceUpstream.objects.create(resource=approval.resource, provider=github, required=False)
    assert "not connected" not in superuser.get(LIST).context["cl"].model_admin.reaches(
        superuser.get(LIST).context["cl"].result_list[0]
    )
    assert shown(superuser, credential="not_connected") == []


@pytest.mark.parametrize("agent", [FIREFOX, CHROME, IPHONE, "curl/8.5.0"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_device_is_found_by_what_the_list_calls_it(agent: str, language: str, ada: Approval, superuser: Http) -> None:
    change(ada.tsid, user_agent=agent)
    approve(resource=ada.resource)
    with translation.override(language):
        called = devices.describe(agent)
    assert superuser.get(LIST, {"device": called}, headers={"Accept-Language": language}).context["cl"].result_list


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "LOOKED_INTO", 3)


def test_filters_together_look_into_the_newest_and_say_so(
    few: None, ada: Approval, other: Approval, superuser: Http
) -> None:
    change(ada.tsid, created_at=NOW - timedelta(days=9))
    for number in range(4):
        approve(resource=ada.resource, now=NOW - timedelta(minutes=number))
    part: list[dict[str, Any]] = [
        {"device": "Firefox"}, {"resource": ada.resource.identifier, "device": "Firefox"}, {"credential": "live"},
        {"state": "all"},
    ]  # fmt: skip
    whole: list[dict[str, Any]] = [
        {"person": ada.user.pk, "device": "Firefox"}, {"address": "192.0.2.7", "device": "Firefox"},
        {"upstream": "github"}, {"client_id": ada.client.client_id}, {},
        {"resource": ada.resource.identifier, "upstream": "github"},
    ]  # fmt: skip
    for asked in part:
        answer = superuser.get(LIST, asked)
        assert ada.tsid not in {row.tsid for row in answer.context["cl"].result_list}, asked
        assert "look into the newest" in answer.content.decode(), asked
    for asked in whole:
        answer = superuser.get(LIST, asked)
        assert ada.tsid in {row.tsid for row in answer.context["cl"].result_list}, asked
        assert "look into the newest" not in answer.content.decode(), asked


INDEXES = {
    "": "session_open", "person": "session_user_closed", "client_id": "session_open_client", "app": "session_open_client",
    "resource": "session_open_resource", "upstream": "link_provider", "credential": "credential_dead",
    "address": "session_open_address", "since": "session_open", "state": "session_closed_at", "q": "accounts_tokensession",
}  # fmt: skip


@pytest.mark.parametrize("name", INDEXES)
def test_each_filter_has_an_index(name: str, ada: Approval, other: Approval) -> None:
    """PostgreSQL takes it, with enough rows to choose by; SQLite has no such choice."""
    if connection.vendor != "postgresql":
        pytest.skip("what SQLite plans for few rows says nothing")
    beside = [TokenSession.objects.get(tsid=other.tsid) for _ in range(1000)]
    for number, session in enumerate(beside):
        session.tsid = session.client_id = f"session-{number}"
        session.resource, session.address = f"https://{number}.example/mcp", f"10.0.{number // 250}.{number % 250}"
        session.created_at -= timedelta(minutes=number)
    TokenSession.objects.bulk_create(beside)
    credential = Credential.objects.get()
    Link.objects.bulk_create(Link(session=one, credential=credential, provider="google") for one in beside)
    values = {"person": "ada@example.com", "client_id": ada.client.client_id, "app": "Claude", "credential": "dead",
              "resource": ada.resource.identifier, "upstream": "github", "address": "192.0.2.7", "state": "ended",
              "since": f"{NOW - timedelta(minutes=3):%Y-%m-%dT%H:%M}", "q": ada.tsid[:9]}  # fmt: skip
    form = filters.FilterForm({name: values[name]} if name else {}, configured())
    rows = filters.narrowed(TokenSession.objects.all(), form, now=NOW).rows
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_tokensession, accounts_link, accounts_credential")
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = rows[:51].explain()
    assert INDEXES[name] in plan, plan
    assert "Seq Scan on accounts_tokensession" not in plan


ALWAYS = 9  # browser session, operator, authenticator; resources, upstreams; count, rows; clients, links
BESIDES = {
    "person": 1,
    "app": 2,
    "client_id": 1,
    "resource": 0,
    "upstream": 0,
    "credential": 1,
    "address": 0,
    "device": 2,
}


@pytest.mark.parametrize("name", ["", *BESIDES])
def test_a_page_is_read_in_the_same_statements_however_many_rows_it_has(
    name: str, ada: Approval, other: Approval, superuser: Http
) -> None:
    values = {"person": ada.user.pk, "app": "Claude", "client_id": ada.client.client_id, "credential": "live",
              "resource": ada.resource.identifier, "upstream": "github", "address": "192.0.2.7", "device": "Fire"}  # fmt: skip
    asked = {name: values[name]} if name else {}
    counts = []
    for more in (0, 60):
        again = [TokenSession.objects.get(tsid=ada.tsid) for _ in range(more)]
        for number, session in enumerate(again):
            session.tsid = f"more-{number:03}"
        TokenSession.objects.bulk_create(again)
        credential = Credential.objects.get()
        Link.objects.bulk_create(
            Link(session=one, credential=credential, provider="github", scope="repo") for one in again
        )
        with CaptureQueriesContext(connection) as captured:
            assert len(shown(superuser, **asked)) >= (50 if more else 1)
        counts.append(len(captured))
    assert counts == [ALWAYS + BESIDES.get(name, 0)] * 2


def test_what_the_filters_name_may_be_revoked_from_there(ada: Approval, superuser: Http, staff: Operator) -> None:
    asked = {"q": "ada@example.com", "app": "Claude", "client_id": ada.client.client_id, "upstream": "github",
             "resource": ada.resource.identifier}  # fmt: skip
    pages = [
        ("accounts/user", ada.user.pk), ("authserver/app", App.objects.get(name="Claude").pk),
        ("authserver/client", Client.objects.get(client_id=ada.client.client_id).pk),
        ("upstream/provider", Provider.objects.get().pk), ("authserver/resource", Resource.objects.get().pk),
    ]  # fmt: skip
    page = superuser.get(LIST, asked).content.decode()
    looking = staff("accounts.view_tokensession").get(LIST, asked).content.decode()
    for model, pk in pages:
        assert f'href="{ROOT}{model}/{pk}/revoke/"' in page, model
        assert "/revoke/" not in looking
    assert "/revoke/" not in superuser.get(LIST).content.decode()


def test_a_session_whose_client_and_resource_are_gone_is_listed_still(ada: Approval, superuser: Http) -> None:
    change(ada.tsid, client_id="gone", resource="https://gone.example/mcp")
    page = superuser.get(LIST, {"q": "gone"}).content.decode()
    assert "a client that is gone" in page
    assert "https://gone.example/mcp" in page
