"""Why a sign-in at a provider failed, in an operator's words, and what to do: by the `reason` of an `UpstreamError`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Cause:
    """`remedy` has a slot for the `callback`."""

    meaning: Promise | str
    remedy: Promise | str


REGISTER = _("Register exactly this callback at the provider: %(callback)s")
LOOK_THERE = _("Look at the registration and the log at the provider, and compare with its page in docs/providers.")
OTHER_ISSUER = _("Copy “issuer” from the provider's discovery document, character by character.")
CLOCKS = _("Let both hosts keep time by NTP; Test connection compares the clocks.")

CAUSES: Mapping[str, Cause] = {
    # What came back to the callback
    "declined_at_provider": Cause(_("The person declined at the provider."),
                                  _("Begin again, and accept what the provider asks.")),
    "another_callback": Cause(_("It answered at another callback than the one that it was given."), REGISTER),
    "code_missing": Cause(_("It sent neither a code nor an error."), LOOK_THERE),
    "iss_missing": Cause(_("Its answer does not name its issuer, though it announces that it always does."), LOOK_THERE),
    "iss_mismatch": Cause(_("Its answer names another issuer than the one configured here."), OTHER_ISSUER),
    "provider_redirect_uri_mismatch": Cause(_("It does not know our callback."), REGISTER),
    "provider_invalid_scope": Cause(
        _("It does not know, or does not allow, a scope that was asked for."),
        _("Compare “scopes” with what the registration at the provider may ask for.")),
    "provider_unauthorized_client": Cause(
        _("It does not let our registration sign people in."),
        _("Allow the authorization code flow for it at the provider.")),
    "provider_application_suspended": Cause(_("Our registration there is suspended."), LOOK_THERE),
    "provider_consent_required": Cause(
        _("It wants a consent that the person cannot give."),
        _("An administrator at the provider has to consent for the organisation first.")),
    "provider_error": Cause(_("It answered with an error of its own."), LOOK_THERE),
    # The token endpoint
    "invalid_client": Cause(
        _("It refuses our client ID or our secret."),
        _("Enter the secret again. If that does not help: is the client ID of the same registration, has the secret run "
          "out, does the provider expect it as “token_endpoint_auth_method” says?")),
    "invalid_grant": Cause(
        _("It refuses the code that it gave: most often because our callback is not the registered one to the letter."),
        REGISTER),
    "redirect_uri_mismatch": Cause(_("It does not know our callback."), REGISTER),
    "unauthorized_client": Cause(_("It does not let our registration fetch tokens."),
                                 _("Allow the authorization code flow for it at the provider.")),
    "unsupported_grant_type": Cause(_("It does not know the authorization code flow."), LOOK_THERE),
    "invalid_request": Cause(_("It says that our request is not a valid one."), LOOK_THERE),
    "invalid_scope": Cause(
        _("It does not know, or does not allow, a scope that was asked for."),
        _("Compare “scopes” with what the registration at the provider may ask for.")),
    "token_exchange_refused": Cause(_("Its token endpoint refused the code."), LOOK_THERE),
    "access_token_missing": Cause(_("Its token endpoint gave no access token."), LOOK_THERE),
    "token_too_large": Cause(_("Its tokens are longer than what is kept here."),
                             _("Have the provider put less into them, such as fewer groups.")),
    "client_secret_unreadable": Cause(_("Our secret for it cannot be opened."), _("Enter it again.")),
    "issuer_not_configured": Cause(_("“issuer” is not set."), OTHER_ISSUER),
    "issuer_mismatch": Cause(_("Its discovery document names another issuer than the one configured here."), OTHER_ISSUER),
    "authorization_endpoint_missing": Cause(_("No authorization endpoint is known."), _("Set “authorization_endpoint”.")),
    "authorization_endpoint_malformed": Cause(_("Its authorization endpoint is no address to send people to."),
                                              _("Set “authorization_endpoint”.")),
    "token_endpoint_missing": Cause(_("No token endpoint is known."), _("Set “token_endpoint”.")),
    # The ID token
    "jwks_uri_missing": Cause(_("It publishes no keys: no ID token can be verified."), LOOK_THERE),
    "id_token_algorithm": Cause(_("It signs ID tokens with an algorithm that it does not announce, or that is not taken."),
                                _("Let it sign with ES256, RS256, PS256 or EdDSA.")),
    "id_token_audience": Cause(_("Its ID token is for somebody else too, or only."),
                               _("Its audience has to be our client ID alone.")),
    "id_token_nonce": Cause(_("Its ID token does not repeat our nonce: it belongs to another sign-in."), LOOK_THERE),
    "id_token_times": Cause(_("Its ID token is too old, or not valid yet."), CLOCKS),
    "response_expired": Cause(_("Its ID token has run out."), CLOCKS),
    "id_token_tenant": Cause(_("Its ID token names no tenant."), OTHER_ISSUER),
    "invalid_claim": Cause(_("Its ID token names another issuer, or is for another client."),
                           _("Compare “issuer” with the discovery document, and the client ID with the registration.")),
    "invalid_signature": Cause(_("Its ID token is not signed with one of its published keys."), LOOK_THERE),
    # Who it is
    "userinfo_subject": Cause(_("Its user endpoint speaks of another person than its ID token."), LOOK_THERE),
    "user_info_refused": Cause(_("Its user endpoint refused the token."),
                               _("Ask for the scope that shows the person's profile.")),
    "subject_missing": Cause(
        _("What identifies a person is not in its answer."),
        _("Name where it is: “subject_claim” for OpenID Connect, “identity” for OAuth 2.0.")),
    "subject_malformed": Cause(
        _("What should identify a person is no usable identifier."),
        _("Name another one: “subject_claim” for OpenID Connect, “identity” for OAuth 2.0.")),
    "account_not_active": Cause(_("The account there is not active."), _("Take another account.")),
}  # fmt: skip

ALIASES = {
    "incorrect_client_credentials": "invalid_client",
    "token_exchange_http_401": "invalid_client",
    "bad_verification_code": "invalid_grant",
    "user_info_http_401": "user_info_refused",
    "user_info_http_403": "user_info_refused",
}


def of(reason: str, refusal: str = "") -> Cause | None:
    """`refusal`, the token endpoint's own code, says more than that it refused. None for what has no words here."""
    for code in (refusal, reason):
        if cause := CAUSES.get(ALIASES.get(code, code)):
            return cause
    return None
