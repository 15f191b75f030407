"""The vault in this database: the default backend."""

from __future__ import annotations

from django.db import connection

from accounts.vault.database_credentials import DatabaseCredentials
from accounts.vault.database_revocations import DatabaseRevocations
from accounts.vault.database_sessions import DatabaseSessions
from accounts.vault.sealing import Sealing, sealing


class DatabaseVault:
    """Sessions, links and sealed credentials as rows. `sealed_by` defaults to the configured sealing."""

    def __init__(self, sealed_by: Sealing | None = None) -> None:
        self._sealing = sealed_by or sealing()
        self.sessions = DatabaseSessions()
        self.credentials = DatabaseCredentials(self._sealing)
        self.revocations = DatabaseRevocations(self._sealing)

    def ping(self) -> None:
        self._sealing.ping()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
