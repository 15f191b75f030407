"""Three providers behind one resource, and the person who goes from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from accounts.models import Credential
from accounts.vault import vault
from authserver.models import ResourceUpstream
from tests.fakes.oauth2 import FakeOAuth2
from tests.unit.authorize.sitting import Sitting, new_sitting, upstream


@dataclass
class Town:
    """Three providers behind one resource: `code` signs people in, `mail` is needed, `notes` is optional."""

    code: FakeOAuth2
    mail: FakeOAuth2
    notes: FakeOAuth2
    sitting: Sitting = field(default_factory=new_sitting)

    def __post_init__(self) -> None:
        resource = self.sitting.resource
        upstream(resource, self.code, "code", "repo", sign_in=True)
        upstream(resource, self.notes, "notes", "read", required=False)
        upstream(resource, self.mail, "mail", "inbox")

    def another(self) -> Sitting:
        """The same person's next visit: same browser, same client."""
        return Sitting(self.sitting.client, self.sitting.resource, self.sitting.http)

    def entry(self, name: str) -> ResourceUpstream:
        return ResourceUpstream.objects.get(provider__name=name)


def words(answer: Any) -> str:
    text: str = answer.content.decode()
    return text


def bury(name: str) -> None:
    credential = Credential.objects.get(provider=name)
    vault().credentials.mark_dead(credential.id, version_seen=credential.version, reason="x", now=timezone.now())
