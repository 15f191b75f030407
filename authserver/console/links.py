"""One-time links into the console: for a first sign-in, and for an operator whose password is lost.

Nothing is stored. A link is signed (`SECRET_KEY`), lasts fifteen minutes, and names the state of the account that it was
made for: its password's hash and its last sign-in. Using it changes the password in one conditional statement, so that
of two who follow it one gets in; and whatever else changes the account ends it too. Where the console takes no password
of them, what is stored afterwards is one that nobody can type.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User

LIFETIME = timedelta(minutes=15)
SALT = "authserver.console.links"
MAX_LENGTH = 512


def make(user: User) -> str:
    """The address to open. Only for an operator: anybody else's is refused when it is followed."""
    token = signing.dumps({"user": str(user.pk), "state": _state(user)}, salt=SALT)
    return f"{settings.ISSUER}/{settings.ADMIN_PATH}link/{token}/"


def follow(unverified_token: str) -> User | None:
    """The operator whose link this is, as they are now; None where it is no link, is over, or has been used."""
    if len(unverified_token) > MAX_LENGTH:
        return None
    try:
        said = signing.loads(unverified_token, salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=said["user"], is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(said["state"], _state(user)):
        return None
    return user


def use(user: User, new_password: str | None) -> bool:
    """Whether this was the one that used it up. `user` is what `follow` gave, and has the new password afterwards, if any."""
    as_it_was = User.objects.filter(
        pk=user.pk, password=user.password, last_login=user.last_login, is_active=True, is_staff=True
    )
    user.set_password(new_password)
    return bool(as_it_was.update(password=user.password))


def _state(user: User) -> str:
    return salted_hmac(SALT, f"{user.pk}:{user.password}:{user.last_login}", algorithm="sha256").hexdigest()
