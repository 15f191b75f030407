"""Whose identities a provider's name stands for.

A person is known by (provider name, subject). A name that came to mean another identity provider would hand the first
one's people to whoever holds the same subject at the second; so a name with people behind it keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from social_django.models import UserSocialAuth

from accounts.models import Credential, Revocation
from upstream.models import Provider

# A changed subject claim is no danger: the claim's name is stored with each identity.
MEANING = ("type", "issuer")


def any_known(name: str) -> bool:
    """Whether anybody signed in with, or is connected with, the provider of this name, or tokens are still to be sent
    there to be revoked.
    """
    return (
        UserSocialAuth.objects.filter(provider=name).exists()
        or Credential.objects.filter(provider=name).exists()
        or Revocation.objects.filter(provider=name, state=Revocation.State.QUEUED).exists()
    )


def moved(provider: Provider, values: Mapping[str, Any]) -> str | None:
    """The field by which `values` would make the provider mean somebody else, if people are known by it already.

    A development provider (`allow_private_network` before and after) may move: its port does, with every other run.
    """
    if provider.allow_private_network and values["allow_private_network"]:
        return None
    changed = [name for name in MEANING if getattr(provider, name) != values[name]]
    return changed[0] if changed and any_known(provider.name) else None


def forget(user_id: UUID) -> None:
    """No provider's subject means this person any more: whoever signs in with one is somebody new."""
    UserSocialAuth.objects.filter(user=user_id).delete()


def of_person(user_id: UUID) -> frozenset[str]:
    """The names of the providers at which this person is known: where they can show who they are."""
    return frozenset(UserSocialAuth.objects.filter(user=user_id).values_list("provider", flat=True))
