"""The app registry as an operator works it: the queue, the decision, and what is said about each app."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent, TokenSession
from authserver import cascade
from authserver.console.registry import counts
from authserver.models import App, ApprovalRequest, Resource
from tests.harness.approval import approve, make_client, make_resource, make_user
from tests.unit.console.conftest import Operator

APPS = "/admin/authserver/app/"
CLIENTS = "/admin/authserver/client/"


def app_of(name: str, *, redirect_uri: str = "http://localhost/cb", **columns: Any) -> App:
    client = make_client(name=name, registration_source="dcr", redirect_uris=redirect_uri)
    App.objects.filter(pk=client.app_id).update(**columns)
    return App.objects.get(pk=client.app_id)


def asked_for(app: App, resource: Resource, *, note: str = "", minutes_ago: int = 0) -> ApprovalRequest:
    now = timezone.now()
    return ApprovalRequest.objects.create(
        app=app, resource=resource, browser_hash=str(ApprovalRequest.objects.count()), note=note, parameters={},
        requested_at=now - timedelta(minutes=minutes_ago), expires_at=now + timedelta(days=1),
    )  # fmt: skip


def act(http: Http, action: str, *apps: App, **fields: str) -> Any:
    form = {"action": action, "_selected_action": [app.pk for app in apps], **fields}
    return http.post(APPS, urlencode(form, doseq=True), content_type="application/x-www-form-urlencoded", follow=True)


def test_forty_two_registrations_of_seventeen_people_are_one_line(superuser: Http) -> None:
    resource, people = make_resource(), [make_user() for _ in range(17)]
    for number in range(42):
        client = make_client(
            name="Claude Code", registration_source="dcr", redirect_uris=f"http://localhost:{4000 + number}/cb"
        )
        approve(client=client, resource=resource, user=people[number % 17])
    left = approve(client=client, resource=resource)
    TokenSession.objects.filter(tsid=left.tsid).update(closed_at=timezone.now())
    app, seen_at = App.objects.get(), timezone.now() - timedelta(days=3)
    App.objects.update(last_seen_at=seen_at)
    page = superuser.get(APPS).content.decode()
    assert page.count('class="field-__str__"') == 1
    assert "Claude Code · on people&#x27;s own devices" in page
    assert f'<a href="{CLIENTS}?app={app.pk}">42</a>' in page
    assert '<td class="field-people">17</td>' in page
    assert f'<td class="field-seen">{seen_at:%Y-%m-%d %H:%M}</td>' in page
    make_client(name="Another", registration_source="dcr")
    beneath = superuser.get(f"{CLIENTS}?app={app.pk}").content.decode()
    assert "42 clients" in beneath
    assert "Another" not in beneath


def test_numbers_are_counted_no_further_than_anybody_reads(superuser: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MOST", 3)
    resource = make_resource()
    for _ in range(5):
        approve(client=make_client(name="Busy", registration_source="dcr"), resource=resource)
    page = superuser.get(APPS).content.decode()
    assert ">3+</a>" in page
    assert '<td class="field-people">3+</td>' in page


def test_the_queue_holds_what_somebody_waits_for(superuser: Http) -> None:
    resource = make_resource()
    wanted, decided = app_of("Wanted"), app_of("Decided", state="approved")
    app_of("Nobody asked")
    for app in (wanted, decided):
        asked_for(app, resource, note="please <b>now</b>", minutes_ago=3)
    queue = superuser.get(f"{APPS}?queue=asked").content.decode()
    assert "Wanted" in queue
    assert "1 time, last" in queue
    assert "Decided" not in queue
    assert "Nobody asked" not in queue
    page = superuser.get(f"{APPS}{wanted.pk}/change/").content.decode()
    assert "please &lt;b&gt;now&lt;/b&gt;" in page
    assert resource.name in page


@pytest.mark.parametrize(("action", "state"), [("approve", "approved"), ("verify", "verified")])
def test_a_decision_is_one_action_and_one_audit_event(action: str, state: str, superuser: Http) -> None:
    apps = [app_of(name, redirect_uri=f"https://{name}.example/cb") for name in ("one", "two")]
    act(superuser, action, *apps)
    assert set(App.objects.values_list("state", "decided_by")) == {(state, "root")}
    events = AuditEvent.objects.filter(event=f"app.{state}")
    assert {(event.actor, event.detail["app"]) for event in events} == {("root", str(app.pk)) for app in apps}


def test_what_anybody_could_register_as_cannot_be_verified(superuser: Http) -> None:
    app = app_of("Claude Code")
    assert "approve them instead" in act(superuser, "verify", app).content.decode()
    form = {"state": "verified", "told": "", "allowed_scopes": ""}
    assert "approve it instead" in superuser.post(f"{APPS}{app.pk}/change/", form).content.decode()
    app.refresh_from_db()
    assert app.state == "pending"


def test_blocking_asks_first_and_then_ends_the_sessions(superuser: Http) -> None:
    approval = approve(client=make_client(name="Bad", registration_source="dcr"))
    app = App.objects.get()
    question = act(superuser, "block", app).content.decode()
    assert "end at once and for good" in question
    assert "1 token session ends." in question
    assert App.objects.get().state == "pending"
    answer = act(superuser, "block", app, confirmed="1", reason="phishing")
    assert "1 token session ended" in answer.content.decode()
    assert App.objects.get().state == "blocked"
    assert TokenSession.objects.get(tsid=approval.tsid).closed_at is not None
    assert AuditEvent.objects.get(event="app.blocked").reason == "phishing"


def submit(http: Http, app: App, *, shown: str = "pending", **fields: str) -> Any:
    """Send the app's form as a browser does, with the state that its page showed."""
    form = {"state": shown, "told": "", "allowed_scopes": "", **fields, "initial-state": shown}
    return http.post(f"{APPS}{app.pk}/change/", form)


