"""What we know of each type of provider before any row says otherwise. A row overrides every endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from upstream.models import Provider


@dataclass(frozen=True)
class Preset:
    """One type.

    `backend` is the dotted path of its social-auth backend. `required_scopes` are asked for at every visit, because a
    sign-in needs them; `default_scopes` where the row names none. `authorization_params` go into every authorization
    URL. `auth_method` is how the token endpoint authenticates us; empty: as its discovery document says, else Basic.
    """

    backend: str
    is_oidc: bool = False
    issuer: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    revocation_endpoint: str = ""
    auth_method: str = ""
    required_scopes: tuple[str, ...] = ()
    default_scopes: tuple[str, ...] = ()
    authorization_params: Mapping[str, str] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = {
    Provider.Type.OIDC: Preset(
        backend="upstream.backends.oidc.OidcBackend",
        is_oidc=True,
        required_scopes=("openid",),
        default_scopes=("openid", "profile", "email"),
    ),
    Provider.Type.OAUTH2: Preset(backend="upstream.backends.oauth2.OAuth2Backend"),
    Provider.Type.GITHUB: Preset(
        backend="upstream.backends.github.GithubBackend",
        authorization_endpoint="https://github.com/login/oauth/authorize",
        token_endpoint="https://github.com/login/oauth/access_token",  # noqa: S106 - an address
        userinfo_endpoint="https://api.github.com/user",
        auth_method="client_secret_post",
        default_scopes=("read:user", "user:email"),
    ),
    Provider.Type.GOOGLE: Preset(
        backend="upstream.backends.google.GoogleBackend",
        is_oidc=True,
        issuer="https://accounts.google.com",
        auth_method="client_secret_post",
        required_scopes=("openid",),
        default_scopes=("openid", "email", "profile"),
        # Offline: a refresh token. Included: what was granted before stays granted beside what is asked now.
        authorization_params={"access_type": "offline", "include_granted_scopes": "true"},
    ),
    Provider.Type.ATLASSIAN: Preset(
        backend="upstream.backends.atlassian.AtlassianBackend",
        authorization_endpoint="https://auth.atlassian.com/authorize",
        token_endpoint="https://auth.atlassian.com/oauth/token",  # noqa: S106 - an address
        userinfo_endpoint="https://api.atlassian.com/me",
        auth_method="client_secret_post",
        required_scopes=("read:me", "offline_access"),  # the profile; a refresh token
        authorization_params={"audience": "api.atlassian.com", "prompt": "consent"},  # both as its documentation asks
    ),
    Provider.Type.ENTRA: Preset(
        backend="upstream.backends.entra.EntraBackend",
        is_oidc=True,
        auth_method="client_secret_post",
        required_scopes=("openid", "profile"),  # `oid` stands in the ID token with `profile` only
        default_scopes=("openid", "profile", "email", "offline_access"),
    ),
}


def of(provider: Provider) -> Preset:
    """The preset of a row's type."""
    return PRESETS[provider.type]
