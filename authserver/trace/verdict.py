"""An attempt for people: its moments in order, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from authserver import redirects
from authserver.trace.attempts import Attempt
from authserver.trace.causes import CAUSES, Cause, redirect_uri


@dataclass(frozen=True)
class Moment:
    at: datetime
    what: str


@dataclass(frozen=True)
class Verdict:
    """`cause` is the name in the table; `stage` where it stopped."""

    cause: str
    stage: str
    words: str
    remedy: str


def verdict(attempt: Attempt, now: datetime) -> Verdict:
    cause = next(cause for cause in CAUSES if cause.applies(attempt, now))
    return _filled(cause, attempt)


def _filled(cause: Cause, attempt: Attempt) -> Verdict:
    names = _names(attempt)
    return Verdict(cause.name, str(cause.stage), (str(cause.words) % names).strip(), str(cause.remedy) % names)


def _names(attempt: Attempt) -> dict[str, str]:
    """What the words have slots for; never a query, nor anything that a request held beside names and addresses."""
    uri = redirect_uri(attempt)
    last = attempt.refusals[-1] if attempt.refusals else None
    release = attempt.releases[-1] if attempt.releases else None
    session = attempt.session
    return {
        "port": _port(uri),
        "place": redirects.host_of(uri) if uri else "",
        "provider": attempt.visits[-1].provider.title if attempt.visits else "",
        "error": last.error if last else "",
        "reason": (last.reason or last.error) if last else "",
        "upstream": release.upstream if release else "",
        "release": release.reason if release else "",
        "ended": session.close_reason if session else "",
    }


def _port(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        return str(parts.port or (443 if parts.scheme == "https" else 80))
    except ValueError:
        return "?"


def moments(attempt: Attempt) -> list[Moment]:
    """What is known to have happened, in its order."""
    return sorted(_moments(attempt), key=lambda moment: moment.at)


def _moments(attempt: Attempt) -> Iterator[Moment]:
    client, pending, session, grant = attempt.client, attempt.pending, attempt.session, attempt.grant
    if client:
        yield Moment(client.created, _("The app was registered."))
    if pending:
        yield Moment(pending.approved_at, _("The person approved."))
    for visit in attempt.visits:
        names = {"provider": visit.provider.title, "outcome": visit.get_outcome_display()}
        yield Moment(visit.created_at, _("The person was sent to %(provider)s.") % names)
        if visit.claimed_at:
            yield Moment(visit.claimed_at, _("The person came back from %(provider)s: %(outcome)s.") % names)
    if attempt.code_at:
        place = redirects.host_of(uri) if (uri := redirect_uri(attempt)) else ""
        words = _("A code was given, and the browser sent to %(place)s.") % {"place": place} if place else ""
        yield Moment(attempt.code_at, words or _("A code was given."))
    if grant and grant.claimed_at:
        yield Moment(grant.claimed_at, _("The app redeemed the code."))
    for refusal in attempt.refusals:
        said = f"{refusal.error}: {refusal.reason}" if refusal.reason else refusal.error
        names = {"step": refusal.get_step_display(), "said": said}
        yield Moment(refusal.at, _("Refused (%(step)s): %(said)s") % names)
    for row in attempt.releases[:1] + attempt.releases[1:][-1:]:
        names = {"upstream": row.upstream, "outcome": row.reason or row.outcome}
        yield Moment(row.at, _("The MCP server asked for the token at %(upstream)s: %(outcome)s.") % names)
    if session and session.closed_at:
        yield Moment(session.closed_at, _("The session ended: %(reason)s.") % {"reason": session.close_reason})
