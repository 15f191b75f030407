"""The WSGI application that gunicorn serves; it does not start with keys that do not fit what is stored."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authserver.settings")
application = get_wsgi_application()


def _check_vault_keys() -> None:
    """Once, in the process that the workers are forked from: no connection may be left for them to share."""
    from django.db import DatabaseError, connection
    from django.utils import timezone

    from accounts.vault import key_check
    from accounts.vault.base import SealingUnavailable

    try:
        key_check.verify()
        key_check.note(now=timezone.now())
    except (key_check.KeysUnfit, SealingUnavailable) as error:
        raise SystemExit(f"Authserver cannot start. {error}") from None
    except DatabaseError as error:
        raise SystemExit(f"Authserver cannot start. The database does not answer: {type(error).__name__}.") from None
    finally:
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()


def _load_all() -> None:
    """Every view and the certificate authorities, in that process too: once, and shared by all workers."""
    from django.urls import get_resolver

    from upstream.http import tls_context

    try:
        tls_context()
    except OSError as error:
        raise SystemExit(f"Authserver cannot start. AUTHSERVER_CA_FILE: {error.strerror or error}.") from None
    _ = get_resolver().url_patterns


_check_vault_keys()
_load_all()
