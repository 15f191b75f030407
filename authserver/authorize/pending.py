"""The row of an approval: written before the person leaves, and taken once, for the code."""

from __future__ import annotations

from copy import copy
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.prepared_writes import PreparedInsert
from authserver.authorize.consent import still_given
from authserver.models import PendingAuthorization

_INSERT = PreparedInsert(PendingAuthorization)


def kept(pending: PendingAuthorization) -> bool:
    """Whether the row is there, and it is written now where it was not: the person is about to leave. False where it was
    there before, or the client, the resource or what was approved before is gone."""
    if pending._state.adding:
        try:
            with transaction.atomic():
                if pending.parameters["as_before"] and not still_given(pending):
                    return False
                _INSERT.save(pending)
        except IntegrityError:
            return False
    return True


def claim(pending: PendingAuthorization, *, now: datetime) -> bool:
    """Take the approval for good. One that nobody had to be asked for may have no row yet: it is written as taken, from a
    copy, because all of this may be undone."""
    if pending._state.adding:
        taken = copy(pending)
        taken.finished_at = now
        _INSERT.save(taken)
        return True
    return bool(PendingAuthorization.objects.filter(pk=pending.pk, finished_at=None).update(finished_at=now))
