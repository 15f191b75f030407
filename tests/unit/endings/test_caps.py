"""How many sessions a person may have open: the one used longest ago ends first, and never the new one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import AuditEvent, TokenSession
from authserver import policy, session_caps
from tests.harness.approval import approve, make_client, make_resource, make_user
from tests.harness.policies import in_force
from tests.unit.authorize.conftest import Door, door  # noqa: F401  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def opened(count: int, **fields: object) -> list[str]:
    """Used one after the other, the first longest ago."""
    tsids = [approve(**fields).tsid for _ in range(count)]  # type: ignore[arg-type]
    for age, tsid in enumerate(reversed(tsids)):
        TokenSession.objects.filter(tsid=tsid).update(last_used_at=timezone.now() - timedelta(minutes=age))
    return tsids


def still_open() -> set[str]:
    return set(TokenSession.objects.filter(closed_at=None).values_list("tsid", flat=True))


def test_without_a_cap_nothing_is_asked_and_nothing_ends(django_assert_num_queries: object) -> None:
    user, client, resource = make_user(), make_client(), make_resource()
    tsids = opened(3, user=user, client=client, resource=resource)
    policy.current()
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert session_caps.keep_within(user.pk, client.client_id) == 0
    assert still_open() == set(tsids)


def test_the_ones_used_longest_ago_end(db: None) -> None:
    user, resource = make_user(), make_resource()
    one, other = make_client("one"), make_client("other")
    first, second, third = opened(3, user=user, client=one, resource=resource)
    [elsewhere] = opened(1, user=user, client=other, resource=resource)
    [theirs] = opened(1, user=make_user(), client=one, resource=resource)
    with in_force(sessions={"per_client": 2}):
        assert session_caps.keep_within(user.pk, "one") == 1
        assert still_open() == {second, third, elsewhere, theirs}
    TokenSession.objects.filter(tsid=elsewhere).update(last_used_at=timezone.now() - timedelta(hours=1))
    with in_force(sessions={"per_user": 2}):
        assert session_caps.keep_within(user.pk, "one") == 1
    assert still_open() == {second, third, theirs}
    assert AuditEvent.objects.filter(event="session.revoked", reason="too many sessions").count() == 2
    assert first not in still_open()


def test_an_approval_ends_what_is_too_much(door: Door) -> None:  # noqa: F811
    door.sign_in()
    with in_force(sessions={"per_client": 1}):
        door.answer(door.ask())
        door.ask()
    assert len(still_open()) == 1
    assert TokenSession.objects.count() == 2


@pytest.mark.parametrize("text", ["-1", "many", "100001", "1.5", "true"])
def test_the_file_is_held_to_numbers(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"sessions: {{per_user: {text}}}")
    with pytest.raises(CommandError, match="is not a number in bounds"):
        call_command("apply_config", str(file))
    file.write_text("sessions: {per_user: 5}")
    call_command("apply_config", str(file))
    assert policy.current().sessions.per_user == 5
