"""Calling a provider's token endpoint as its client (RFC 6749 s2.3.1, s5.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

from upstream import discovery, http
from upstream.calls import Call
from upstream.errors import UpstreamError
from upstream.models import Provider
from upstream.providers import client_secret


def authenticated(provider: Provider, form: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, str] | None]:
    """The form and the Basic credentials with which this provider knows us."""
    method = discovery.endpoints(provider).auth_method
    sent = {name: value for name, value in form.items() if name not in {"client_id", "client_secret"}}
    if method == "client_secret_basic":
        return sent, (quote_plus(provider.client_id), quote_plus(client_secret(provider)))
    sent["client_id"] = provider.client_id
    if method == "client_secret_post":
        sent["client_secret"] = client_secret(provider)
    elif method != "none":
        raise UpstreamError("token_endpoint_auth_method_not_supported", provider=provider.name)
    return sent, None


def post(
    provider: Provider,
    form: Mapping[str, str],
    *,
    timeout_seconds: float = 10,
    before_sending: Callable[[], None] = lambda: None,
) -> http.Answer:
    """One authenticated request to the token endpoint, and its answer whatever the status.

    `timeout_seconds` bounds the request; what has to be looked up for it comes first, then `before_sending`.
    """
    url = discovery.endpoints(provider).token
    if not url:
        raise UpstreamError("token_endpoint_missing", provider=provider.name)
    sent, basic = authenticated(provider, form)
    before_sending()
    return http.request(
        "POST",
        url,
        allow_private_network=provider.allow_private_network,
        data=sent,
        auth=basic,
        timeout_seconds=timeout_seconds,
        call=Call("refresh" if sent.get("grant_type") == "refresh_token" else "token", provider.name),
    )
