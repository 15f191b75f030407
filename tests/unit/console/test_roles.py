"""The three roles: every page and every action of the console, for each of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db.models import Model
from django.test import Client as Http

from accounts.models import AuditEvent, TokenSession, User
from authserver.console.roles import POWERS, Role, make_groups, permissions_of
from authserver.models import App, Client
from tests.unit.console.conftest import Everything, browser
from tests.unit.console.crawl import ROOT, model_urls

pytestmark = pytest.mark.django_db

VIEWER, OPERATOR, SECURITY = Role
OPERATORS, SECURITY_ONLY, NOBODY = frozenset({OPERATOR, SECURITY}), frozenset({SECURITY}), frozenset[Role]()
CHANGE = dict.fromkeys(("client", "provider", "resource", "resourceserver", "user"), SECURITY_ONLY) | {"app": OPERATORS}
ADD = dict.fromkeys((*CHANGE.keys() - {"app"}, "initialaccesstoken"), SECURITY_ONLY)
OURS = {
    "accounts_tokensession_revoke": OPERATORS,
    "authserver_app_merge": OPERATORS,
    "authserver_app_split": OPERATORS,
    "authserver_app_note": OPERATORS,
    "accounts_user_revoke": OPERATORS,
    "authserver_app_revoke": OPERATORS,
    "authserver_client_revoke": OPERATORS,
    "authserver_resource_revoke": OPERATORS,
    "upstream_provider_revoke": OPERATORS,
    "authserver_signingkey_rotate": SECURITY_ONLY,
    "authserver_signingkey_revoke": SECURITY_ONLY,
    "authserver_client_new_secret": SECURITY_ONLY,
    "authserver_resourceserver_new_secret": SECURITY_ONLY,
    "auth_user_password_change": SECURITY_ONLY,
    "accounts_auditevent_export": SECURITY_ONLY,
    "authserver_resource_connect": frozenset(Role),
    "upstream_provider_test_connection": frozenset(Role),
    "upstream_provider_test_sign_in": SECURITY_ONLY,
}
"""Who gets to the pages that are no list and no form of Django's. A new one is to be put down here."""
ACTIONS = {
    ("tokensession", "revoke_selected"): OPERATORS,
    ("app", "approve"): OPERATORS,
    ("app", "verify"): OPERATORS,
    ("app", "block"): OPERATORS,
    ("app", "merge"): OPERATORS,
    ("client", "disable"): OPERATORS,
    ("client", "enable"): OPERATORS,
    ("initialaccesstoken", "revoke"): SECURITY_ONLY,
    ("user", "forget"): SECURITY_ONLY,
}
"""Who is offered which action of a list."""


def somebody(role: Role) -> Http:
    user = User.objects.create_user(role.value.replace(" ", "-"), is_staff=True)
    user.groups.add(Group.objects.get(name=role.value))
    return browser(user)


def of(model: type[Model]) -> str:
    return f"{ROOT}{model._meta.app_label}/{model._meta.model_name}/"


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label_lower)
def test_each_role_gets_to_its_pages_and_to_no_other(model: type[Model], role: Role, everything: Everything) -> None:
    http, name, row = somebody(role), str(model._meta.model_name), f"{of(model)}{everything.of(model).pk}/"
    assert http.get(of(model)).status_code == 200
    assert (http.get(f"{of(model)}add/").status_code == 200) == (role in ADD.get(name, NOBODY))
    refused = http.post(f"{row}change/", {"_save": "1"}).status_code == 403
    assert refused == (role not in CHANGE.get(name, NOBODY))
    assert http.get(f"{row}delete/").status_code in {403, 404}
    assert http.post(f"{row}delete/", {"post": "yes"}).status_code in {403, 404}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label_lower)
