"""What ends when an upstream signs a person out: the sessions it began (Back-Channel Logout 1.0 section 2.7)."""

from __future__ import annotations

from uuid import UUID

from accounts import audit, browser_sessions
from accounts.vault import vault
from authserver import cascade, policy
from upstream.logout_token import LogoutToken

REASON = "upstream logout"


def end(upstream: str, token: LogoutToken, *, address: str | None) -> None:
    """Whoever the token names by `sub`, else whoever signed in here in the session that it names by `sid`.

    All that began with a sign-in at this upstream; with `revocation.upstream_logout_ends_all: false` what began in the
    named session only, where that one is known here.
    """
    began = people_in(upstream, token.sid) if token.sid else set()
    named = {token.person} if token.person else set()
    people = named if token.is_about_somebody else began
    narrow = not policy.current().revocation.upstream_logout_ends_all
    audit.record("upstream.logout", upstream=upstream, user_id=token.person, address=address, people=len(people))
    for user_id in people:
        sid = token.sid if narrow and user_id in began else ""
        cascade.revoke_sign_ins(
            upstream, user_id, sid=sid, reason=REASON, actor=f"upstream:{upstream}", address=address
        )


def people_in(upstream: str, sid: str) -> set[UUID]:
    """Whose sessions here, of either kind, began in this session of the upstream's."""
    return browser_sessions.people_of(upstream, sid).union(vault().sessions.of_upstream_session(upstream, sid).values())
