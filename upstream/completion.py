"""From a claimed visit and the provider's answer to a signed-in (or connected) person."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError
from django.http import HttpRequest
from social_core.exceptions import AuthAssociationError, SocialAuthBaseException

from accounts.models import User
from accounts.vault.base import Unstorable, VaultError
from upstream import discovery, presets
from upstream.backends.base import ProviderBackend
from upstream.discovery import TENANT_PLACEHOLDER
from upstream.errors import NotAllowed, SignInCancelled, SignInRefused, UpstreamError
from upstream.models import Provider, Visit
from upstream.strategy import ProviderStrategy, Transaction

# What says that the person did not want to (RFC 6749 s4.1.2.1, and other providers' spellings).
_CANCELLED = {"access_denied", "user_denied", "user_cancelled_login", "user_cancelled_authorize", "cancelled"}
# What may be named in a log; any other code is a provider's own words.
_KNOWN_ERRORS = {
    "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error",
    "temporarily_unavailable", "interaction_required", "login_required", "consent_required",
    "account_selection_required", "redirect_uri_mismatch", "application_suspended",
}  # fmt: skip


def complete(visit: Visit, state: str, data: Mapping[str, str], request: HttpRequest) -> tuple[User, dict[str, Any]]:
    """The person, and the ID token's claims (empty where there is none). Raises `UpstreamError`: see `upstream.errors`."""
    backend = prepared(visit, state, data, request)
    user = answered(backend, user=request.user if visit.purpose == Visit.Purpose.CONNECT else None)
    if not isinstance(user, User):
        raise SignInRefused("no_user", provider=backend.name)
    return user, dict(getattr(backend, "id_token", None) or {})


def prepared(visit: Visit, state: str, data: Mapping[str, str], request: HttpRequest) -> ProviderBackend:
    """The backend for an answer that may be gone on with. Nothing has been asked of the token endpoint yet."""
    provider = visit.provider
    _refuse_unfit(visit, request)
    _refuse_mix_up(provider, data.get("iss"))
    _refuse_errors(provider, data)
    code = data.get("code", "")
    if not code or not code.isascii() or not code.isprintable():
        raise SignInRefused("code_missing", provider=provider.name)
    transaction = Transaction(
        state=state,
        redirect_uri=visit.redirect_uri,
        scopes=tuple(visit.scopes),
        purpose=visit.purpose,
        only_user=visit.user_id if visit.purpose in {Visit.Purpose.SIGN_IN, Visit.Purpose.CONSOLE} else None,
        begun_at=visit.created_at,
    )
    strategy = ProviderStrategy(request=request, provider=provider, transaction=transaction, data=data)
    backend = strategy.provider_backend()
    assert isinstance(backend, ProviderBackend)  # noqa: S101 - for mypy: `presets` names no other
    return backend


def answered(backend: ProviderBackend, user: Any = None) -> Any:
    """What the pipeline of the visit's purpose comes to, whatever goes wrong on the way an `UpstreamError`."""
    provider = backend.provider
    try:
        return backend.complete(user=user)
    except AuthAssociationError:
        raise NotAllowed("identity_in_use", provider=provider.name) from None
    except SocialAuthBaseException as error:
        raise SignInRefused(error.code, provider=provider.name) from None
    except Unstorable:
        raise SignInRefused("token_too_large", provider=provider.name) from None
    except VaultError:
        raise UpstreamError("client_secret_unreadable", provider=provider.name) from None
    except IntegrityError:
        raise NotAllowed("identity_in_use", provider=provider.name) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        # What the libraries raise for an answer of a shape that they did not expect.
        raise SignInRefused(f"answer_malformed_{type(error).__name__}", provider=provider.name) from error


def _refuse_unfit(visit: Visit, request: HttpRequest) -> None:
    """What an operator or the person may have changed while the visit was on its way. A test is made before that counts."""
    provider = visit.provider
    if visit.purpose == Visit.Purpose.TEST:
        return
    if not provider.enabled:
        raise UpstreamError("provider_disabled", provider=provider.name)
    if visit.purpose == Visit.Purpose.SIGN_IN and not provider.sign_in:
        raise UpstreamError("sign_in_not_offered", provider=provider.name)
    if visit.purpose == Visit.Purpose.CONNECT and (
        not request.user.is_authenticated or request.user.pk != visit.user_id
    ):
        raise NotAllowed("somebody_else_is_signed_in", provider=provider.name)


def _refuse_mix_up(provider: Provider, iss: str | None) -> None:
    """RFC 9207: the answer's issuer is the one we asked, and stands there where the provider says it always does."""
    if not presets.of(provider).is_oidc and not provider.issuer:
        return
    known = discovery.endpoints(provider)
    if iss is None:
        if known.iss_in_answer:
            raise SignInRefused("iss_missing", provider=provider.name)
    elif TENANT_PLACEHOLDER in known.issuer:
        prefix, suffix = known.issuer.split(TENANT_PLACEHOLDER, 1)
        if not (iss.startswith(prefix) and iss.endswith(suffix)):
            raise SignInRefused("iss_mismatch", provider=provider.name)
    elif not hmac.compare_digest(iss.encode(), known.issuer.encode()):
        raise SignInRefused("iss_mismatch", provider=provider.name)


def _refuse_errors(provider: Provider, data: Mapping[str, str]) -> None:
    error = data.get("error")
    if error is None:
        return
    if error in _CANCELLED:
        raise SignInCancelled("declined_at_provider", provider=provider.name)
    reason = f"provider_{error}" if error in _KNOWN_ERRORS else "provider_error"
    raise SignInRefused(reason, provider=provider.name)
