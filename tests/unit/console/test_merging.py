"""Merging apps as an operator does it: chosen in the list, previewed, given a reason; and undone."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, TokenSession
from authserver.models import App, Client
from tests.harness.approval import approve, make_client, make_resource
from tests.unit.console.conftest import Operator
from tests.unit.console.test_apps import APPS, act, app_of

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def address(*apps: App, into: App | None = None) -> str:
    """Of the page about these apps."""
    chosen = [("app", app.pk) for app in apps] + ([("into", into.pk)] if into else [])
    return f"{APPS}merge/?{urlencode(chosen)}"


def send(http: Http, main: App, *others: App, **fields: str) -> Any:
    """Confirm what the page showed of them: the states that these objects have."""
    form = {"seen": [f"{app.pk}:{app.state}" for app in (main, *others)], "reason": "one product", **fields}
    return http.post(address(main, *others, into=main), form, follow=True)


def said(answer: Any) -> str:
    page: str = answer.content.decode()
    return page


def test_the_list_leads_to_the_page_that_asks_which_one_stays(superuser: Http) -> None:
    one, two, apart = app_of("Claude Code", state="approved"), app_of("claude-code-cli"), app_of("Other")
    page = said(act(superuser, "merge", one, two))
    assert page.count('type="radio" name="into"') == 2
    assert "Claude Code" in page
    assert "Other" not in page
    assert "What would change" not in page
    assert apart.state == "pending"


def test_the_preview_says_what_moves_and_what_will_hold(superuser: Http) -> None:
    main = app_of("Claude Code", state="approved", allowed_scopes="mcp:tools")
    approval = approve(client=make_client(name="claude-code-cli", registration_source="dcr"))
    approve(client=make_client(name="claude-code-cli", registration_source="dcr"), resource=approval.resource)
    other = App.objects.get(pk=approval.client.app_id)
    page = said(superuser.get(address(main, other, into=main)))
    assert "registrations 2, people 2, open token sessions 2" in page
    assert "State: pending now, <strong>approved</strong> afterwards." in page
    assert "Scopes it may ask for: all of the resource&#x27;s now, <strong>mcp:tools</strong> afterwards." in page
    assert "No token session ends." in page
    assert not App.objects.filter(merged_into__isnull=False).exists()


def test_a_suspicious_name_is_flagged_before_it_is_merged(superuser: Http) -> None:
    main, other = app_of("Claude", redirect_uri="https://claude.ai/cb", state="verified"), app_of("Cl\u0430ude")
    page = said(superuser.get(address(main, other, into=main)))
    assert "Suspicious: looks like “Claude”, which is another app; mixes look-alike letters" in page
    assert "The badge is for the one that stays." in page
    assert "State: pending now, <strong>approved</strong> afterwards." in page


def test_a_merge_is_one_line_with_a_receipt_and_is_found_by_both_names(superuser: Http) -> None:
    main, other = app_of("Claude Code", state="approved"), app_of("Anthropic Terminal")
    page = said(send(superuser, main, other))
    assert "Merged 1 app into this one." in page
    event = AuditEvent.objects.get(event="app.merged")
    assert f"/admin/receipts/{event.receipt}/" in page
    assert (event.actor, event.reason, event.detail["into"]) == ("root", "one product", str(main.pk))
    assert event.detail["changes"]["state"] == ["pending", "approved"]
    assert "Anthropic Terminal" in page  # beneath the form
    for term in ("claude code", "anthropic terminal"):
        found = superuser.get(f"{APPS}?q={term}").context["cl"].result_list
        assert [(app.pk, app.registration_count) for app in found] == [(main.pk, 2)]
    receipt = said(superuser.get(f"/admin/receipts/{event.receipt}/"))
    assert "one product" in receipt


def test_the_page_of_a_merged_app_is_that_of_the_one_that_stays(superuser: Http) -> None:
    main, other = app_of("Claude Code"), app_of("Other")
    send(superuser, main, other)
    answer = superuser.get(f"{APPS}{other.pk}/change/", follow=True)
    assert answer.redirect_chain[-1][0] == f"{APPS}{main.pk}/change/"
    assert "is merged into this app" in said(answer)
    form = {"state": "approved", "initial-state": "pending", "told": "x", "allowed_scopes": ""}
    assert "nothing was changed" in said(superuser.post(f"{APPS}{other.pk}/change/", form, follow=True))
    assert set(App.objects.values_list("state", "told")) == {("pending", "")}


def test_what_is_set_for_the_app_is_set_for_its_aliases(superuser: Http) -> None:
    main, other = app_of("Claude Code"), app_of("Other")
    send(superuser, main, other)
    form = {"state": "pending", "initial-state": "pending", "told": "Ask us.", "allowed_scopes": "mcp:tools"}
    superuser.post(f"{APPS}{main.pk}/change/", form)
    assert set(App.objects.values_list("told", "allowed_scopes")) == {("Ask us.", "mcp:tools")}


def test_the_registrations_and_requests_of_an_alias_stand_beneath_the_app(superuser: Http) -> None:
    main, other = app_of("Claude Code"), app_of("Other")
    send(superuser, main, other)
    beneath = said(superuser.get(f"/admin/authserver/client/?app={main.pk}"))
    assert "2 clients" in beneath
    page = said(superuser.get(f"{APPS}{main.pk}/change/"))
    for client in Client.objects.all():
        assert f"/admin/authserver/client/{client.pk}/change/" in page


def test_a_block_is_a_choice_that_says_what_ends(superuser: Http) -> None:
    approval = approve(client=make_client(name="Good", registration_source="dcr"))
    main, other = App.objects.get(pk=approval.client.app_id), app_of("Bad", state="blocked")
    page = said(superuser.get(address(main, other, into=main)))
    assert page.count('type="radio" name="block"') == 2
    assert 'name="block" value="extend" checked' not in page
    assert "1 token session ends." in page
    assert "This field is required." in said(send(superuser, main, other))
    assert "1 token session ended." in said(send(superuser, main, other, block="extend"))
    assert set(App.objects.values_list("state", flat=True)) == {"blocked"}
    assert TokenSession.objects.get().closed_at is not None


def test_a_blocked_app_that_stays_is_not_unblocked_by_a_merge(superuser: Http) -> None:
    main, other = app_of("Bad", state="blocked"), app_of("Good", state="approved")
    page = said(superuser.get(address(main, other, into=main)))
    assert "unblock it first" in page
    assert 'value="lift"' not in page
    assert "Select a valid choice." in said(send(superuser, main, other, block="lift"))
    assert App.objects.get(pk=main.pk).state == "blocked"


def test_what_was_blocked_after_the_page_was_shown_is_not_merged(superuser: Http) -> None:
    main, other = app_of("Claude Code", state="approved"), app_of("Other")
    App.objects.filter(pk=other.pk).update(state="blocked")
    answer = send(superuser, main, other, block="lift")
    assert "Look again before you merge them." in said(answer)
    assert not App.objects.filter(merged_into__isnull=False).exists()


def test_what_was_blocked_in_a_list_from_before_the_merge_is_blocked_with_its_app(superuser: Http) -> None:
    main, other = app_of("Claude Code"), app_of("Other")
    send(superuser, main, other)
    act(superuser, "block", other, confirmed="1", reason="phishing")
    assert set(App.objects.values_list("state", flat=True)) == {"blocked"}


def test_a_configured_client_is_not_offered_to_be_merged(superuser: Http) -> None:
    configured, other = make_client(name="Ours", registration_source="manual").app, app_of("Other")
    page = said(superuser.get(address(configured, other, into=other)))
    assert "A client that you configured is an app of its own" in page
    assert 'name="into"' not in page
    send(superuser, other, configured)
    assert not App.objects.filter(merged_into__isnull=False).exists()


def test_one_is_split_out_again_with_a_preview_and_a_reason(superuser: Http) -> None:
    main, other = app_of("Claude Code", state="approved"), app_of("Other")
    send(superuser, main, other)
    page = said(superuser.get(f"{APPS}{main.pk}/split/?alias={other.pk}"))
    assert "registrations: 1, people: 0, open token sessions: 0" in page
    assert "State: approved now, <strong>pending</strong> afterwards." in page
    form = {"seen": "pending", "reason": "two products"}
    assert "Look again" in said(superuser.post(f"{APPS}{main.pk}/split/?alias={other.pk}", {**form, "seen": "x"},
                                               follow=True))  # fmt: skip
    assert "one of its own again" in said(superuser.post(f"{APPS}{main.pk}/split/?alias={other.pk}", form, follow=True))
    other.refresh_from_db()
    assert (other.merged_into, other.state) == (None, "pending")
    assert AuditEvent.objects.get(event="app.split").reason == "two products"


@pytest.mark.parametrize("query", ["", "?app=x&app=%00", "?app=1&app=1", "?app=-1&into=9", f"?app={'9' * 30}&into=1"])
def test_a_made_up_choice_merges_nothing_and_breaks_nothing(query: str, superuser: Http) -> None:
    app_of("A")
    assert superuser.get(f"{APPS}merge/{query}").status_code == 200
    assert superuser.post(f"{APPS}merge/{query}", {"reason": "x", "seen": ["x", ":", "1:1"]}).status_code == 302
    assert not App.objects.filter(merged_into__isnull=False).exists()


def test_whoever_may_only_look_merges_and_splits_nothing(staff: Operator) -> None:
    main, other = app_of("A"), app_of("B")
    viewer = staff("authserver.view_app")
    assert viewer.get(address(main, other)).status_code == 403
    assert send(viewer, main, other).status_code == 403
    assert viewer.post(f"{APPS}{main.pk}/split/", {"reason": "x"}).status_code == 403
    assert "Split out" not in said(viewer.get(f"{APPS}{main.pk}/change/"))


def test_merging_asks_who_it_is_once_more(superuser: Http) -> None:
    main, other = app_of("A"), app_of("B")
    session = superuser.session
    session["console_proved_at"] = 0
    session.save()
    answer = superuser.post(address(main, other, into=main), {"reason": "x"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/confirm/")


def test_an_apps_page_takes_as_many_statements_for_many_registrations_and_aliases_as_for_few(superuser: Http) -> None:
    resource, apps = make_resource(), [app_of(f"App {number}") for number in range(12)]
    page = f"{APPS}{apps[0].pk}/change/"
    send(superuser, *apps[:2])
    few = [statements(superuser, address) for address in (page, APPS)]
    send(superuser, apps[0], *apps[2:])
    for _ in range(30):
        approve(client=make_client(name="App 3", registration_source="dcr"), resource=resource)
    assert [statements(superuser, address) for address in (page, APPS)] == few
    assert len(re.findall(r"/admin/authserver/client/\d+/change/", said(superuser.get(page)))) == 20


def statements(http: Http, address: str) -> int:
    http.get(address)  # messages of what was done before are read once
    with CaptureQueriesContext(connection) as captured:
        assert http.get(address).status_code == 200
    return len(captured)