def test_each_role_is_offered_its_actions_and_no_other(model: type[Model], role: Role, everything: Everything) -> None:
    request = somebody(role).get(of(model)).wsgi_request
    model_admin = admin.site._registry[model]
    known = {action: roles for (name, action), roles in ACTIONS.items() if name == model._meta.model_name}
    assert set(model_admin.actions or ()) == set(known), "say in ACTIONS who may"
    assert set(model_admin.get_actions(request)) == {action for action, roles in known.items() if role in roles}


@pytest.mark.parametrize("role", Role)
def test_each_role_gets_to_the_pages_that_are_our_own(role: Role, everything: Everything) -> None:
    http = somebody(role)
    for model, model_admin in admin.site._registry.items():
        stem = f"{model._meta.app_label}_{model._meta.model_name}"
        djangos = {f"{stem}_{page}" for page in ("changelist", "add", "history", "delete", "change")} | {None}
        for pattern in model_admin.get_urls():
            name = getattr(pattern, "name", None)
            if name in djangos:
                continue
            assert name in OURS, "say who may see it"
            route = str(pattern.pattern).replace("<path:object_id>", str(everything.of(model).pk))
            answer = http.get(of(model) + route.replace("<id>", str(everything.of(model).pk)))
            reached = answer.status_code in {200, 405}  # some are for POST alone, and say who may before they say so
            assert reached == (role in OURS[str(name)]), (name, answer.status_code)


def test_a_viewer_changes_nothing_wherever_they_post(everything: Everything) -> None:
    http = somebody(VIEWER)
    for url in model_urls(everything):
        http.post(url, {"_save": "1", "reason": "x", "confirmed": "1", "post": "yes"})
    assert [event.event for event in AuditEvent.objects.all()] == ["tests.happened"]


def test_an_operator_revokes_decides_and_stops_but_gives_out_no_secret(everything: Everything) -> None:
    http, client = somebody(OPERATOR), everything.of(Client)
    hashed = Client.objects.get().client_secret
    http.post(f"{of(TokenSession)}{everything.of(TokenSession).pk}/revoke/", {"reason": "laptop stolen"})
    http.post(of(App), {"action": "approve", "_selected_action": everything.of(App).pk})
    http.post(of(Client), {"action": "disable", "_selected_action": client.pk})
    assert http.post(f"{of(Client)}{client.pk}/new-secret/").status_code == 403
    client.refresh_from_db()
    assert TokenSession.objects.get().closed_at is not None
    assert App.objects.get().state == App.State.APPROVED
    assert (client.disabled_at is None, client.client_secret) == (False, hashed)


@pytest.mark.parametrize("role", Role)
def test_no_role_makes_somebody_staff_or_lets_them_into_another_group(role: Role, everything: Everything) -> None:
    http, person = somebody(role), everything.of(User)
    superior = Group.objects.get(name=SECURITY.value)
    form: dict[str, Any] = {"username": "ada", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    http.post(f"{of(User)}{person.pk}/change/", {**form, "groups": [superior.pk], "_save": "1"})
    http.post(f"{of(Group)}{superior.pk}/change/", {"name": "x", "_save": "1"})
    person.refresh_from_db()
    assert (person.is_staff, person.is_superuser, list(person.groups.all())) == (False, False, [])
    assert Group.objects.filter(name=SECURITY.value).exists()


def test_a_migrate_brings_the_groups_back_to_what_the_code_says() -> None:
    group = Group.objects.get(name=VIEWER.value)
    group.permissions.add(Permission.objects.get(content_type__app_label="authserver", codename="change_signingkey"))
    group.permissions.remove(Permission.objects.get(content_type__app_label="accounts", codename="view_auditevent"))
    Group.objects.get(name=OPERATOR.value).delete()
    call_command("migrate", verbosity=0)
    for role in Role:
        held = Permission.objects.filter(group__name=role.value).values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in held} == permissions_of(role)
    make_groups()
    assert Group.objects.filter(name__in=list(Role)).count() == len(Role)


def test_every_power_is_a_permission_that_there_is() -> None:
    there = {f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.select_related("content_type")}
    assert {name for power in POWERS for name in power.permissions} <= there
