"""What has to be done from time to time: whether it is, and what waits."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from accounts.models import Revocation
from authserver.doctor.findings import Finding, failed, ok, warning
from authserver.models import MaintenanceRun

LATE = timedelta(hours=1)
"""The loop leaves a note every five minutes; a timer should come about as often."""
MANY = 1000


def maintenance(now: datetime) -> Finding:
    check, title = "maintenance", _("Maintenance")
    run = MaintenanceRun.objects.first()
    remedy = _("Let manage.py maintenance --loop run beside the server (docs/maintenance.md).")
    if run is None:
        meaning = _("It never ran: what is over piles up, and no provider is told of ended sessions.")
        return warning(check, title, meaning, remedy)
    names = {"when": f"{run.at:%Y-%m-%d %H:%M} UTC", "steps": ", ".join(run.failed_steps)}
    if run.at < now - LATE:
        meaning = _("It ran last at %(when)s: what is over piles up, and no provider is told of ended sessions.")
        return warning(check, title, meaning % names, remedy)
    if run.failed_steps:
        return warning(
            check,
            title,
            _("It runs, and at %(when)s these steps had failed: %(steps)s.") % names,
            _("Its log says why."),
        )
    return ok(check, title, _("It ran at %(when)s.") % names)


def revocations(now: datetime) -> Finding:
    """The queue, counted as far as `MANY`."""
    check, title = "revocations", _("Revocations at providers")
    queued = Revocation.objects.filter(state=Revocation.State.QUEUED)
    waiting = queued.order_by("due_at")[:MANY].count()
    names = {"waiting": f"{waiting}+" if waiting == MANY else str(waiting)}
    if queued.filter(due_at__lt=now - LATE).exists():
        return warning(
            check,
            title,
            _("%(waiting)s wait, and some have been due for more than an hour: tokens live on at their provider.")
            % names,
            _(
                "Let manage.py maintenance --loop run, and look at the queue in the console for what the provider answers."
            ),
        )
    if waiting == MANY:
        return failed(
            check,
            title,
            _("%(waiting)s wait: more come than can be worked.") % names,
            _("Look at the queue in the console for what the provider answers."),
        )
    return ok(check, title, _("%(waiting)s wait, none for long.") % names)
