"""How the demo provider behaves: the knobs, their defaults, and their rows in the database.

A knob without a row is at its default. The provider's habits are knobs of their own (`rotate`), what goes
wrong at one endpoint is one knob by that endpoint's name (`refresh`), see `faults`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.db import transaction
from django.db.models import F

from . import faults, rules
from .faults import Fault
from .models import Knob
from .rules import Rule

AUTH_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True)
class Knobs:
    """The provider's habits, and the faults it was told to have.

    `no_refresh_token` lists the moments at which none is handed out. At a `refresh` that leaves the presented
    one valid, as Google does; `second_sign_in` is Google too (unless `prompt=consent`). `granted_scopes` is
    what people agree to, whatever is asked. `nested_answer` is the member that token answers are wrapped in,
    as Slack's `authed_user`. `errors_with_200` and `comma_scopes` are GitHub.
    """

    access_token_seconds: int = 60
    code_seconds: int = 60
    rotate: bool = True
    reuse_detection: bool = True
    no_refresh_token: Sequence[str] = ()
    granted_scopes: Sequence[str] | None = None
    alg: str = "RS256"
    auth_methods: Sequence[str] = AUTH_METHODS
    errors_with_200: bool = False
    comma_scopes: bool = False
    nested_answer: str = ""
    canary: str = ""
    faults: Mapping[str, Fault] = field(default_factory=dict)

    def claim_fault(self, endpoint: str) -> Fault:
        """The fault to have now. One with `times` is counted down by the statement that claims it."""
        fault = self.faults.get(endpoint, Fault())
        if fault.times is None:
            return fault
        left = Knob.objects.filter(name=endpoint, remaining__gt=0)
        return fault if left.update(remaining=F("remaining") - 1) else Fault()


HABITS: dict[str, Rule] = {
    "access_token_seconds": rules.whole(0, 366 * 86400),
    "code_seconds": rules.whole(0, 3600),
    "rotate": rules.FLAG,
    "reuse_detection": rules.FLAG,
    "no_refresh_token": rules.some_of("sign_in", "second_sign_in", "without_offline_access", "refresh"),
    "granted_scopes": rules.TEXTS,
    "alg": rules.one_of("RS256", "ES256"),
    "auth_methods": rules.some_of(*AUTH_METHODS),
    "errors_with_200": rules.FLAG,
    "comma_scopes": rules.FLAG,
    "nested_answer": rules.NAME,
    "canary": rules.NAME,
}


def load() -> Knobs:
    rows = dict(Knob.objects.values_list("name", "value"))
    return Knobs(
        faults={name: Fault(**value) for name, value in rows.items() if name in faults.ENDPOINTS},
        **{name: value for name, value in rows.items() if name in HABITS},
    )


def turn(given: Mapping[str, Any]) -> None:
    """Set the knobs in `given`, all or none; null puts one back. Raises `BadKnob`."""
    rows = []
    for name, value in given.items():
        if value is None and name in faults.ENDPOINTS.keys() | HABITS.keys():
            continue
        if name in faults.ENDPOINTS:
            rules.check(value, faults.FIELDS, faults.ENDPOINTS[name], where=name)
            rows.append(Knob(name=name, value=value, remaining=value.get("times")))
        else:
            rules.check({name: value}, HABITS, HABITS, where="the demo provider")
            rows.append(Knob(name=name, value=value))
    with transaction.atomic():
        Knob.objects.filter(name__in=[name for name, value in given.items() if value is None]).delete()
        Knob.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["name"], update_fields=["value", "remaining"]
        )


def snapshot() -> dict[str, Any]:
    """Every habit as it is now, and every fault with how often it will still happen."""
    remaining = dict(Knob.objects.values_list("name", "remaining"))
    now = load()
    shown = {habit.name: getattr(now, habit.name) for habit in fields(now) if habit.name in HABITS}
    for name, fault in now.faults.items():
        shown[name] = asdict(fault) | {"remaining": remaining.get(name)}
    return shown


def reset() -> None:
    Knob.objects.all().delete()
