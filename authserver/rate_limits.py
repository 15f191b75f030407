"""The rate limits there are: what each counts, for whom, how often by default, and what whoever has more is answered.

`settings.RATE_LIMITS` begins with `DEFAULTS`, the table of docs/rate-limits.md is `table()`, and `authserver.limits` counts.
Nothing is imported here: the settings read this.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RateLimit:
    """`default` as `10/minute`, over a sliding window. `counted_alone` says why neither "nobody is limited" nor "nobody gets
    in" is the answer to a shared cache that is away: each process counts for itself then.
    """

    name: str
    counts: str
    per: str
    default: str
    answer: str
    counted_alone: str


_JSON = "429, `temporarily_unavailable`"
_PAGE = "429, a page"
_GUESSES = "guesses must be held up, and"

RATE_LIMITS = (
    RateLimit(
        "token", "requests for tokens, and revocations", "network, and client where it has proved to be that one",
        "60/minute", _JSON, "apps go on refreshing",
    ),
    RateLimit(
        "register", "registrations, changes of one, and apps met by a metadata document", "network",
        "10/minute", f"{_JSON}; at `/oauth/authorize` a page", "a flood would fill the tables, and new apps cannot wait",
    ),
    RateLimit(
        "authorize", "authorization requests, answers to their pages, and visits to providers", "network",
        "60/minute", _PAGE, "people go on signing in",
    ),
    RateLimit(
        "userinfo", "requests for userinfo; of invalid tokens, those alone", "token session; invalid tokens: network",
        "60/minute", _JSON, "clients go on reading whom they serve",
    ),
    RateLimit(
        "exchange", "token exchanges", "resource server",
        "600/minute", _JSON, "every MCP call waits for this answer",
    ),
    RateLimit(
        "api", "requests to `/api/v1/`", "resource server",
        "600/minute", _JSON, "every MCP call waits for this answer",
    ),
    RateLimit(
        "api_unknown", "sessions that are not there, or not the caller's", "resource server",
        "60/minute", _JSON, f"{_GUESSES} good handles be answered",
    ),
    RateLimit(
        "introspect", "introspections", "resource server",
        "600/minute", _JSON, "every MCP call waits for this answer",
    ),
    RateLimit(
        "client_authentication", "failures of clients and resource servers to authenticate", "network",
        "10/minute", _JSON, f"{_GUESSES} good secrets be taken",
    ),
    RateLimit(
        "logout", "requests to sign out", "network",
        "60/minute", _PAGE, "nobody may be kept signed in",
    ),
    RateLimit(
        "backchannel_logout", "logout tokens of providers, which sign everybody out at once when they close", "network",
        "600/minute", _JSON, "sign-outs are taken",
    ),
    RateLimit(
        "admin_login", "attempts to get into the console: passwords, codes, links", "network, and account name",
        "10/minute", "429, the form; a right password is not looked at", f"{_GUESSES} who mends the cache may need the console",
    ),
    RateLimit(
        "approval", "requests for an app's approval", "network",
        "10/minute", _PAGE, "a flood would hide the others",
    ),
    RateLimit(
        "approval_state", "looks of a waiting page at how it stands", "network",
        "600/minute", "429, JSON for the page's script", "the page asks again by itself",
    ),
)  # fmt: skip

DEFAULTS = {limit.name: limit.default for limit in RATE_LIMITS}


def table() -> str:
    """The list as a Markdown table: docs/rate-limits.md holds exactly this."""
    rows = [
        f"| `{one.name}` | {one.counts} | {one.per} | {one.default} | {one.answer} | {one.counted_alone} |"
        for one in RATE_LIMITS
    ]
    head = "| limit | counts | per | default | answer | why counting goes on without the cache |"
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(table())  # noqa: T201 - that is what it is for
