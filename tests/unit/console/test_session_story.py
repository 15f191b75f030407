"""A session's page: the whole story, in the same few statements however long it was, for whoever may see each part."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.models import Credential, Link, Revocation, TokenSession
from authserver import cascade
from authserver.console.sessions import trail
from authserver.models import App, Consent, ResourceUpstream
from tests.harness.approval import Approval, approve, make_provider, make_resource_server, post
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

NOW = timezone.now()


@pytest.fixture
def ada(db: None) -> Approval:
    approval = approve(provider=make_provider("github", on_session_end="revoke_when_unused"))
    approval.user.name, approval.user.email = "Ada", "ada@example.com"
    approval.user.save()
    make_resource_server(approval.resource)
    audit.record("authorization.granted", user_id=approval.user.pk, client_id=approval.client.client_id, tsid=approval.tsid,
                 address="192.0.2.7", now=NOW - timedelta(hours=1), scope="mcp:tools mcp:admin", app="Claude <b>",
                 upstreams={"github": ["repo"]}, remembered=True)  # fmt: skip
    return approval


def page(http: Http, approval: Approval) -> str:
    answer = http.get(f"{ROOT}accounts/tokensession/{quote(approval.tsid)}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def exchange(approval: Approval, outcome: str = "ok", reason: str = "", **facts: Any) -> None:
    audit.record("vault.release", outcome=outcome, reason=reason, tsid=approval.tsid, upstream="github",
                 **{"actor": "resource_server:rs-a", **facts})  # fmt: skip


def test_the_whole_story_is_on_one_page(ada: Approval, superuser: Http) -> None:
    tokens = ada.redeem()
    post(ada.refresh_form(tokens["refresh_token"]))
    Consent.objects.create(user=ada.user, client=ada.client, redirect_host="127.0.0.1", resource=ada.resource,
                           scope="mcp:tools", upstream_scopes={"github": ["repo"], "google": None}, granted_at=NOW)  # fmt: skip
    App.objects.update(state="verified")
    approve(client=ada.client, user=ada.user, resource=ada.resource, provider=ada.resource.upstreams.get().provider)
    exchange(ada)
    exchange(ada)
    exchange(ada, "failed", "temporarily_unavailable")
    exchange(ada, actor="resource_server:rs-b")
    story = page(superuser, ada)
    for words in (
        "<strong>Open</strong>", "Ada</a> (ada@example.com)", str(ada.user.pk), ada.tsid,
        "verified", ada.client.client_id, "Example MCP server", "use its tools", ">rs-a</a>",
        "GitHub: live", "1 other open session", "Last error", "temporarily_unavailable",
        "Claude &lt;b&gt;", "nobody was asked: it had been approved before", "192.0.2.7",
        "so that nobody is asked again for: mcp:tools", "google: left out",
        "With them ends 1 refresh token.", f"{ROOT}accounts/auditevent/?tsid={ada.tsid}", "A person let an app in",
        f"{quote(ada.tsid)}/revoke/",
    ):  # fmt: skip
        assert words in story, words
    assert "<dt>Generations</dt><dd>2</dd>" in story
    rows = [row.split("</tr>")[0] for row in story.split('<th scope="row">')]
    assert next(row for row in rows if row.startswith("rs-a")).count("<td>2</td>") == 1
    assert next(row for row in rows if row.startswith("rs-b")).count("<td>1</td>") == 1


def test_what_is_wrong_with_an_upstream_is_said(ada: Approval, superuser: Http) -> None:
    Credential.objects.update(state="dead", dead_reason="invalid_grant")
    story = page(superuser, ada)
    assert "GitHub: needs a new sign-in" in story
    assert "invalid_grant" in story
    Credential.objects.update(state="live", scope="user")
    assert "<dt>Missing scopes</dt><dd>repo</dd>" in page(superuser, ada)
    Link.objects.all().delete()
    assert "GitHub: not connected" in page(superuser, ada)
    ResourceUpstream.objects.update(required=False)
    assert "(the resource can do without it)" in page(superuser, ada)


def test_a_session_that_was_ended_says_how_and_what_a_provider_is_still_to_be_told(
    ada: Approval, superuser: Http
) -> None:
    receipt = cascade.revoke_session(ada.tsid, reason="admin", actor="root")
    assert receipt is not None
    story = page(superuser, ada)
    for words in ("<strong>Ended</strong>", "admin", "github: waiting", "next try", f"{ROOT}receipts/{receipt.id}/",
                  "It has ended, and with it what it had.", "github</dt><dd>repo"):  # fmt: skip
        assert words in story, words
    assert "/revoke/" not in story
    Revocation.objects.update(state="failed", outcome="http_500", finished_at=NOW)
    assert "github: given up (http_500)" in page(superuser, ada)


def test_a_refresh_token_that_was_used_twice_is_what_the_story_begins_with(ada: Approval, superuser: Http) -> None:
    assert "<dd>never</dd>" in (ada.redeem() and page(superuser, ada))
    cascade.revoke_session(ada.tsid, reason="refresh_token_reuse")
    assert "somebody may have copied it" in page(superuser, ada)


def test_a_session_that_ran_out_says_so(ada: Approval, superuser: Http) -> None:
    TokenSession.objects.update(idle_expires_at=NOW - timedelta(minutes=1))
    assert "<strong>Run out</strong>" in page(superuser, ada)


def test_each_part_is_shown_to_whoever_may_see_the_list_behind_it(ada: Approval, staff: Operator) -> None:
    ada.redeem()
    exchange(ada)
    story = page(staff("accounts.view_tokensession"), ada)
    assert "GitHub: live" in story
    for hidden in ("nobody was asked", "Exchanges", "Lately", "auditevent", ">rs-a</a>", "Generations"):
        assert hidden not in story, hidden


def test_a_busy_session_is_summed_up_over_its_newest_events(
    ada: Approval, superuser: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "LOOKED_INTO", 5)
    for _number in range(9):
        exchange(ada)
    story = page(superuser, ada)
    assert "<td>5</td>" in story
    assert "newest 2,000 events" in story


def test_the_page_is_read_in_the_same_statements_however_much_happened(ada: Approval, superuser: Http) -> None:
    """Browser session, operator, authenticator, session, person; resources, upstreams, client, links; the trail and its
    beginning; how often credentials are used, servers, refresh tokens, consent, revocations; and the preview's two,
    where it is known already which providers are told."""
    page(superuser, ada)
    counts = []
    for more in (0, 40):
        for number in range(more):
            exchange(ada, actor=f"resource_server:rs-{number}")
            approve(
                client=ada.client, user=ada.user, resource=ada.resource, provider=ada.resource.upstreams.get().provider
            )
        with CaptureQueriesContext(connection) as captured:
            page(superuser, ada)
        counts.append(len(captured))
        assert not [one["sql"] for one in captured if "sealed_tokens" in one["sql"] or "replay_sealed" in one["sql"]]
    assert counts == [18, 18]
