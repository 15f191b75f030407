"""`manage.py maintenance`: one run does everything, says so a line a step, and a step that fails stops no other."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
import structlog
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from accounts.models import BrowserSession, Revocation, TokenSession
from accounts.vault import vault
from accounts.vault.base import TokenSet
from authserver import housekeeping
from authserver.housekeeping_loop import do
from tests.fakes.oauth2 import FakeOAuth2
from tests.harness.approval import approve, make_user
from tests.harness.server import ROOT
from tests.unit.upstream.journeys import provider_at
from upstream import revoke_call
from upstream.models import Provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]  # it closes connections

YESTERDAY = timezone.now() - timedelta(days=2)


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("maintenance", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_there_is_a_line_a_step_also_where_there_is_nothing_to_do() -> None:
    names = [step.name for step in housekeeping.steps()]
    assert len(names) == len(set(names))
    assert "vault keys: 5 counted" in run()
    assert run() == [f"{name}: nothing to do" for name in names]


def test_one_run_takes_a_session_that_ran_out_all_the_way(fake: FakeOAuth2) -> None:
    """Swept, revoked at the provider, its rows deleted."""
    provider = provider_at(fake, Provider.Type.OAUTH2, on_session_end="revoke_when_unused",
                           revocation_endpoint=f"{fake.url}/revoke")  # fmt: skip
    tokens = TokenSet("CANARY-AT", "CANARY-RT")
    approval = approve(provider=provider, tokens=tokens, now=YESTERDAY)
    BrowserSession.objects.create(session_key="k", session_data="", expire_date=YESTERDAY)
    said = run()
    assert "token sessions: 1 ended" in said
    assert "revocations at providers: 1 done" in said
    assert "authorization codes: 1 deleted" in said
    assert "browser sessions: 1 deleted" in said
    assert "CANARY" not in str(said)
    assert fake.revoked == ["CANARY-RT", "CANARY-AT"]
    assert TokenSession.objects.get().close_reason == "expired"
    assert Revocation.objects.get().tsid == approval.tsid


def test_a_run_goes_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        BrowserSession.objects.create(session_key=f"{number}", session_data="", expire_date=YESTERDAY)
        vault().credentials.keep(make_user().pk, "github", "1", TokenSet("unused"), now=YESTERDAY)
    small = [housekeeping.Step(step.name, 1, 3, step.batch) for step in housekeeping.steps()]
    monkeypatch.setattr("authserver.management.commands.maintenance.steps", lambda: small)
    said = run()
    assert "browser sessions: 7 deleted" in said
    assert "token sessions: 7 ended" in said


@pytest.mark.parametrize("error", [OperationalError("the connection to db.internal.example is closed"), KeyError("x")])
def test_a_step_that_fails_stops_no_other_and_the_run_ends_with_an_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    BrowserSession.objects.create(session_key="k", session_data="", expire_date=YESTERDAY)

    def away(*args: Any, **kwargs: Any) -> int:
        raise error

    monkeypatch.setattr(vault().sessions, "sweep", away)
    out, err = StringIO(), StringIO()
    with structlog.testing.capture_logs() as logs, pytest.raises(CommandError, match=r"failed: token sessions$"):
        call_command("maintenance", stdout=out, stderr=err)
    assert err.getvalue() == "token sessions: failed\n"
    assert "browser sessions: 1 deleted" in out.getvalue()
    [line] = [line for line in logs if line["event"] == "maintenance"]
    assert (line["outcome"], line["reason"]) == ("failed", type(error).__name__)
    assert "db.internal" not in str(logs)


def test_a_connection_that_broke_is_not_used_again(postgres_url: str) -> None:
    said: list[Any] = []
    sweep = next(housekeeping.steps())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = cursor.fetchone()
    with psycopg.connect(postgres_url, autocommit=True) as elsewhere:
        elsewhere.execute("SELECT pg_terminate_backend(%s)", own)
    for _ in range(2):
        do(sweep, lambda step, done: said.append(done))
    assert said == [None, {}]


def test_the_operators_page_names_every_step_and_every_outcome_of_a_revocation() -> None:
    page = (ROOT / "docs" / "maintenance.md").read_text()
    told = [value for value in vars(revoke_call).values() if isinstance(value, revoke_call.Told)]
    assert len(told) == 5
    words = {step.name for step in housekeeping.steps()} | {each.outcome for each in told}
    assert [word for word in words if f"`{word}`" not in page] == []


@pytest.mark.parametrize("given", ["0", "-1", "soon", "nan", "86401"])
def test_an_interval_is_a_number_of_seconds_up_to_a_day(given: str) -> None:
    with pytest.raises(CommandError, match="is not a number of seconds"):
        call_command("maintenance", "--loop", f"--interval={given}")
