"""What `rotate_vault_key` has to do with: something in every column that holds sealed values."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from accounts.vault import key_check, vault
from accounts.vault.sealed_columns import all_columns
from authserver import second_factor
from authserver.keys.database import DatabaseSigner
from tests.contracts.people import NOW, kept, opened, person
from tests.unit.vault_keys.conftest import Restart
from upstream.models import Provider
from upstream.providers import set_client_secret

SECRET = "our-secret-at-the-provider"


def stocked() -> str:
    """Something in every column that holds sealed values, and a session to read some of it by."""
    key_check.note(now=timezone.now())
    provider = Provider(name="github", type="github", client_id="us")
    set_client_secret(provider, SECRET, "value")
    provider.save()
    Provider.objects.create(name="public", type="github", client_id="us")  # without a secret
    DatabaseSigner().ping()
    user = person()
    second_factor.begun(user, None)
    ended = opened(vault(), user, kept(vault(), user, "google"))
    vault().sessions.close(ended, reason="x", now=NOW, revoke_at={"google"})
    return opened(vault(), user, kept(vault(), user, "github"))


def deploy(restart: Restart, *names: str) -> None:
    """These keys everywhere, and a server started with them."""
    restart(*names)
    key_check.verify()
    key_check.note(now=timezone.now())


def rotate(**options: Any) -> str:
    printed = io.StringIO()
    call_command("rotate_vault_key", stdout=printed, stderr=io.StringIO(), **options)
    return printed.getvalue()


def all_sealed() -> list[str]:
    return [
        value
        for column in all_columns()
        for value in column.rows.exclude(**{column.field: ""}).values_list(column.field, flat=True)
    ]
