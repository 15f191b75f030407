"""One authorization request, checked: what the rest of the package works on."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from authserver.models import Client, Resource, ResourceUpstream


@dataclass(frozen=True)
class Destination:
    """A client and the redirect URI that is its own: only now may anything be redirected there."""

    client: Client
    redirect_uri: str
    state: str | None


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid request. `raw` is what the client sent, kept so that every later step checks it again.

    `hinted` is whom the client takes the person for (`id_token_hint`), None where it does not say.
    """

    raw: dict[str, str]
    destination: Destination
    resource: Resource
    upstreams: tuple[ResourceUpstream, ...]
    scopes: tuple[str, ...]
    code_challenge: str
    nonce: str
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str
    ui_locales: str
    hinted: UUID | None

    @property
    def client(self) -> Client:
        return self.destination.client

    @property
    def redirect_uri(self) -> str:
        return self.destination.redirect_uri

    @property
    def wants_new_sign_in(self) -> bool:
        return bool(self.prompt & {"login", "select_account"})

    def is_for(self, person: User) -> bool:
        """Whether the client may be told of this person (OpenID Connect Core section 3.1.2.2)."""
        return self.hinted is None or person.pk == self.hinted
