"""Operators whom an upstream's groups make: what they may do is what the groups say, and nothing that was given by hand.

An account is an operator by hand or by groups, never both. Superusers are made by hand only.
"""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import Group
from django.db import transaction

from accounts import audit
from accounts.models import User
from authserver.console.roles import Role


class MadeHere(Exception):
    """Somebody made this account an operator, or a superuser, by hand."""


def is_made_here(user: User) -> bool:
    return user.is_superuser or (user.is_staff and not user.staff_from_upstream)


def hold_to(user: User, roles: Collection[Role], *, upstream: str, address: str | None) -> None:
    """Make the account an operator with exactly these roles, or with none of them no operator; groups that carry no
    permission stay (`allow` of a resource names some). Nothing else of the person's ends. Raises `MadeHere`.

    Under the row's lock: somebody may be making it an operator by hand just now.
    """
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=user.pk)
        if is_made_here(row):
            raise MadeHere
        before = (row.staff_from_upstream, _powers(row))
        _set_groups(row, roles)
        row.is_staff, row.staff_from_upstream = bool(roles), upstream if roles else ""
        row.save(update_fields=["is_staff", "staff_from_upstream"])
        after = (row.staff_from_upstream, _powers(row))
        if before != after:
            audit.record(
                "console.roles_changed",
                user_id=row.pk,
                upstream=upstream,
                address=address,
                before=before[1],
                after=after[1],
            )
    user.is_staff, user.staff_from_upstream = row.is_staff, row.staff_from_upstream


def _set_groups(row: User, roles: Collection[Role]) -> None:
    wanted = Group.objects.filter(name__in=[role.value for role in roles])
    row.groups.remove(*row.groups.filter(permissions__isnull=False).exclude(pk__in=wanted).distinct())
    row.groups.add(*wanted)
    row.user_permissions.clear()


def _powers(row: User) -> list[str]:
    """The names of the groups that let the account do something."""
    return sorted(set(row.groups.filter(permissions__isnull=False).values_list("name", flat=True)))
