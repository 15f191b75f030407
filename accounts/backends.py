"""Who a browser session belongs to: `settings.AUTHENTICATION_BACKENDS`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db.models import UUIDField

from accounts.models import User
from accounts.prepared import Prepared, slot

PERSON_BACKEND = "accounts.backends.PersonBackend"
"""The one there is: every session is of it, whichever way it began."""

_BY_KEY: Prepared[User] = Prepared(lambda: User.objects.filter(pk=slot("pk", UUIDField())))


class PersonBackend(ModelBackend):
    """Django's, with a statement that is made once for the read that every page begins with."""

    def get_user(self, user_id: Any) -> User | None:
        user = _BY_KEY.first(pk=user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
