"""The console's three roles: Django groups, each with exactly the permissions its work needs (docs/console-roles.md).

Everybody sees what there is to see; each role may do what the one before it may, and more. Whoever needs another cut
makes a group of their own: these three are brought back to what stands here with every `manage.py migrate`. Who is
staff, who is in which group, and other operators' accounts are a superuser's business, and in no role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import transaction


class Role(StrEnum):
    """The groups' names, from the least to the most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SECURITY_ADMINISTRATOR = "security administrator"

    @property
    def key(self) -> str:
        """As the configuration file names it."""
        return self.value.replace(" ", "_")


@dataclass(frozen=True)
class Power:
    """What an operator may do, in words; the permissions it takes; the least role that has them."""

    words: str
    permissions: tuple[str, ...]
    least: Role

    def held_by(self, role: Role) -> bool:
        order = list(Role)
        return order.index(role) >= order.index(self.least)


POWERS = (
    Power("revoke token sessions", ("accounts.change_tokensession",), Role.OPERATOR),
    Power(
        "approve, verify, block, merge and limit apps, and write notes on them",
        ("authserver.change_app",),
        Role.OPERATOR,
    ),
    Power("disable and enable clients", ("authserver.switch_client",), Role.OPERATOR),
    Power(
        "make and edit clients, and their secrets",
        ("authserver.add_client", "authserver.change_client"),
        Role.SECURITY_ADMINISTRATOR,
    ),
    Power(
        "make and revoke initial access tokens",
        ("authserver.add_initialaccesstoken", "authserver.change_initialaccesstoken"),
        Role.SECURITY_ADMINISTRATOR,
    ),
    Power("rotate and revoke signing keys", ("authserver.change_signingkey",), Role.SECURITY_ADMINISTRATOR),
    Power(
        "make and edit providers, and their secrets",
        ("upstream.add_provider", "upstream.change_provider"),
        Role.SECURITY_ADMINISTRATOR,
    ),
    Power(
        "make and edit resources, and the upstreams they need",
        (
            "authserver.add_resource",
            "authserver.change_resource",
            "authserver.add_resourceupstream",
            "authserver.change_resourceupstream",
            "authserver.delete_resourceupstream",
        ),
        Role.SECURITY_ADMINISTRATOR,
    ),
    Power(
        "make and edit resource servers, and their secrets",
        ("authserver.add_resourceserver", "authserver.change_resourceserver"),
        Role.SECURITY_ADMINISTRATOR,
    ),
    Power(
        "add, edit and deactivate people who are not staff",
        ("accounts.add_user", "accounts.change_user"),
        Role.SECURITY_ADMINISTRATOR,
    ),
    Power("forget people who are not staff", ("accounts.delete_user",), Role.SECURITY_ADMINISTRATOR),
    Power("export the audit trail", ("accounts.export_auditevent",), Role.SECURITY_ADMINISTRATOR),
)


def permissions_of(role: Role) -> set[str]:
    """As `app.codename`."""
    seen = {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in admin.site._registry}
    return seen | {name for power in POWERS if power.held_by(role) for name in power.permissions}


def make_groups(**signal: Any) -> None:
    """Idempotent. After each `migrate`, once every application's permissions are there: ours is the last to ask."""
    stored = {_name(permission): permission for permission in Permission.objects.select_related("content_type")}
    with transaction.atomic():
        for role in Role:
            group, _created = Group.objects.get_or_create(name=role.value)
            group.permissions.set([stored[name] for name in sorted(permissions_of(role))])


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def table() -> str:
    """The roles as a Markdown table: docs/console-roles.md holds exactly this."""
    seen = Power("see every list and page", ("view of everything in the console",), Role.VIEWER)
    rows = [
        [power.words, _spelled(power.permissions), *("yes" if power.held_by(role) else "" for role in Role)]
        for power in (seen, *POWERS)
    ]
    head = ["may", "permissions", *(role.value for role in Role)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _spelled(permissions: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" if "." in name else name for name in permissions)
