"""What all our social-auth backends share: a name and settings from the row, calls through `upstream.http`, PKCE, and the
transaction from the visit.

Mixed in before a social-auth class: its leaves are overridden, its flow (`auth_complete`, `do_auth`) is used as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from social_core.backends.oauth import BaseOAuth2PKCE

from upstream import answers, discovery, http, presets, token_endpoint
from upstream.calls import Call
from upstream.errors import OutboundFailed, SignInRefused, UpstreamError
from upstream.identity import Identity
from upstream.models import Provider
from upstream.strategy import ProviderStrategy, Transaction

if TYPE_CHECKING:
    _Base = BaseOAuth2PKCE[Any]
else:
    _Base = object

# What a token endpoint refuses with (RFC 6749 s5.2), and GitHub's words for it. Any other code is a provider's own.
REFUSALS = {
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
    "incorrect_client_credentials", "bad_verification_code", "redirect_uri_mismatch",
}  # fmt: skip

# What `authorization_params` of a row may not set: the protocol's own, and ways round it (RFC 9101, RFC 9126).
RESERVED_PARAMS = {
    "client_id", "redirect_uri", "response_type", "response_mode", "state", "nonce", "scope",
    "code_challenge", "code_challenge_method", "request", "request_uri",
}  # fmt: skip


class ProviderBackend(_Base):
    """One provider row as a social-auth backend, for one visit.

    `token_answer` is the token endpoint's answer as it came; social-auth mixes the profile into its own copy. `refusal`
    is its error code where it is one that we know.
    """

    REDIRECT_STATE = False
    STATE_PARAMETER = True
    ID_KEY = "subject"
    LEGACY_ID_KEYS = ()
    HINTS: Sequence[str] = ()
    """Which of login_hint, prompt, ui_locales, max_age and acr_values the provider understands."""

    def __init__(self, strategy: ProviderStrategy, redirect_uri: str | None = None) -> None:
        self.provider: Provider = strategy.provider
        self.transaction: Transaction = strategy.transaction
        self.token_answer: dict[str, Any] = {}
        self.refusal = ""
        self._identity: Identity | None = None
        super().__init__(strategy, redirect_uri)
        self.name = self.provider.name

    # --- Settings: from the row, never from Django's ------------------------------------------------------------------

    def setting(self, name: str, default: Any = None) -> Any:
        return default

    def id_key(self) -> str:
        """The claim that identifies. Stored with each identity, so a changed claim never meets the old one's values."""
        return self.ID_KEY

    def get_key_and_secret(self) -> tuple[str, str]:
        """Our client id; the secret goes to the token endpoint only, and `token_endpoint` puts it there."""
        return self.provider.client_id, ""

    def get_scope(self) -> list[str]:
        return list(self.transaction.scopes)

    def endpoints(self) -> discovery.Endpoints:
        return discovery.endpoints(self.provider)

    def authorization_url(self) -> str:
        return self.endpoints().authorization

    def access_token_url(self) -> str:
        return self.endpoints().token

    # --- The visit's state, PKCE verifier and nonce -------------------------------------------------------------------

    def get_or_create_state(self) -> str:
        return self.transaction.state

    def validate_state(self) -> str:
        """The view has claimed this state by its hash; here it only goes on."""
        return self.transaction.state

    def create_code_verifier(self, state: str | None = None) -> str:
        return self.transaction.code_verifier

    def get_code_verifier(self, state: str | None = None) -> str:
        return self.transaction.code_verifier

    def get_and_store_nonce(self, url: str, state: str | None) -> str:
        return self.transaction.nonce

    def _store_session_nonce(self, state: str | None, nonce: str) -> None:
        """Derived from the state: nothing to store."""

    # --- The way there ------------------------------------------------------------------------------------------------

    def auth_url(self) -> str:
        """Where to send the browser.

        Not social-auth's own: with a fixed redirect URI that one percent-decodes the whole query, and a `login_hint`
        with an ampersand would add parameters.
        """
        parts = urlsplit(self.authorization_url())
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        params.update(presets.of(self.provider).authorization_params)
        params.update({name: self.transaction.hints[name] for name in self.HINTS if name in self.transaction.hints})
        row = self.provider.authorization_params
        params.update({name: str(value) for name, value in row.items() if name not in RESERVED_PARAMS})
        params.update(self.quirks(params))
        params.update(self.auth_params(self.get_or_create_state()))  # type: ignore[no-untyped-call]  # social-auth's
        params.update(self.get_scope_argument())  # type: ignore[no-untyped-call]  # social-auth's
        return urlunsplit(parts._replace(query=urlencode(params)))

    def quirks(self, params: Mapping[str, str]) -> dict[str, str]:
        """What a type adds to, or changes in, its authorization request."""
        return {}

    def use_basic_auth(self) -> bool:
        """Client authentication is `token_endpoint`'s; true keeps social-auth from putting an empty secret in the form."""
        return True

    def auth_complete_credentials(self) -> None:
        return None

    # --- Calls --------------------------------------------------------------------------------------------------------

    def request(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, Any] | None = None,
        data: dict[str, str] | None = None,
        json: dict[str, Any] | None = None,
        auth: Any = None,
        params: dict[str, str] | None = None,
        timeout: float | None = None,
        stage: str = "user_info",
    ) -> requests.Response:
        """Every call of social-auth's, through the guarded door. Raises `UpstreamError`, also for what is not a 2xx."""
        if stage == "token_exchange":
            answer = token_endpoint.post(self.provider, data or {})
            self.refusal = _refusal(answer)
        else:
            if params:
                parts = urlsplit(url)
                url = urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *params.items()])))
            answer = http.request(
                method,
                url,
                allow_private_network=self.provider.allow_private_network,
                headers=headers,
                json=json,
                call=Call("userinfo", self.provider.name),
            )
        if not 200 <= answer.status < 300:
            raise OutboundFailed(f"{stage}_http_{answer.status}", provider=self.name)
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response.encoding = "utf-8"
        response._content = answer.body
        return response

    def profile(self, url: str, access_token: str) -> Any:
        """JSON of the provider's API, as the person."""
        return self.get_json(url, headers={"Authorization": f"Bearer {access_token}"})

    def request_access_token(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        response = super().request_access_token(*args, **kwargs)
        self.token_answer = copy.deepcopy(response)
        return response

    def process_error(self, data: Any, *, stage: str = "callback") -> None:
        """An error that came with 200 (GitHub, Slack)."""
        if isinstance(data, Mapping) and (data.get("error") or data.get("ok") is False):
            raise SignInRefused(f"{stage}_refused", provider=self.name)

    def get_access_token(self, response: dict[str, Any]) -> str:
        token = answers.member(self.provider, response).get("access_token")
        if not isinstance(token, str) or not token:
            raise SignInRefused("access_token_missing", provider=self.name)
        return token

    # --- Who it is ----------------------------------------------------------------------------------------------------

    def who(self, response: Mapping[str, Any]) -> Identity:
        """The person, from what `user_data` brought. Raises `SignInRefused` where nobody can be told apart by it."""
        raise NotImplementedError

    def identity(self, response: Mapping[str, Any]) -> Identity:
        """The person; worked out once a visit."""
        if self._identity is None:
            try:
                self._identity = self.who(response)
            except UpstreamError as error:
                error.provider = self.name
                raise
        return self._identity

    def get_user_id(self, details: Mapping[str, Any], response: Mapping[str, Any]) -> str:
        return self.identity(response).subject

    def get_user_details(self, response: Mapping[str, Any]) -> dict[str, Any]:
        person = self.identity(response)
        return {"username": "", "email": person.email, "fullname": person.name}

    def get_user_groups(self, response: Any) -> None:
        """Groups are claims; `allow` reads them there."""
        return


def _refusal(answer: http.Answer) -> str:
    """The error code of a token endpoint's answer, whatever its status; empty for none, or one that is not known."""
    try:
        document = answer.json()
    except OutboundFailed:
        return ""
    error = document.get("error") if isinstance(document, Mapping) else None
    return error if isinstance(error, str) and error in REFUSALS else ""
