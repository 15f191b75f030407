"""The steps of a sign-in or a connection, after the provider has said who it is (`settings.SOCIAL_AUTH_PIPELINE`).

A visit to sign in ignores who is signed in already: it signs in the identity's own user. A visit to connect links the
identity to the visiting user, unless it is somebody else's. No step looks for a user by e-mail address, and
social-auth's own rows hold no token: `extra_data` stays empty. A test has a pipeline of its own (`TEST_PIPELINE`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone
from social_django.models import UserSocialAuth

from accounts.models import User
from accounts.vault import vault
from upstream import answers
from upstream.allow import permits
from upstream.backends.base import ProviderBackend
from upstream.errors import NotAllowed
from upstream.identity import Identity
from upstream.models import Visit

log = structlog.get_logger(__name__)


def end_test(backend: ProviderBackend, response: Mapping[str, Any], id_key: str, **kwargs: Any) -> tuple[Identity, str]:
    """Where a test ends: who it is, and by which claim. What is no mapping is the pipeline's result, and ends it."""
    return backend.identity(response), id_key


def refuse_strangers(backend: ProviderBackend, response: Mapping[str, Any], **kwargs: Any) -> None:
    """The operator's choice of who may use this provider."""
    if not permits(backend.provider.allow, backend.identity(response)):
        raise NotAllowed("not_on_the_allow_list", provider=backend.name)


def refuse_inactive(user: User | None, backend: ProviderBackend, **kwargs: Any) -> None:
    """A deactivated person stays out, whatever the provider says."""
    if user is not None and not user.is_active:
        raise NotAllowed("user_inactive", provider=backend.name)


def refuse_others(user: User | None, backend: ProviderBackend, **kwargs: Any) -> None:
    """A sign-in that was asked of one person is nobody else's, and makes no new one."""
    only = backend.transaction.only_user
    if only is not None and (user is None or user.pk != only):
        raise NotAllowed("another_person", provider=backend.name)


def refuse_second_account(
    backend: ProviderBackend, uid: str, user: User | None, social: UserSocialAuth | None, **kwargs: Any
) -> None:
    """One account of a provider a person: asking for more scopes must not end in another account's token.

    The same account may have been connected since `social` was looked up, by a second press of the button.
    """
    if user is None or social is not None:
        return
    if UserSocialAuth.objects.filter(user=user, provider=backend.name).exclude(uid=str(uid)).exists():
        raise NotAllowed("another_account_is_connected", provider=backend.name)


def create_user(
    backend: ProviderBackend,
    response: Mapping[str, Any],
    uid: str,
    id_key: str,
    user: User | None = None,
    **kwargs: Any,
) -> dict[str, Any] | None:
    """A new person for a new identity; never an existing one. Both rows or none.

    Of two first sign-ins at once the second finds the first one's row.
    """
    if user is not None:
        return None
    person = backend.identity(response)
    storage: Any = backend.strategy.storage.user
    try:
        with transaction.atomic():
            user = User(username=uuid.uuid4().hex, name=person.name, email=person.email)
            user.set_unusable_password()
            user.save(force_insert=True)
            social = storage.create_social_auth(user, uid, backend.name, id_key=id_key)
    except IntegrityError:
        social = storage.get_social_auth(backend.name, uid, id_key=id_key)
        if social is None or not social.user.is_active:
            raise NotAllowed("identity_in_use", provider=backend.name) from None
        return {"user": social.user, "social": social, "is_new": False}
    return {"user": user, "social": social, "is_new": True}


def update_profile(
    backend: ProviderBackend, response: Mapping[str, Any], user: User, is_new: bool = False, **kwargs: Any
) -> None:
    """Name and verified address as the provider has them now. Connecting another account does not rename anybody."""
    if is_new or backend.transaction.purpose == Visit.Purpose.CONNECT:
        return
    person = backend.identity(response)
    changed = {
        field: value
        for field, value in (("name", person.name), ("email", person.email))
        if value and value != getattr(user, field)
    }
    if changed:
        for field, value in changed.items():
            setattr(user, field, value)
        user.save(update_fields=list(changed))


def keep_tokens(backend: ProviderBackend, uid: str, user: User, **kwargs: Any) -> None:
    """The pristine token answer goes into the vault.

    Except where a sign-in brought fewer scopes than a live credential has: other sessions were promised those. And except
    where nobody asked for tokens.
    """
    if not Visit.Purpose(backend.transaction.purpose).wants_tokens:
        return
    now = timezone.now()
    tokens = answers.token_set(backend.provider, backend.token_answer, requested=backend.transaction.scopes, now=now)
    if backend.transaction.purpose == Visit.Purpose.SIGN_IN:
        for held in vault().credentials.of_user(user.id, backend.name):
            if held.subject == uid and held.live and set(held.scopes) > set(tokens.scopes):
                log.info("upstream.tokens_not_kept", upstream=backend.name, user_id=str(user.id), reason="fewer_scopes")
                return
    vault().credentials.keep(user.id, backend.name, uid, tokens, now=now)
