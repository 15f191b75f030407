"""How many token sessions a person may have open at once: `sessions.per_user` and `per_client` of the configuration.

Asked after a new one was opened. The one that was used longest ago ends first, and never the new one; two that are opened
in the same breath may leave one more than the cap until the next.
"""

from __future__ import annotations

from uuid import UUID

from accounts.vault import vault
from authserver import cascade, policy


def keep_within(user_id: UUID, client_id: str) -> int:
    """End what is too much; how many. No statement where there is no cap."""
    caps, sessions = policy.current().sessions, vault().sessions
    too_many: dict[str, None] = {}
    if caps.per_client:
        too_many |= dict.fromkeys(sessions.least_used(user_id, beyond=caps.per_client, client_id=client_id))
    if caps.per_user:
        too_many |= dict.fromkeys(sessions.least_used(user_id, beyond=caps.per_user))
    return sum(cascade.revoke_session(tsid, reason="too many sessions") is not None for tsid in too_many)
