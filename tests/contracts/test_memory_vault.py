"""The vault in memory sits the contracts."""

from __future__ import annotations

import pytest

from accounts.vault.base import TokenVault
from accounts.vault.memory import MemoryVault
from tests.contracts.credentials import CredentialsContract, ExpiringContract
from tests.contracts.races import RacesContract
from tests.contracts.revocations import RevocationsContract
from tests.contracts.sessions import SessionsContract


class InMemory:
    @pytest.fixture
    def vault(self) -> TokenVault:
        return MemoryVault()


@pytest.mark.django_db
class TestMemorySessions(InMemory, SessionsContract):
    pass


@pytest.mark.django_db
class TestMemoryCredentials(InMemory, CredentialsContract):
    pass


@pytest.mark.django_db
class TestMemoryExpiring(InMemory, ExpiringContract):
    pass


@pytest.mark.django_db
class TestMemoryRevocations(InMemory, RevocationsContract):
    pass


@pytest.mark.django_db(transaction=True)
class TestMemoryRaces(InMemory, RacesContract):
    pass
