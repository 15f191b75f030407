"""The checker finds what is planted, and nothing in a history in which all is well."""

from __future__ import annotations

from dataclasses import replace

from tests.availability import checker
from tests.availability.history import Fault, Operation


def operation(kind: str, at: float, *, seconds: float = 0.1, status: int = 200, **fields: object) -> Operation:
    made = Operation(kind, "s", person="Ada", invoked_at=at, returned_at=at + seconds, status=status)
    return replace(made, **fields)  # type: ignore[arg-type]  # each by its name


def refresh(at: float, sent: str, successor: str, **fields: object) -> Operation:
    given = {"access_token": f"a-{successor}", "refresh_token": successor}
    return operation("refresh", at, sent=sent, given=given, **fields)  # type: ignore[arg-type]  # as above


def exchange(at: float, given_out: str = "u1", **fields: object) -> Operation:
    given = {"access_token": given_out}
    return operation("exchange", at, sent="a", given=given, **fields)  # type: ignore[arg-type]  # as above


def refused(one: Operation, status: int = 400) -> Operation:
    return replace(one, status=status, given={})


GOOD = [
    operation("register", 0),
    operation("authorize", 1, seconds=3),
    operation("redeem", 5, given={"access_token": "a", "refresh_token": "r1"}),
    refresh(6, "r1", "r2"),
    refresh(6.01, "r1", "r2"),
    exchange(7),
    exchange(8, "u2"),
    operation("revoke", 9, sent="r2"),
    refused(exchange(10)),
    refused(refresh(11, "r2", "r3")),
]
AWAY = Fault("postgres", 20, 22)
SORRY = replace(refused(exchange(21), 503), says_when_to_retry=True)


def found(*planted: Operation, faults: tuple[Fault, ...] = ()) -> list[str]:
    return checker.violations([*GOOD, *planted], faults)


def test_a_history_in_which_all_is_well_has_no_violation() -> None:
    assert found() == []


def test_two_answers_to_one_refresh_token_are_two_lineages() -> None:
    assert found(refresh(6.05, "r1", "r2b")) == ["refresh token r1 was answered in 2 ways"]


def test_one_token_that_follows_two_is_found() -> None:
    assert found(refresh(6.2, "r1b", "r2")) == ["refresh token r2 follows 2 others"]


def test_what_works_after_an_acknowledged_revocation_is_found() -> None:
    assert len(found(exchange(9.2, "u2"))) == 1
    assert len(found(refresh(9.2, "r2", "r3"))) == 1


def test_what_was_under_way_while_it_was_revoked_may_still_work() -> None:
    assert found(exchange(9.05, "u2")) == []


def test_a_revocation_that_was_not_acknowledged_proves_nothing() -> None:
    unanswered = replace(SORRY, kind="revoke", session="t", sent="r")
    assert found(unanswered, exchange(22.5, "u3", session="t"), faults=(AWAY,)) == []
    assert found(unanswered, refused(exchange(22.5, session="t")), faults=(AWAY,)) == []


def test_a_delivered_token_that_is_refused_is_found() -> None:
    assert len(found(refused(exchange(8.2)))) == 1
    assert len(found(refused(refresh(8.2, "r2", "")))) == 1
    assert len(found(refused(operation("redeem", 8.2)))) == 1


def test_who_lost_an_answer_to_a_kill_may_be_refused_afterwards_and_nobody_else() -> None:
    killed = Fault("host", 20.05, 22, loses_answers=True)
    under_way = replace(SORRY, session="t", invoked_at=20, returned_at=20.3)
    refused_later = refused(exchange(25, session="t"))
    assert found(under_way, refused_later, faults=(killed,)) == []
    assert len(found(under_way, replace(refused_later, person="Grace"), faults=(killed,))) == 1
    assert len(found(under_way, refused_later, faults=(replace(killed, loses_answers=False),))) == 1


def test_no_answer_at_all_is_found() -> None:
    assert len(found(exchange(21, status=0), faults=(AWAY,))) == 1


def test_an_answer_that_took_too_long_is_found() -> None:
    assert len(found(exchange(21, "u2", seconds=21, session="t"))) == 1


def test_503_is_an_answer_around_a_fault_only_and_says_when_to_try_again() -> None:
    assert found(SORRY, faults=(AWAY,)) == []
    assert len(found(SORRY)) == 1
    assert len(found(replace(SORRY, says_when_to_retry=False), faults=(AWAY,))) == 1
    assert len(found(replace(SORRY, invoked_at=40, returned_at=41), faults=(AWAY,))) == 1


def test_any_other_5xx_is_found_also_during_a_fault() -> None:
    assert len(found(refused(SORRY, 500), faults=(AWAY,))) == 1
    assert len(found(refused(SORRY, 502), faults=(AWAY,))) == 1


def test_an_upstream_token_that_had_been_replaced_is_found() -> None:
    assert len(found(exchange(8.5, "u1"))) == 1
    assert found(exchange(8.05, "u1")) == [], "while the new one was on its way"
    assert found(exchange(8.5, "u1", person="Grace")) == []


def test_upstream_refreshes_are_held_against_what_was_delivered() -> None:
    def judged(asked: int, refreshed: int, replayed: int = 0, losses: int = 0) -> int:
        counts = {"asked": asked, "refreshed": refreshed, "replayed": replayed, "losses": losses}
        return len(list(checker.one_upstream_refresh_an_expiry(GOOD, people=1, **counts)))

    assert judged(1, 1) == judged(2, 2) == 0
    assert judged(3, 3) == 1, "one in vain"
    assert judged(0, 0) == 1, "a token that came of no refresh"
    assert judged(2, 1) == 1
    assert judged(2, 1, replayed=1) == 2
    assert judged(2, 1, replayed=1, losses=1) == 0
