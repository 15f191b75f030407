"""Each provider that is switched on: asked afresh, several at once; and what went wrong there last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from accounts.models import AuditEvent
from authserver.doctor import calls
from authserver.doctor.calls import Calls, Fetched
from authserver.doctor.findings import Finding, failed, ok, warning
from upstream import examination
from upstream.examination import Flaw
from upstream.models import Provider

MOST = 50
AT_ONCE = 8
LOOKED_AT = 500
RECENT = timedelta(days=1)
Seen = tuple[list[Flaw], list[Fetched]]


def look(through: Calls, now: datetime) -> Iterator[Finding]:
    """Every provider that is switched on."""
    providers = list(Provider.objects.filter(enabled=True).order_by("name")[:MOST])
    if not providers:
        yield warning(
            "upstream",
            _("Providers"),
            _("None is switched on: nobody can sign in."),
            _("Add one (docs/providers/README.md)."),
        )
        return
    yield from look_at(providers, through, now)


def look_at(providers: Sequence[Provider], through: Calls, now: datetime) -> Iterator[Finding]:
    """Two findings or three a provider."""

    def examine(provider: Provider) -> Seen:
        answers: list[Fetched] = []

        def get(url: str) -> Fetched:
            answers.append(through.get(url, private=provider.allow_private_network))
            return answers[-1]

        return examination.examine(provider, get), answers

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="doctor") as pool:
        seen: Sequence[Seen] = list(pool.map(examine, providers))
    errors = _last_errors(now)
    for provider, (flaws, answers) in zip(providers, seen, strict=True):
        yield _finding(provider, flaws)
        title = _("Clock of %(provider)s") % {"provider": provider.title}
        skews = [answer for answer in answers if answer.skew_seconds is not None]
        clock = calls.clock(f"upstream.{provider.name}.clock", title, skews[0]) if skews else None
        if clock:
            yield clock
        if provider.name in errors:
            yield _last_error(provider, *errors[provider.name])


def _finding(provider: Provider, flaws: Sequence[Flaw]) -> Finding:
    check, title = f"upstream.{provider.name}", str(provider.title)
    if not flaws:
        return ok(check, title, _("Its documents, keys and endpoints answer."))
    untold = all(flaw.reason == "no_time" for flaw in flaws)
    meaning = " ".join(f"{_named(flaw.what)}: {_in_words(flaw.reason)}" for flaw in flaws)
    remedy = _("Compare its settings with its page in docs/providers, and look whether %(provider)s has an outage.")
    return (warning if untold else failed)(check, title, meaning, remedy % {"provider": provider.title})


def _named(what: str) -> str:
    words = {
        "document": _("Discovery document"),
        "jwks_uri": _("Its keys"),
        "authorization_endpoint": _("Authorization endpoint"),
        "token_endpoint": _("Token endpoint"),
        "userinfo_endpoint": _("Userinfo endpoint"),
    }
    return words[what]


def _in_words(reason: str) -> str:
    words = {
        "missing": _("It is not configured."),
        "issuer_mismatch": _("It names another issuer than the one configured here."),
        "no_keys": _("There are none: no ID token can be verified."),
        "garbage": _("The answer is no JSON document."),
    }
    if reason.startswith("http_"):
        return _("The answer is %(status)s.") % {"status": reason.removeprefix("http_")}
    return words.get(reason) or calls.why(reason)


def _last_errors(now: datetime) -> dict[str, tuple[AuditEvent, bool]]:
    """By provider: the newest failure of a day among the newest rows of the trail, and whether something went well since."""
    went_well: set[str] = set()
    errors: dict[str, tuple[AuditEvent, bool]] = {}
    for row in AuditEvent.objects.filter(at__gte=now - RECENT).order_by("-id")[:LOOKED_AT]:
        if not row.upstream or not row.event.startswith("upstream."):
            continue
        if row.outcome == "ok":
            went_well.add(row.upstream)
        elif row.outcome == "failed":
            errors.setdefault(row.upstream, (row, row.upstream in went_well))
    return errors


def _last_error(provider: Provider, row: AuditEvent, is_over: bool) -> Finding:
    check = f"upstream.{provider.name}.last_error"
    title = _("Last error of %(provider)s") % {"provider": provider.title}
    names = {"when": f"{row.at:%Y-%m-%d %H:%M} UTC", "event": row.event, "reason": row.reason}
    if is_over:
        return ok(check, title, _("%(event)s failed at %(when)s (%(reason)s), and has worked since.") % names)
    return warning(
        check,
        title,
        _("%(event)s failed at %(when)s (%(reason)s), and has not worked since.") % names,
        _("docs/providers says what the usual reasons are."),
    )
