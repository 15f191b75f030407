"""social-auth's strategy over our provider rows: settings from the row, transactions from the `Visit`.

social-auth would keep state, nonce and PKCE verifier in the Django session, where two tabs meet. Ours are derived from
the visit's `state` and our secret key, so that nothing secret is stored anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
from social_core.backends.base import BaseAuth
from social_core.storage import UserProtocol
from social_django.models import DjangoStorage
from social_django.strategy import DjangoStrategy

from upstream import presets, providers
from upstream.models import Provider, Visit

TEST_PIPELINE = (
    "social_core.pipeline.social_auth.social_details",
    "social_core.pipeline.social_auth.social_uid",
    "upstream.pipeline.end_test",
)
"""What a test goes through instead of `settings.SOCIAL_AUTH_PIPELINE`: no step here writes anything."""


@dataclass(frozen=True)
class Transaction:
    """One visit's one-use secrets, and what its authorization request asks for. `only_user`: nobody else may sign in by it.

    `state` is 256 random bits; `code_verifier` (RFC 7636) and `nonce` (OpenID Connect) follow from it.
    """

    state: str = field(repr=False)
    redirect_uri: str = ""
    scopes: tuple[str, ...] = ()
    purpose: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)
    renewable: bool = False
    only_user: UUID | None = None
    begun_at: datetime | None = None

    @property
    def state_hash(self) -> str:
        return hashlib.sha256(self.state.encode()).hexdigest()

    @property
    def code_verifier(self) -> str:
        return _derived("pkce", self.state)

    @property
    def nonce(self) -> str:
        return _derived("nonce", self.state)


def _derived(purpose: str, state: str) -> str:
    """43 unreserved characters that only our secret key and this state give."""
    key = hmac.digest(settings.SECRET_KEY.encode(), b"upstream.visit", "sha256")
    digest = hmac.digest(key, f"{purpose}:{state}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class ProviderStrategy(DjangoStrategy):
    """Provider rows instead of settings, one `Transaction` instead of the session."""

    provider: Provider
    transaction: Transaction

    def __init__(
        self,
        storage: type[DjangoStorage] = DjangoStorage,
        request: HttpRequest | None = None,
        tpl: Any = None,
        *,
        provider: Provider,
        transaction: Transaction,
        data: Mapping[str, str] | None = None,
    ) -> None:
        self.provider = provider
        self.transaction = transaction
        self._data = dict(data or {})
        super().__init__(storage, None, tpl)  # it would take the request's session
        self.request = request

    def provider_backend(self) -> BaseAuth[Any]:
        """The backend of this strategy's provider, ready for one visit."""
        backend: type[BaseAuth[Any]] = import_string(presets.of(self.provider).backend)
        return backend(self, redirect_uri=self.transaction.redirect_uri)

    def get_backend(self, name: str, redirect_uri: str | None = None, **kwargs: Any) -> BaseAuth[Any]:
        """A provider's backend by the row's name; social-auth itself looks for class names in the settings."""
        if name != self.provider.name:
            raise KeyError(name)
        return self.provider_backend()

    def authenticate(self, backend: BaseAuth[Any], *args: Any, **kwargs: Any) -> UserProtocol | Any | None:
        """Run the pipeline on this very backend: Django's `authenticate` compares names of classes, and ours are rows."""
        kwargs.update(strategy=self, storage=self.storage, backend=backend)
        kwargs.pop("request", None)
        return backend.authenticate(self.request, **kwargs)

    def setting(self, name: str, default: Any = None, backend: BaseAuth[Any] | None = None) -> Any:
        """The pipeline, and nothing else: a backend's own settings come from its row."""
        if name != "PIPELINE":
            return default
        return TEST_PIPELINE if self.transaction.purpose == Visit.Purpose.TEST else settings.SOCIAL_AUTH_PIPELINE

    def get_request_data(self, merge: bool = True) -> dict[str, Any]:
        """The callback's parameters, as the view has checked them."""
        return dict(self._data)

    def build_absolute_uri(self, path: str | None = None) -> str:
        """Addresses of ours are absolute already, from the issuer and never from the Host header."""
        return path or ""

    def session_get(self, name: str, default: Any = None) -> NoReturn:
        raise NotImplementedError("a visit keeps nothing in the Django session")

    def session_set(self, name: str, value: Any) -> NoReturn:
        raise NotImplementedError("a visit keeps nothing in the Django session")

    def session_pop(self, name: str) -> NoReturn:
        raise NotImplementedError("a visit keeps nothing in the Django session")

    def session_setdefault(self, name: str, value: Any) -> NoReturn:
        raise NotImplementedError("a visit keeps nothing in the Django session")


def client_credentials(provider: Provider) -> tuple[str, str]:
    """Our client id and secret there; the secret is empty for a public client."""
    return provider.client_id, providers.client_secret(provider)
