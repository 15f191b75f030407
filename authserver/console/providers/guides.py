"""What the form of each type of provider shows, and where each value is found: the presets, for whoever fills it in.

`upstream.presets` has the addresses and scopes that a type brings along; docs/providers has a page for each type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authserver.configuration.upstreams import ENDPOINTS
from upstream.backends.oauth2 import DEFAULT_PATHS
from upstream.models import Provider

Text = Promise | str


@dataclass(frozen=True)
class Guide:
    """One type. `needs` are the fields of its own that it cannot do without, `may` those it can; `found` says where the
    value of a field is, `begins` what a new form has in it. `page` is its page in docs/providers.
    """

    kind: str
    about: Text
    register: Text
    documentation_url: str
    page: str
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    found: Mapping[str, Text] = field(default_factory=dict)
    begins: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return str(Provider.Type(self.kind).label)


ISSUER = _("“issuer” in the provider's /.well-known/openid-configuration, character by character.")
OVERRIDE = _("Empty: as the discovery document says.")

GUIDES: Mapping[str, Guide] = {
    guide.kind: guide
    for guide in (
        Guide(
            Provider.Type.GITHUB,
            about=_("Accounts of github.com, or of a GitHub Enterprise Server."),
            register=_(
                "At GitHub: Settings, Developer settings, GitHub Apps, New GitHub App. Paste the callback as “Callback URL”, "
                "and leave “Expire user authorization tokens” on. An OAuth App works too: its tokens do not end."
            ),
            documentation_url="https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app/registering-a-github-app",
            page="docs/providers/github.md",
            may=("authorization_endpoint", "token_endpoint", "userinfo_endpoint"),
            found={
                "client_id": _("“Client ID” on the app's page at GitHub; not the App ID."),
                "new_client_secret": _("“Generate a new client secret” on the app's page; GitHub shows it once."),
                "scopes": _("For an OAuth App; a GitHub App has permissions instead, and ignores them."),
                "authorization_endpoint": _("GitHub Enterprise Server: https://HOST/login/oauth/authorize"),
                "token_endpoint": _("GitHub Enterprise Server: https://HOST/login/oauth/access_token"),
                "userinfo_endpoint": _("GitHub Enterprise Server: https://HOST/api/v3/user"),
            },
        ),
        Guide(
            Provider.Type.GOOGLE,
            about=_("Google accounts: anybody's, or those of your Workspace."),
            register=_(
                "In the Google Cloud console: APIs & Services, Credentials, Create credentials, OAuth client ID, “Web "
                "application”. Paste the callback under “Authorised redirect URIs”."
            ),
            documentation_url="https://developers.google.com/identity/protocols/oauth2/web-server",
            page="docs/providers/google.md",
            found={
                "client_id": _("“Client ID”, which ends in .apps.googleusercontent.com."),
                "new_client_secret": _("“Client secret” of the same OAuth client."),
                "scopes": _("Name them on the consent screen there too; sensitive ones need Google's verification."),
                "allow": _('People of your Workspace only: {"claims": {"hd": "example.com"}}'),
            },
        ),
        Guide(
            Provider.Type.ATLASSIAN,
            about=_("Atlassian accounts, for Jira and Confluence in the cloud."),
            register=_(
                "In the Atlassian developer console: Create, “OAuth 2.0 integration”. Paste the callback under Authorization. "
                "Under Permissions add the User identity API and the APIs that your servers call."
            ),
            documentation_url="https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/",
            page="docs/providers/atlassian.md",
            found={
                "client_id": _("“Client ID” under Settings of the app."),
                "new_client_secret": _("“Secret” under Settings of the app."),
                "scopes": _(
                    "Beside read:me and offline_access, which are always asked for; for example read:jira-work."
                ),
            },
        ),
        Guide(
            Provider.Type.ENTRA,
            about=_("Work and school accounts of your tenant, or of all tenants."),
            register=_(
                "In the Entra admin centre: App registrations, New registration. Paste the callback as “Redirect URI” of the "
                "platform Web. Under API permissions add what your servers call, as delegated permissions."
            ),
            documentation_url="https://learn.microsoft.com/en-us/entra/identity-platform/quickstart-register-app",
            page="docs/providers/entra.md",
            needs=("issuer",),
            found={
                "issuer": _(
                    "https://login.microsoftonline.com/TENANT/v2.0, with “Directory (tenant) ID” of the overview for TENANT."
                    " With common or organizations everybody with a Microsoft account can come: say who in “allow”."
                ),
                "client_id": _("“Application (client) ID” of the overview."),
                "new_client_secret": _(
                    "Certificates & secrets, New client secret: its “Value”, not its ID. Note when it ends."
                ),
                "scopes": _("Of one API only; for Graph for example https://graph.microsoft.com/User.Read."),
            },
        ),
        Guide(
            Provider.Type.OIDC,
            about=_("Keycloak, Okta, Auth0, GitLab, Zitadel and whatever else has a discovery document."),
            register=_(
                "At the provider: a confidential client (web application) with the authorization code flow. Paste the callback "
                "as redirect URI, and allow refresh tokens."
            ),
            documentation_url="https://openid.net/specs/openid-connect-discovery-1_0.html",
            page="docs/providers/oidc.md",
            needs=("issuer",),
            may=("subject_claim", *ENDPOINTS),
            found={
                "issuer": ISSUER,
                "client_id": _("The client's identifier at the provider."),
                "new_client_secret": _("The client's secret at the provider; on Keycloak under Credentials."),
                "scopes": _("Most providers give a refresh token for offline_access."),
                "subject_claim": _("Empty: sub. Never one that people can change."),
                **dict.fromkeys(ENDPOINTS, OVERRIDE),
            },
            begins={"scopes": ["openid", "profile", "email", "offline_access"]},
        ),
        Guide(
            Provider.Type.OAUTH2,
            about=_("Slack, Linear, Notion, Figma and others without OpenID Connect."),
            register=_("At the provider: an OAuth application. Paste the callback as redirect URI."),
            documentation_url="https://www.rfc-editor.org/rfc/rfc6749",
            page="docs/providers/oauth2.md",
            needs=("authorization_endpoint", "token_endpoint", "identity"),
            may=("userinfo_endpoint", "revocation_endpoint", "issuer"),
            found={
                "authorization_endpoint": _("In the provider's documentation: where people are sent."),
                "token_endpoint": _("In the provider's documentation: where codes are redeemed."),
                "userinfo_endpoint": _("In the provider's documentation: what says whose a token is."),
                "revocation_endpoint": _("Empty: tokens are not revoked there. RFC 7009."),
                "issuer": _("Only where the provider sends “iss” with its answer (RFC 9207)."),
                "identity": _(
                    "Where a person is found in the answer of the user endpoint, else of the token endpoint: for each part "
                    "the paths to try. For “subject” one that nobody else ever gets."
                ),
                "client_id": _("The application's client ID at the provider."),
                "new_client_secret": _("The application's client secret at the provider."),
            },
            begins={"identity": DEFAULT_PATHS, "sign_in": False},
        ),
    )
}
