"""What Django's checks say: those for deployment too, except in demo mode, and those that ask the database."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks
from django.utils.translation import gettext as _

from authserver.conf import load
from authserver.doctor.findings import Finding, failed, ok, warning


def look(*, database: bool) -> Iterator[Finding]:
    """One finding a message, or one that there is none. `database`: whether it answers."""
    demo, title = load().demo, _("Configuration")
    messages = checks.run_checks(include_deployment_checks=not demo, databases=["default"] if database else None)
    said = [message for message in messages if not message.is_silenced() and message.level >= checks.WARNING]
    if demo:
        yield warning(
            "configuration.demo",
            title,
            _("Demo mode: anybody may sign in as anybody, and the checks for deployment were left out."),
            _("Good for looking around. Start without it for other people."),
        )
    for message in said:
        make = failed if message.level >= checks.ERROR else warning
        yield make(f"configuration.{message.id}", title, str(message.msg), str(message.hint or ""))
    if not said:
        yield ok("configuration", title, _("Every check passes."))
