"""The page of the vault keys: which key seals how much, and how far a turn of `rotate_vault_key` is."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.test import Client as Http
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import SealedCount, User
from accounts.vault import resealing, sealed_counts, vault
from accounts.vault.base import SealingUnavailable
from accounts.vault.sealed_columns import all_columns
from accounts.vault.sealing import sealing
from tests.contracts.people import kept, person
from tests.harness import operators
from tests.unit.console.crawl import ROOT
from tests.unit.vault_keys.conftest import Restart
from tests.unit.vault_keys.stock import deploy, rotate, stocked

pytestmark = pytest.mark.django_db
LIST = f"{ROOT}accounts/vaultkey/"


@pytest.fixture
def superuser(db: None) -> Http:
    return operators.signed_in(User.objects.create_superuser("root"))


def said(http: Http) -> str:
    """The page's text on one line."""
    page = http.get(LIST).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index('id="sealed-counts"') :]).split())


def test_it_says_that_nothing_has_been_counted(superuser: Http, restart: Restart) -> None:
    stocked()
    assert "Nothing has been counted yet" in said(superuser)


def test_it_says_what_each_key_seals_and_how_far_a_turn_is(superuser: Http, restart: Restart) -> None:
    stocked()
    deploy(restart, "k2", "k1")
    now = timezone.now()
    sealed_counts.count_stale(now=now, limit=10)
    values = sum(sum(count.by_key.values()) for count in SealedCount.objects.all())
    assert f"0 of {values} values are sealed with k2, the key in front here: 0 %." in said(superuser)
    rotate()
    page = said(superuser)
    assert f"{values} of {values} values are sealed with k2, the key in front here: 100 %." in page
    assert "k2 had taken everything over on" in page
    assert re.search(r"Vault keys.* k1 not configured|k1 opens what it sealed", page)
    restart("k2")
    assert "k1 not configured, and not needed" in said(superuser)


def test_a_turn_that_was_stopped_shows_how_far_it_came(
    superuser: Http, restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    stocked()
    for _ in range(4):
        kept(vault(), person())
    deploy(restart, "k2", "k1")
    ours = sealing()
    opened_before, opened = ours.open, itertools.count()

    def away_after_two(sealed: str, context: str) -> bytes:
        if context.startswith("credential:") and next(opened) == 2:
            raise SealingUnavailable("KMS cannot be asked")
        return opened_before(sealed, context)

    monkeypatch.setattr(resealing, "BATCH", 2)
    monkeypatch.setattr(ours, "open", away_after_two)
    with pytest.raises(CommandError, match="Stopped"):
        rotate()
    [credentials] = [count for count in SealedCount.objects.all() if "Credential" in count.column]
    assert credentials.by_key == {"k1": 3, "k2": 2}
    assert "Turning over to k2 began on" in said(superuser)
    rotate()
    assert "k2 had taken everything over on" in said(superuser)


def test_columns_are_counted_once_an_hour_whoever_does_it(restart: Restart) -> None:
    stocked()
    now = timezone.now()
    columns = len(all_columns())
    assert sealed_counts.count_stale(now=now, limit=2) == 2
    assert sealed_counts.count_stale(now=now, limit=10) == columns - 2
    assert sealed_counts.count_stale(now=now + timedelta(minutes=59), limit=10) == 0
    assert sealed_counts.count_stale(now=now + timedelta(minutes=61), limit=10) == columns


def test_values_that_name_no_key_of_ours_are_counted_apart(superuser: Http, restart: Restart) -> None:
    stocked()
    [credentials] = [column for column in all_columns() if column.model == "accounts.Credential"]
    credentials.rows.update(sealed_tokens="v1.planted.a-token-in-plain")
    sealed_counts.count_stale(now=timezone.now(), limit=10)
    page = said(superuser)
    assert "no key that was used here" in page
    assert "planted" not in page


def test_the_page_takes_the_same_few_statements_however_much_is_sealed(
    superuser: Http, restart: Restart, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stocked()
    sealed_counts.count_stale(now=timezone.now(), limit=10)
    superuser.get(LIST)
    with django_assert_num_queries(8):
        superuser.get(LIST)
