"""A browser in the console, as after a sign-in of just now."""

from __future__ import annotations

import time

from django.test import Client as Http

from accounts.models import User
from authserver.console import threshold


def signed_in(user: User) -> Http:
    http = Http()
    http.force_login(user)
    session = http.session
    session[threshold.ENTERED] = session[threshold.PROVED] = time.time()
    session.save()
    return http
