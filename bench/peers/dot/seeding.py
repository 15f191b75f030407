"""A public client that needs no further consent, people who are signed in, and a confidential client: printed as JSON."""

from __future__ import annotations

import json
import secrets
import sys
from importlib import import_module

import django


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    from bench.peers.dot import REDIRECT_URI

    client = Application.objects.create(
        name="Bench", client_type="public", authorization_grant_type="authorization-code", redirect_uris=REDIRECT_URI,
        skip_authorization=True,
    )  # fmt: skip
    secret = secrets.token_urlsafe(32)
    introspector = Application.objects.create(
        name="Resource server", client_type="confidential", authorization_grant_type="client-credentials",
        client_secret=secret,
    )  # fmt: skip
    store_class = import_module(settings.SESSION_ENGINE).SessionStore
    cookies = []
    for number in range(50):
        user = User.objects.create(username=f"person-{number}")
        store = store_class()
        store[SESSION_KEY], store[BACKEND_SESSION_KEY] = str(user.pk), "django.contrib.auth.backends.ModelBackend"
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.create()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={store.session_key}")
    json.dump(
        {"client_id": client.client_id, "cookies": cookies, "introspector": [introspector.client_id, secret]},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
