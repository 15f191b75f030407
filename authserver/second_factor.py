"""What operators prove beside their password: a code of their authenticator app, or one of their recovery codes.

An authenticator's key leaves this module once, on the page that enrols it; it is sealed at rest. Recovery codes have 80
random bits, so that one round of SHA-256 is enough for their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit

import django_otp
from django.conf import settings
from django.db import transaction
from django_otp.oath import TOTP

from accounts.models import User
from accounts.vault.base import Damaged
from accounts.vault.secrets import open_secret, seal_secret
from authserver.conf import load
from authserver.models import Authenticator, RecoveryCode

KEY_BYTES = 20  # RFC 4226 section 4, R6: 160 bits
DIGITS, STEP_SECONDS = 6, 30
TOLERANCE = 1  # steps before and after the current one (RFC 6238 section 5.2)
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
MAX_TYPED = 64


def required() -> bool:
    """Whether nobody gets into the console without one."""
    return bool(settings.REQUIRE_TOTP)


def of(user: User) -> Authenticator | None:
    """The authenticator that this person has proved to have."""
    found: Authenticator | None = Authenticator.objects.filter(user=user, confirmed=True).first()
    return found


def key_context(user_id: object) -> str:
    """What a key is sealed to: in another person's row it does not open."""
    return f"authenticator:{user_id}:key"


def begun(user: User, known: object) -> Authenticator:
    """The authenticator that is being enrolled: the row `known` as long as it waits, so that its page can be loaded again;
    else a new one, so that nobody enrols what somebody else has seen."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        waiting = Authenticator.objects.filter(user=user, confirmed=False)
        found: Authenticator | None = waiting.filter(pk=known).first()
        if found is None:
            waiting.delete()
            key = base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode()
            sealed = seal_secret(key, key_context(user.pk))
            found = Authenticator.objects.create(user=user, name="authenticator", confirmed=False, key_sealed=sealed)
        return found


def key_of(authenticator: Authenticator) -> str:
    """The key in base32, as apps take it. Raises `Damaged`."""
    return open_secret(authenticator.key_sealed, key_context(authenticator.user_id))


def uri_of(authenticator: Authenticator) -> str:
    """The `otpauth` address that a QR code carries."""
    issuer = urlsplit(load().issuer).hostname or "authserver"
    label = f"{issuer}:{authenticator.user.get_username()}"
    query = urlencode({"secret": key_of(authenticator), "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS})
    return f"otpauth://totp/{quote(label)}?{query}"


def check_code(authenticator: Authenticator, typed: str) -> bool:
    """Within the tolerance, and no code twice. The row is locked by whoever calls, and written here."""
    allowed, _why = authenticator.verify_is_allowed()
    if not allowed:
        return False
    digits = typed.replace(" ", "")
    if len(digits) == DIGITS and digits.isascii() and digits.isdigit():
        try:
            key = base64.b32decode(key_of(authenticator))
        except Damaged:
            return False
        totp = TOTP(key, step=STEP_SECONDS, digits=DIGITS, drift=authenticator.drift)
        totp.time = time.time()
        if totp.verify(int(digits), tolerance=TOLERANCE, min_t=authenticator.last_step + 1):
            authenticator.last_step, authenticator.drift = totp.t(), totp.drift
            authenticator.throttle_reset(commit=False)
            authenticator.set_last_used_timestamp(commit=False)
            authenticator.save()
            return True
    authenticator.throttle_increment()
    return False


def confirm(user: User, key: int, typed: str, *, now: datetime) -> list[str] | None:
    """The authenticator that was begun takes over from the one before; the recovery codes, or None for a wrong code."""
    with transaction.atomic():
        waiting = Authenticator.objects.select_for_update().filter(pk=key, user=user, confirmed=False).first()
        if waiting is None or not waiting.verify_token(typed):
            return None  # commits: a wrong code counts
        Authenticator.objects.filter(user=user).exclude(pk=waiting.pk).delete()
        waiting.confirmed = True
        waiting.save(update_fields=["confirmed"])
        return _new_recovery_codes(user, now=now)


def prove(user: User, typed: str, *, now: datetime) -> tuple[Authenticator, str] | None:
    """The authenticator of whoever typed a right code, and which kind it was: `code` or `recovery code`."""
    authenticator = of(user)
    if authenticator is None:
        return None
    if django_otp.verify_token(user, authenticator.persistent_id, typed):
        return authenticator, "code"
    unused = RecoveryCode.objects.filter(user=user, code_hash=_hash(user, typed), used_at=None)
    return (authenticator, "recovery code") if unused.update(used_at=now) else None


def recovery_codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def remove(user: User) -> None:
    """The authenticator, and the codes on paper that stand for it. Browsers that got in by it are out."""
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        Authenticator.objects.filter(user=user).delete()


def _new_recovery_codes(user: User, *, now: datetime) -> list[str]:
    """Instead of all there were."""
    RecoveryCode.objects.filter(user=user).delete()
    codes = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, code_hash=_hash(user, code), created_at=now) for code in codes
    )
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _hash(user: User, typed: str) -> str:
    """Of a code as somebody types it: capitals, hyphens and spaces do not matter."""
    code = "".join(character for character in typed[:MAX_TYPED].lower() if character.isalnum())
    return hashlib.sha256(f"recovery:{user.pk}:{code}".encode()).hexdigest()
