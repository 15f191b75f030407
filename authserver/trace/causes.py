"""Where an attempt stopped, the likely cause, and the next thing to try: one table, the first line that fits counts.

It is read from the end of an attempt to its beginning: what happened last says most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authserver import redirects
from authserver.models import Refusal
from authserver.trace.attempts import Attempt
from upstream.models import Visit

Applies = Callable[[Attempt, datetime], bool]
Step = Refusal.Step
Outcome = Visit.Outcome


@dataclass(frozen=True)
class Cause:
    """`stage` is where it stopped; `words` and `remedy` have slots that `authserver.trace.verdict` fills."""

    name: str
    stage: str | Promise
    applies: Applies
    words: str | Promise
    remedy: str | Promise = ""


REGISTER, AUTHORIZE, CONSENT, UPSTREAM = _("registration"), _("authorization request"), _("consent"), _("provider")
CODE, TOKEN, EXCHANGE, DONE = _("the way back"), _("token"), _("first exchange"), _("connected")
REGISTER_AGAIN = _("Remove the connection in the app and add it again: that registers the app anew.")
PROVIDER_PAGE = _("Compare the provider's settings with its page in docs/providers, and run the doctor.")


def refused(step: Step, *errors: str, reason: str = "") -> Applies:
    """The last thing that happened is such a refusal; `reason` is a part of ours."""

    def applies(attempt: Attempt, now: datetime) -> bool:
        last = attempt.refusals[-1] if attempt.refusals else None
        return (
            last is not None
            and last.step == step
            and (not errors or last.error in errors)
            and reason.lower() in last.reason.lower()
        )

    return applies


def visited(*outcomes: str) -> Applies:
    return lambda attempt, now: bool(attempt.visits) and attempt.visits[-1].outcome in outcomes


def is_away(attempt: Attempt, now: datetime) -> bool:
    return visited(Outcome.OPEN)(attempt, now) and attempt.visits[-1].expires_at > now


def answers_at(kind: str) -> Applies:
    def applies(attempt: Attempt, now: datetime) -> bool:
        uri = redirect_uri(attempt)
        return attempt.code_at is not None and bool(uri) and redirects.kind_of(uri) == kind

    return applies


def redirect_uri(attempt: Attempt) -> str:
    """Where the code went; empty where nothing tells any more."""
    if attempt.grant:
        return str(attempt.grant.redirect_uri)
    raw: dict[str, Any] = attempt.pending.parameters.get("raw", {}) if attempt.pending else {}
    return str(raw.get("redirect_uri", ""))


def is_closed(attempt: Attempt, now: datetime) -> bool:
    return attempt.session is not None and attempt.session.closed_at is not None


def was_replayed(attempt: Attempt, now: datetime) -> bool:
    return attempt.session is not None and attempt.session.close_reason == "code_replay"


def connected(attempt: Attempt, now: datetime) -> bool:
    return attempt.has_tokens


def code_waits(attempt: Attempt, now: datetime) -> bool:
    return attempt.grant is not None and attempt.grant.claimed_at is None and attempt.grant.expires > now


def has_code(attempt: Attempt, now: datetime) -> bool:
    return attempt.code_at is not None


def released(outcome: str) -> Applies:
    return lambda attempt, now: bool(attempt.releases) and attempt.releases[-1].outcome == outcome


def approved(attempt: Attempt, now: datetime) -> bool:
    return attempt.pending is not None


def is_under_way(attempt: Attempt, now: datetime) -> bool:
    return attempt.pending is not None and attempt.pending.expires_at > now


def both(*tests: Applies) -> Applies:
    return lambda attempt, now: all(test(attempt, now) for test in tests)


CAUSES: tuple[Cause, ...] = (
    Cause("code_replay", TOKEN, was_replayed, _("The code was redeemed twice, so that the session was ended."),
          _("Connect again. If it happens again, the app redeems its code twice, or somebody else had it.")),
    Cause("ended", DONE, both(connected, is_closed), _("It was connected. The session has ended: %(ended)s."),
          _("Connect again from the app.")),
    Cause("exchange_failed", EXCHANGE, both(connected, released("failed")),
          _("The app is connected. The MCP server asked for the token at %(upstream)s and did not get it: %(release)s."),
          _("Send the person to the connect_url that the MCP server was given, or let them connect again.")),
    Cause("exchange_refused", EXCHANGE, both(connected, released("refused")),
          _("The app is connected. The MCP server was refused the token at %(upstream)s: %(release)s."),
          _("Check that the MCP server is a resource server of this resource, and that the session is open.")),
    Cause("works", DONE, both(connected, released("ok")), _("It works: the MCP server has had the person's token.")),
    Cause("no_exchange", EXCHANGE, both(connected, lambda attempt, now: attempt.has_upstreams),
          _("The app has its tokens. The MCP server has not asked for the person's token at a provider yet."),
          _("Call a tool that needs it. If nothing comes, check the MCP server's client_id, its secret and our address.")),
    Cause("connected", DONE, connected, _("The app has its tokens, and there is nothing to exchange.")),
    Cause("client_authentication", TOKEN, both(has_code, refused(Step.TOKEN, "invalid_client")),
          _("The app came for its token and could not prove who it is: %(reason)s."), REGISTER_AGAIN),
    Cause("wrong_verifier", TOKEN, both(has_code, refused(Step.TOKEN, reason="verifier")),
          _("The app came for its token with a PKCE verifier that does not belong to the code."),
          _("Start one sign-in at a time. The app may have restarted meanwhile, or two copies of it answer each other.")),
    Cause("other_redirect_uri_at_token", TOKEN, both(has_code, refused(Step.TOKEN, reason="redirect_uri")),
          _("The app named another redirect URI at the token endpoint than when it asked."),
          _("The app has to send the same one both times. Update it, or tell the people who make it.")),
    Cause("came_late", TOKEN, both(has_code, refused(Step.TOKEN, reason="expired")),
          _("The app came for its token when the code had expired."),
          _("Try again. If it is always late, raise lifetimes.code a little, and look for what holds the app up.")),
    Cause("token_refused", TOKEN, both(has_code, refused(Step.TOKEN)),
          _("The app came for its token and was refused: %(reason)s."), _("Connect again from the app.")),
    Cause("code_waits", CODE, code_waits, _("It is under way: the code is waiting for the app."), _("Look again in a minute.")),
    Cause("loopback_not_reached", CODE, answers_at("loopback"),
          _("The client never came back for the token: its callback on port %(port)s was not reached."),
          _("Run the app and the browser on the same computer, or forward the port. The app may have given up waiting.")),
    Cause("scheme_not_opened", CODE, answers_at("private_scheme"),
          _("The client never came back for the token: the browser did not open %(place)s."),
          _("Let the browser open the app when it asks, and check that the app is installed there.")),
    Cause("site_not_reached", CODE, answers_at("https"),
          _("The client never came back for the token: %(place)s got the code, or was not reached, and did not redeem it."),
          _("Check that its server reaches our token endpoint: run the doctor, and look at its own log.")),
    Cause("code_unused", CODE, has_code, _("A code was given and never redeemed."), _("Connect again from the app.")),
    Cause("not_this_browser", UPSTREAM, both(approved, refused(Step.AUTHORIZE, "not_this_browser")),
          _("The person came back in another browser, or without their cookie."),
          _("Finish in the browser window that opened, with cookies allowed for this site.")),
    Cause("resource_allow", CONSENT, refused(Step.AUTHORIZE, "resource_allow"),
          _("The person signed in, and may not use the resource."),
          _("Add them to the resource's allow, if they should.")),
    Cause("no_provider", UPSTREAM, refused(Step.AUTHORIZE, "no_provider"), _("No provider is there to sign in with."),
          _("Switch one on for which sign_in is set.")),
    Cause("upstream_away", UPSTREAM, both(approved, is_away),
          _("It is under way: the person is at %(provider)s."), _("Look again in a few minutes.")),
    Cause("upstream_no_return", UPSTREAM, both(approved, visited(Outcome.OPEN)),
          _("The person was sent to %(provider)s and did not come back."),
          _("They may have closed the tab; or %(provider)s showed an error, most often that our callback is not registered.")),
    Cause("upstream_denied", UPSTREAM, both(approved, visited(Outcome.DENIED)),
          _("The person declined at %(provider)s."), _("Try again, and accept what %(provider)s asks.")),
    Cause("upstream_not_allowed", UPSTREAM, both(approved, visited(Outcome.NOT_ALLOWED)),
          _("The account at %(provider)s is not let in here."),
          _("Take another account, or add it to the provider's allow.")),
    Cause("upstream_other_account", UPSTREAM,
          both(approved, visited(Outcome.IN_USE, Outcome.ANOTHER, Outcome.NOT_THEM)),
          _("The account at %(provider)s belongs to another person here, or the person has another one there."),
          _("Take the account that was used the first time.")),
    Cause("upstream_failed", UPSTREAM, both(approved, visited(Outcome.FAILED)),
          _("%(provider)s gave no answer that can be used."), PROVIDER_PAGE),
    Cause("under_way", CONSENT, both(approved, is_under_way), _("It is under way: the person has approved."),
          _("Look again in a few minutes.")),
    Cause("left", UPSTREAM, approved, _("The person approved and did not finish."), _("Connect again from the app.")),
    Cause("unknown_client", AUTHORIZE, refused(Step.AUTHORIZE, "unknown_client", "no_client"),
          _("The app sent the person with a client id that is not registered here. %(reason)s"), REGISTER_AGAIN),
    Cause("other_redirect_uri", AUTHORIZE, refused(Step.AUTHORIZE, "other_redirect_uri", "no_redirect_uri"),
          _("The app wanted to be answered at an address that it has not registered."), REGISTER_AGAIN),
    Cause("blocked", AUTHORIZE, refused(Step.AUTHORIZE, "blocked"), _("An operator has blocked the app."),
          _("Its page in the console says who and why.")),
    Cause("waits", CONSENT, refused(Step.AUTHORIZE, "waits"), _("The app waits for an operator's approval."),
          _("Decide about it in the app registry.")),
    Cause("not_here", CONSENT, refused(Step.AUTHORIZE, "not_here"), _("The resource is open to chosen apps only."),
          _("Approve the app, if it should be one of them.")),
    Cause("no_pkce", AUTHORIZE, refused(Step.AUTHORIZE, reason="code_challenge"),
          _("The app did not use PKCE as it must: %(reason)s"), _("Update the app: OAuth 2.1 has no way around it.")),
    Cause("invalid_target", AUTHORIZE, refused(Step.AUTHORIZE, "invalid_target"),
          _("The app asked for a resource that is not configured here: %(reason)s"),
          _("The MCP server's address and the resource's identifier have to be the same.")),
    Cause("invalid_scope", AUTHORIZE, refused(Step.AUTHORIZE, "invalid_scope"),
          _("The app asked for a scope that it cannot have: %(reason)s"),
          _("Compare what the MCP server announces with the resource's scopes.")),
    Cause("denied", CONSENT, refused(Step.AUTHORIZE, "access_denied"), _("It was declined: %(reason)s"),
          _("Try again, and approve.")),
    Cause("page_waited", CONSENT, refused(Step.AUTHORIZE, "expired"), _("The page waited too long for the person."),
          _("Connect again from the app.")),
    Cause("authorize_refused", AUTHORIZE, refused(Step.AUTHORIZE),
          _("The authorization request was refused: %(error)s. %(reason)s"),
          _("Update the app, or tell the people who make it.")),
    Cause("register_not_let_in", REGISTER, refused(Step.REGISTER, "invalid_token", "access_denied"),
          _("The app could not register: registration is closed, or wants an initial access token."),
          _("Give it one, configure the client yourself, or open registration (docs/registration.md).")),
    Cause("register_refused", REGISTER, refused(Step.REGISTER),
          _("The app could not register: %(reason)s"), _("docs/registration.md says what is taken.")),
    Cause("unknown_at_token", TOKEN, refused(Step.TOKEN, "invalid_client"),
          _("The app came to the token endpoint and is not known there, or could not prove who it is."), REGISTER_AGAIN),
    Cause("refresh_refused", TOKEN, refused(Step.TOKEN),
          _("The app came to the token endpoint with something that is over: %(reason)s."),
          _("Connect again from the app.")),
    Cause("only_registered", CONSENT, lambda attempt, now: True,
          _("The app is registered, and nobody has approved it since: the browser did not open, or the page was left."),
          _("Start the sign-in in the app, and answer the consent page.")),
)  # fmt: skip
