"""What a form of the console changed: each field's value before and after, fit for the audit trail.

Secrets are masked, and so is what says who somebody is; long values are cut. Names and values only, never a label: those
are in the operator's language.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from itertools import islice
from typing import Any

from django import forms
from django.db.models import Model, QuerySet
from django.forms.models import model_to_dict

MASKED, PERSONAL = "(secret)", "(personal)"
MAX_TEXT = 500
MAX_ITEMS = 50
MAX_FIELDS = 100

Changes = dict[str, list[Any]]
"""Field: what it was, what it is."""

_SECRET = re.compile(r"secret$|^passw(or)?d\d?$|(^|_)(hash|sealed|private_key|api_?key|pem|token)$|^sealed_")


def made(form: Any, formsets: Iterable[Any], *, personal: Collection[str] = ()) -> Changes:
    """Of a valid form that was just saved, and of the rows edited beside it, named `upstreams[3].scopes`."""
    found = _of_form(form, personal)
    for formset in formsets:
        deleted = set(getattr(formset, "deleted_forms", ()))
        for row in formset.forms:
            if not row.has_changed():
                continue
            name = f"{formset.prefix}[{row.instance.pk or ''}]"
            if row in deleted:
                found[name] = ["there", "deleted"]
            else:
                found.update({f"{name}.{field}": values for field, values in _of_form(row, personal).items()})
    return dict(list(found.items())[:MAX_FIELDS])


def gone(obj: Model, *, personal: Collection[str] = ()) -> Changes:
    """Of a row about to be deleted: what it was."""
    values = model_to_dict(obj)
    return {name: [_shown(name, value, personal), None] for name, value in list(values.items())[:MAX_FIELDS]}


def _of_form(form: Any, personal: Collection[str]) -> Changes:
    found: Changes = {}
    for name in form.changed_data:
        field = form.fields.get(name)
        if is_secret(name) or isinstance(getattr(field, "widget", None), forms.PasswordInput):
            found[name] = [MASKED, MASKED]
            continue
        before = form.get_initial_for_field(field, name) if field else form.initial.get(name)
        after = form.cleaned_data.get(name)
        if _plain(before) != _plain(after):  # JSON that was only written differently is no change
            found[name] = [_shown(name, before, personal), _shown(name, after, personal)]
    return found


def _shown(name: str, value: Any, personal: Collection[str]) -> Any:
    if value in (None, ""):
        return None
    if is_secret(name):
        return MASKED
    if name in personal:
        return PERSONAL
    return _plain(value)


def is_secret(name: str) -> bool:
    """By the name of a field or of a member of a JSON value."""
    return bool(_SECRET.search(name.lower()))


def _plain(value: Any) -> Any:
    """As JSON can hold it. What is empty is nothing, whether a form or a row says so."""
    if value in (None, ""):
        return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Model):
        return _plain(value.pk)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        members = list(value.items())[:MAX_ITEMS]
        return {str(key)[:MAX_TEXT]: MASKED if is_secret(str(key)) else _plain(member) for key, member in members}
    if isinstance(value, QuerySet | list | tuple | set | frozenset):
        return [_plain(one) for one in islice(value, MAX_ITEMS)]
    text = str(value)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
