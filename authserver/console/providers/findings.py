"""What a test sign-in found, line by line in an operator's words: how bad, what it means, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from authserver.console.home import health
from authserver.console.providers import causes
from authserver.doctor.findings import Finding, failed, ok, warning
from upstream import trial
from upstream.errors import UpstreamError
from upstream.models import Provider
from upstream.providers import callback_url
from upstream.trial import Given, Trial

NOTHING = "-"
NO_ADDRESS = {
    Provider.Type.GITHUB: gettext_lazy(
        "Ask for the scope user:email (a GitHub App: the permission “Email addresses: read”). The account's primary address "
        "has to be verified at GitHub."
    ),
    Provider.Type.ENTRA: gettext_lazy(
        "Entra vouches for an address only with the optional claim xms_edov: add it at the registration, under Token "
        "configuration. To let people of your tenant in, “allow” needs no address: {claims: {tid: [your-tenant]}}."
    ),
    Provider.Type.OAUTH2: gettext_lazy("Name the paths “email” and “email_verified” in “identity”, if it tells them."),
}
NO_ADDRESS_ELSEWHERE = gettext_lazy(
    "Ask for the scope email, and look whether the address is verified at the provider."
)
NO_REFRESH_TOKEN = {
    Provider.Type.GITHUB: gettext_lazy("Switch “Expire user authorization tokens” off and on again at the GitHub App."),
    Provider.Type.GOOGLE: gettext_lazy(
        "Google gives one with the first consent only: remove this app under “Third-party apps” of the Google account, and "
        "test again."
    ),
}
NO_REFRESH_TOKEN_ELSEWHERE = gettext_lazy(
    "Add offline_access to “scopes”, if the provider knows it, and allow refresh tokens at the registration there."
)
ENDED = {
    "revoked": gettext_lazy("The provider was told to revoke them, and they were dropped here."),
    "already_gone": gettext_lazy("They were dropped here; at the provider they were over already."),
    "expired": gettext_lazy("They were dropped here; they are over already."),
    "not_offered": gettext_lazy(
        "They were dropped here. The provider has no way to revoke them: they run until they end by themselves."
    ),
    "unsupported_token_type": gettext_lazy(
        "They were dropped here. The provider does not revoke tokens of this kind: they run until they end by themselves."
    ),
    trial.KEPT_IN_USE: gettext_lazy(
        "They were dropped here and not revoked at the provider: somebody is connected with this account, and many providers "
        "end the whole connection with one token. They run until they end by themselves."
    ),
}


def of(provider: Provider, tried: Trial) -> list[Finding]:
    """In the order in which a person would ask."""
    found: list[Finding | None] = [_sign_in(provider, tried)]
    if tried.identity is not None:
        found += [_person(tried), _allow(provider, tried), _address(provider, tried)]
    if tried.given is not None:
        found += [
            _scopes(tried, tried.given),
            _lifetime(tried.given),
            _refresh(provider, tried.given),
            _end(tried.revoked),
        ]
    return [*filter(None, found), *_switches(provider)]


def of_failure(provider: Provider, error: UpstreamError, refusal: str = "") -> Finding:
    cause = causes.of(error.reason, refusal)
    meaning = str(cause.meaning) if cause else health.in_words(error.reason)
    remedy = str(cause.remedy) if cause else _("Run Test connection: it asks each of the provider's addresses.")
    if "%(" in remedy:
        remedy %= {"callback": callback_url(provider)}
    return failed("sign_in", _("Sign-in"), meaning, remedy)


def _sign_in(provider: Provider, tried: Trial) -> Finding:
    if tried.error is not None:
        return of_failure(provider, tried.error, tried.refusal)
    return ok("sign_in", _("Sign-in"), _("The provider signed somebody in, and its answer is good."))


def _person(tried: Trial) -> Finding | None:
    if tried.identity is None:
        return None
    title, user = _("Identity"), tried.known_as
    names = {"claim": tried.claim, "subject": tried.identity.subject, "name": tried.identity.name or NOTHING}
    if user is None:
        said = _("%(name)s, by %(claim)s: %(subject)s. Somebody new here: a sign-in would make them a person.")
        return ok("identity", title, said % names)
    names["person"] = str(user)
    if not user.is_active:
        said = _("%(name)s, by %(claim)s: %(subject)s. Known here as %(person)s, who is deactivated.")
        return failed("identity", title, said % names, _("Activate the person, if they should get in."))
    return ok("identity", title, _("%(name)s, by %(claim)s: %(subject)s. Known here as %(person)s.") % names)


def _allow(provider: Provider, tried: Trial) -> Finding:
    title = _("Who may sign in")
    if not tried.is_permitted:
        return failed("allow", title, _("“allow” does not let this person in."),
                      _("Compare “allow” with the claims below. Addresses and domains count only if verified."))  # fmt: skip
    if not provider.allow:
        return warning("allow", title, _("“allow” is empty: this person and everybody else with an account there gets in."),
                       _("Name domains, addresses or claims in “allow”, unless it is for everybody."))  # fmt: skip
    return ok("allow", title, _("“allow” lets this person in."))


def _address(provider: Provider, tried: Trial) -> Finding | None:
    if tried.identity is None:
        return None
    title = _("E-mail address")
    if tried.identity.email:
        return ok("email", title, _("%(address)s, verified by the provider.") % {"address": tried.identity.email})
    remedy = NO_ADDRESS.get(Provider.Type(provider.type), NO_ADDRESS_ELSEWHERE)
    return warning(
        "email", title, _("The provider vouches for no address. Nobody is known or let in by one."), str(remedy)
    )


def _scopes(tried: Trial, given: Given) -> Finding:
    title, names = _("Scopes"), {"asked": " ".join(tried.asked) or NOTHING, "given": " ".join(given.scopes) or NOTHING}
    if not given.says_scopes:
        said = _("Asked for: %(asked)s. The provider does not say which it gave: that means all.")
        return ok("scopes", title, said % names)
    said = _("Asked for: %(asked)s. Given: %(given)s.") % names
    if missing := [scope for scope in tried.asked if scope not in given.scopes]:
        remedy = _("Not given: %(missing)s. Allow them at the registration there, or do not ask for them.")
        return warning("scopes", title, said, remedy % {"missing": " ".join(missing)})
    return ok("scopes", title, said)


def _lifetime(given: Given) -> Finding:
    if given.lifetime_seconds is None:
        return ok("lifetime", _("Lifetime"), _("The provider names no end of the access token: it counts as endless."))
    said = _("The access token lasts %(time)s.") % {"time": lasting(given.lifetime_seconds)}
    return ok("lifetime", _("Lifetime"), said)


def _refresh(provider: Provider, given: Given) -> Finding:
    title = _("Refresh token")
    if given.refresh_token and given.refresh_lifetime_seconds is not None:
        said = _("Yes. It lasts %(time)s.") % {"time": lasting(given.refresh_lifetime_seconds)}
        return ok("refresh_token", title, said)
    if given.refresh_token:
        return ok("refresh_token", title, _("Yes. The provider names no end of it."))
    if given.lifetime_seconds is None:
        return ok("refresh_token", title, _("No, and none is needed: the access token does not end."))
    said = _("No: when the access token ends, people have to sign in at the provider again.")
    remedy = NO_REFRESH_TOKEN.get(Provider.Type(provider.type), NO_REFRESH_TOKEN_ELSEWHERE)
    return warning("refresh_token", title, said, str(remedy))


def _end(revoked: str) -> Finding:
    title = _("The tokens of this test")
    if revoked in ENDED:
        return ok("tokens", title, str(ENDED[revoked]))
    said = _(
        "They were dropped here. The provider could not be told to revoke them: they run until they end by themselves."
    )
    return warning("tokens", title, said, _("Look whether its revocation endpoint is right, if it has one."))


def _switches(provider: Provider) -> Iterator[Finding]:
    if not provider.enabled:
        yield warning("enabled", _("Switched off"), _("Nobody is sent to this provider yet."), _("Switch it on here."))
    if not provider.sign_in:
        said = _("People connect it after they have signed in with another provider.")
        yield ok("only_connected", _("Not for signing in"), said)


def lasting(seconds: int) -> str:
    """In the largest unit that there are at least two of; a single hour is an hour."""
    if seconds >= 2 * 86400:
        return _counted(ngettext("%(count)s day", "%(count)s days", round(seconds / 86400)), seconds / 86400)
    if seconds >= 3600:
        return _counted(ngettext("%(count)s hour", "%(count)s hours", round(seconds / 3600)), seconds / 3600)
    if seconds >= 120:
        return _counted(ngettext("%(count)s minute", "%(count)s minutes", round(seconds / 60)), seconds / 60)
    return _counted(ngettext("%(count)s second", "%(count)s seconds", seconds), seconds)


def _counted(words: str, count: float) -> str:
    return words % {"count": round(count)}