@pytest.mark.django_db(transaction=True)
def test_the_form_decides_in_the_same_way(superuser: Http) -> None:
    approve(client=make_client(name="Bad", registration_source="dcr"))
    app = App.objects.get()
    form = {"state": "blocked", "told": "Use ours.", "allowed_scopes": "mcp:tools",
            "reusable_refresh_tokens": "on"}  # fmt: skip
    assert submit(superuser, app, **form).status_code == 302
    app.refresh_from_db()
    assert (app.state, app.told, app.allowed_scopes) == ("blocked", "Use ours.", "mcp:tools")
    assert app.reusable_refresh_tokens
    assert TokenSession.objects.get().closed_at is not None
    assert AuditEvent.objects.filter(event="app.blocked", actor="root").count() == 1
    submit(superuser, app, shown="blocked", told="Use theirs.")
    assert App.objects.get().told == "Use theirs."
    assert AuditEvent.objects.filter(event="app.blocked").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_forms_block_is_in_force_before_the_first_session_ends(
    superuser: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of("Bad")
    seen = []

    def ends(app: App, **said: str) -> cascade.Receipt:
        seen.append((App.objects.get().state, connection.in_atomic_block))
        return cascade.Receipt()

    monkeypatch.setattr(cascade, "revoke_app", ends)
    submit(superuser, app, state="blocked")
    assert seen == [("blocked", False)]


@pytest.mark.django_db(transaction=True)
def test_the_form_lifts_a_block_that_it_showed(superuser: Http) -> None:
    app = app_of("Bad", state="blocked")
    submit(superuser, app, shown="blocked", state="approved")
    assert App.objects.get().state == "approved"


@pytest.mark.django_db(transaction=True)
def test_a_form_that_was_open_since_before_a_block_does_not_lift_it(superuser: Http) -> None:
    app = app_of("Bad")
    page = superuser.get(f"{APPS}{app.pk}/change/").content.decode()
    assert 'name="initial-state" value="pending"' in page
    act(superuser, "block", app, confirmed="1", reason="phishing")
    submit(superuser, app, told="It is fine.")
    app.refresh_from_db()
    assert (app.state, app.told) == ("blocked", "It is fine.")


@pytest.mark.parametrize("action", ["approve", "verify"])
def test_a_block_is_lifted_on_the_apps_page_and_not_in_a_list(action: str, superuser: Http) -> None:
    app = app_of("Bad", redirect_uri="https://bad.example/cb", state="blocked")
    assert "A block is lifted on the app&#x27;s page." in act(superuser, action, app).content.decode()
    assert App.objects.get().state == "blocked"


def test_scopes_are_held_to_their_shape(superuser: Http) -> None:
    app = app_of("App")
    form = {"state": "pending", "told": "", "allowed_scopes": 'a"b'}
    assert "is not one scope" in superuser.post(f"{APPS}{app.pk}/change/", form).content.decode()


def test_an_imitation_is_flagged_and_found_by_the_name_it_imitates(superuser: Http) -> None:
    app_of("Claude", redirect_uri="https://claude.ai/cb", state="verified")
    app_of("Cl\u0430ude (official)")
    app_of("Something else")
    page = superuser.get(f"{APPS}?q=claude").content.decode()
    assert "looks like “Claude”, which is another app" in page
    assert "claims to be official or verified" in page
    assert "mixes look-alike letters" in page
    assert "Something else" not in page


def test_an_app_is_neither_made_nor_deleted_by_hand(superuser: Http) -> None:
    app = app_of("App")
    assert superuser.get(f"{APPS}add/").status_code == 403
    assert superuser.post(f"{APPS}{app.pk}/delete/").status_code == 403


def test_whoever_may_only_look_decides_nothing(staff: Operator) -> None:
    app = app_of("App")
    viewer = staff("authserver.view_app")
    assert viewer.get(APPS).status_code == 200
    act(viewer, "approve", app)
    act(viewer, "block", app, confirmed="1", reason="x")
    viewer.post(f"{APPS}{app.pk}/change/", {"state": "blocked"})
    app.refresh_from_db()
    assert app.state == "pending"


def test_the_list_takes_as_many_statements_for_fifty_apps_as_for_one(
    superuser: Http, django_assert_max_num_queries: Any
) -> None:
    for number in range(50):
        app_of(f"App {number}", redirect_uri=f"https://app-{number}.example/cb")
    with django_assert_max_num_queries(12):
        superuser.get(APPS)


@pytest.mark.parametrize("key", ["x", "-1", "9" * 30, "1e1", "²"])
def test_a_made_up_app_filters_nothing_and_breaks_nothing(key: str, superuser: Http) -> None:
    assert superuser.get(f"{CLIENTS}?app={key}").status_code in {200, 302}
