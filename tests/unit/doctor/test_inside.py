"""What is looked at without a call: database, cache, vault keys, signing key, maintenance, the queue."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from accounts.models import Revocation, VaultKey
from accounts.vault import key_check
from accounts.vault.sealing import sealing
from authserver.doctor import configuration, database, examination, proxies, seams, upkeep
from authserver.doctor.calls import Calls
from authserver.doctor.findings import Finding, Level
from authserver.keys import signer
from authserver.models import MaintenanceRun, SigningKey
from tests.harness.processes import free_port
from tests.unit.doctor.conftest import Configure, by_check
from tests.unit.maintenance.test_command import run as run_maintenance

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

NOW = timezone.now()


def test_a_database_as_it_should_be_is_ok() -> None:
    found = by_check(database.look())
    expected = {"database", "database.migrations"} | ({"database.pool"} if connection.vendor == "postgresql" else set())
    assert set(found) == expected
    assert {finding.level for check, finding in found.items() if check != "database.pool"} == {Level.OK}


def test_a_migration_that_has_not_been_applied_is_named() -> None:
    MigrationRecorder(connection).record_unapplied("authserver", "0001_initial")
    found = by_check(database.look())["database.migrations"]
    assert (found.level, "authserver.0001_initial" in found.meaning) == (Level.FAILED, True)


def test_without_a_database_it_says_so_once_and_nothing_of_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> None:
        raise OperationalError("connection to db.internal.example failed")

    monkeypatch.setattr(connection, "cursor", away)
    found = examination.examine(through=Calls(whole_seconds=0))
    assert [finding.check for finding in found if finding.level is Level.FAILED] == ["database"]
    assert "internal" not in str(found)


def test_a_step_that_breaks_is_a_finding_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: object) -> Finding:
        raise KeyError("secret")

    monkeypatch.setattr(upkeep, "maintenance", broken)
    found = by_check(examination.examine(through=Calls(whole_seconds=0)))
    assert found["maintenance"].level is Level.FAILED
    assert "KeyError" in found["maintenance"].meaning
    assert "secret" not in found["maintenance"].meaning
    assert "revocations" in found


def test_a_cache_that_works_in_the_process_is_said_to_be_for_one_worker() -> None:
    assert "one worker" in seams.cache().meaning


def test_a_shared_cache_that_is_away_is_told(settings: Any) -> None:
    settings.CACHE_IS_SHARED = True
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{free_port()}",
        }
    }
    found = seams.cache()
    assert (found.level, "each process" in found.meaning) == (Level.FAILED, True)
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    caches.close_all()
    assert "forgets at once" in seams.cache().meaning


def test_what_two_connections_share_is_ok(settings: Any, tmp_path: Any) -> None:
    settings.CACHE_IS_SHARED = True
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    }
    assert seams.cache().level is Level.OK
    assert not list(tmp_path.iterdir())


def test_a_vault_key_that_is_missing_is_named(settings: Any) -> None:
    key_check.note(now=NOW)
    assert seams.vault_keys().level is Level.OK
    VaultKey.objects.update(id="gone1")
    sealing.cache_clear()
    found = seams.vault_keys()
    assert (found.level, "gone1" in found.meaning) == (Level.FAILED, True)


def test_a_server_that_has_no_signing_key_yet_gets_none_from_the_doctor() -> None:
    found = next(iter(seams.signing_key(NOW)))
    assert (found.level, "bootstrap" in found.remedy) == (Level.FAILED, True)
    assert not SigningKey.objects.exists()


def test_a_signing_key_past_its_turn_is_told() -> None:
    signer().ping()
    assert next(iter(seams.signing_key(NOW))).level is Level.OK
    SigningKey.objects.update(activated_at=NOW - timedelta(days=400))
    found = next(iter(seams.signing_key(NOW)))
    assert (found.level, "rotate_signing_key" in found.remedy) == (Level.WARNING, True)


def test_maintenance_that_never_ran_or_is_late_or_fails_is_told() -> None:
    assert "never ran" in upkeep.maintenance(NOW).meaning
    row = MaintenanceRun.objects.create(at=NOW - timedelta(hours=3))
    assert "It ran last at" in upkeep.maintenance(NOW).meaning
    row.at, row.failed_steps = NOW, ["renewal"]
    row.save()
    assert "renewal" in upkeep.maintenance(NOW).meaning


@pytest.mark.django_db(transaction=True)
def test_a_run_of_maintenance_leaves_one_row_however_often_it_runs() -> None:
    run_maintenance()
    run_maintenance()
    assert MaintenanceRun.objects.get().failed_steps == []
    assert upkeep.maintenance(timezone.now()).level is Level.OK


@pytest.mark.parametrize(("late", "level"), [(timedelta(minutes=5), Level.OK), (timedelta(hours=2), Level.WARNING)])
def test_revocations_that_wait_for_long_are_told(late: timedelta, level: Level) -> None:
    Revocation.objects.create(
        id=uuid.uuid4(), user_id=uuid.uuid4(), provider="github", subject="1", queued_at=NOW, due_at=NOW - late
    )
    found = upkeep.revocations(NOW)
    assert found.level is level
    assert found.meaning.startswith("1 wait")


def test_people_who_all_seem_to_be_at_the_proxy_are_noticed(configure: Configure) -> None:
    from accounts import audit

    configure(issuer="https://auth.example.com", demo=False)
    for _ in range(proxies.FEWEST):
        audit.record("authorization.granted", address="10.0.0.7")
    found = by_check(list(proxies.look(Calls(whole_seconds=0))))["proxy.addresses"]
    assert (found.level, "10.0.0.7" in found.meaning) == (Level.WARNING, True)
    audit.record("authorization.granted", address="10.0.0.8")
    assert by_check(list(proxies.look(Calls(whole_seconds=0))))["proxy.addresses"].level is Level.OK


def test_the_checks_of_django_are_findings_with_their_own_names(settings: Any, configure: Configure) -> None:
    configure(issuer="https://auth.example.com", demo=False)
    settings.WORKERS = 4
    found = by_check([f for f in configuration.look(database=True) if f.check == "configuration.authserver.E004"])
    assert found["configuration.authserver.E004"].level is Level.FAILED
    assert "AUTHSERVER_CACHE_URL" in found["configuration.authserver.E004"].remedy


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    def said() -> str:
        with pytest.raises(SystemExit):
            call_command("doctor")
        return capsys.readouterr().out

    return said


def test_in_words_each_finding_is_a_line_and_what_to_do_another(said: Callable[[], str]) -> None:
    text = said()
    assert "failed   Our address: " in text
    assert "         -> " in text
    assert text.strip().splitlines()[-1].endswith("failed")
