"""The invariants, over a recorded history. Pure: each takes operations and answers sentences, none where all is well.

What was acknowledged holds, through every fault and after it; what was not may or may not have happened. So a refresh
without an answer may be sent again, and a revocation without one proves nothing until another is acknowledged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from tests.availability.history import Fault, Operation

BOUND_SECONDS: Final = {"authorize": 60.0}
"""How long an answer may take at most: a walk through pages is many requests."""
REQUEST_SECONDS: Final = 20.0
GRACE_SECONDS: Final = 10.0
"""How long after a fault it may still be felt: pools connect again, nginx asks a host again after 2 s."""

Violations = Iterator[str]


def violations(operations: Iterable[Operation], faults: Iterable[Fault] = ()) -> list[str]:
    """Everything that must not be in this history."""
    ordered, faults = sorted(operations, key=lambda one: one.invoked_at), list(faults)
    return [
        *one_live_lineage(ordered),
        *nothing_works_after_a_revocation(ordered),
        *what_was_delivered_works(ordered, faults),
        *only_documented_answers(ordered, faults),
        *one_chain_of_upstream_tokens(ordered),
    ]


def one_live_lineage(operations: list[Operation]) -> Violations:
    """A refresh token has one successor, whoever presents it how often, and nobody else's is the same."""
    answers: dict[str, set[tuple[tuple[str, str], ...]]] = defaultdict(set)
    presented: dict[str, set[str]] = defaultdict(set)
    for one in operations:
        if one.kind == "refresh" and one.took_effect:
            answers[one.sent].add(tuple(sorted(one.given.items())))
            presented[one.given["refresh_token"]].add(one.sent)
    for token, given in answers.items():
        if len(given) > 1:
            yield f"refresh token {token} was answered in {len(given)} ways"
    for token, ancestors in presented.items():
        if len(ancestors) > 1:
            yield f"refresh token {token} follows {len(ancestors)} others"


def nothing_works_after_a_revocation(operations: list[Operation]) -> Violations:
    """What is invoked after a revocation was acknowledged does not succeed, at whatever host."""
    for session, (_, acknowledged_at) in _revocations(operations).items():
        for one in operations:
            works = one.kind in ("refresh", "exchange") and one.took_effect
            if one.session == session and works and one.invoked_at > acknowledged_at:
                yield f"works after the revocation was acknowledged: {one}"


def what_was_delivered_works(operations: list[Operation], faults: list[Fault]) -> Violations:
    """A token that was given out is refused only once a revocation was asked for. Clients present the current refresh
    token (or one whose answer they lack), and any access token.
    """
    revocations = _revocations(operations)
    may_be_dead = _may_be_dead(operations, faults)
    for one in operations:
        if one.kind not in ("redeem", "refresh", "exchange") or not 400 <= one.status < 500:
            continue
        invoked_at, _ = revocations.get(one.session, (float("inf"), 0))
        if one.returned_at > invoked_at:
            continue
        if one.kind != "redeem" and one.person in may_be_dead and one.returned_at > may_be_dead[one.person]:
            continue
        yield f"refused, and nobody had revoked it: {one}"


def only_documented_answers(operations: list[Operation], faults: list[Fault]) -> Violations:
    """Each is answered, in time; 503 comes with Retry-After and only around a fault; no other 5xx ever."""
    for one in operations:
        took = one.returned_at - one.invoked_at
        if took > BOUND_SECONDS.get(one.kind, REQUEST_SECONDS):
            yield f"took {took:.1f} s: {one}"
        if one.status == 0:
            yield f"not answered: {one}"
        elif one.status == 503:
            if not one.says_when_to_retry:
                yield f"503 without Retry-After: {one}"
            if not any(_during(one, fault) for fault in faults):
                yield f"503 without a fault: {one}"
        elif one.status >= 500 or (one.status >= 400 and one.kind in ("register", "authorize", "revoke")):
            yield f"an answer that nobody documented: {one}"


def one_chain_of_upstream_tokens(operations: list[Operation]) -> Violations:
    """Once a person's newer upstream token was given out, no older one is: there is one current, at every host."""
    exchanges = [one for one in operations if one.kind == "exchange" and one.took_effect]
    first: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)  # person: token: first invoked, first returned
    for one in exchanges:
        token = one.given["access_token"]
        invoked_at, returned_at = first[one.person].get(token, (one.invoked_at, one.returned_at))
        first[one.person][token] = min(invoked_at, one.invoked_at), min(returned_at, one.returned_at)
    for one in exchanges:
        _, own_returned_at = first[one.person][one.given["access_token"]]
        if any(own_returned_at < invoked_at and returned_at < one.invoked_at
               for invoked_at, returned_at in first[one.person].values()):  # fmt: skip
            yield f"gave out an upstream token that had been replaced: {one}"


def one_upstream_refresh_an_expiry(
    operations: list[Operation], *, refreshed: int, asked: int, replayed: int, people: int, losses: int = 0
) -> Violations:
    """What the provider counted (`asked`, `refreshed`; `replayed`: a refresh token came twice) against what was delivered:
    each refresh brought a token that somebody got. `losses`: answers that a kill may have cost.
    """
    delivered = {one.given["access_token"] for one in operations if one.kind == "exchange" and one.took_effect}
    if replayed > losses:
        yield f"{replayed} refresh tokens came to the provider twice"
    if asked - refreshed > losses:
        yield f"{asked - refreshed} refreshes were refused"
    if refreshed > len(delivered) + losses:
        yield f"{refreshed} refreshes for {len(delivered)} tokens"
    if refreshed < len(delivered) - people:
        yield f"{len(delivered)} tokens of {people} people came of {refreshed} refreshes"


def lost_answers(operations: Iterable[Operation], faults: Iterable[Fault]) -> list[Operation]:
    """Exchanges that were under way at a kill and got no token: each may have cost the answer to one refresh."""
    killed_at = [fault.began_at for fault in faults if fault.loses_answers]
    return [
        one for one in operations
        if one.kind == "exchange" and not one.took_effect
        and any(one.invoked_at < moment < one.returned_at for moment in killed_at)
    ]  # fmt: skip


def _may_be_dead(operations: list[Operation], faults: list[Fault]) -> dict[str, float]:
    """People whose provider may have rotated a token for a process that was killed, and since when: the one window that
    is left (behaviour: `needs_reauthorization`, never a loop)."""
    return {one.person: one.invoked_at for one in lost_answers(operations, faults)}


def _revocations(operations: list[Operation]) -> dict[str, tuple[float, float]]:
    """By session: when a revocation was first asked for, and when one was first acknowledged."""
    found: dict[str, tuple[float, float]] = {}
    for one in operations:
        if one.kind == "revoke":
            invoked_at, acknowledged_at = found.get(one.session, (one.invoked_at, float("inf")))
            if one.took_effect:
                acknowledged_at = min(acknowledged_at, one.returned_at)
            found[one.session] = min(invoked_at, one.invoked_at), acknowledged_at
    return found


def _during(one: Operation, fault: Fault) -> bool:
    return one.returned_at >= fault.began_at and one.invoked_at <= fault.ended_at + GRACE_SECONDS
