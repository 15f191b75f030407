"""Where everything is. Endpoint packages do not know each other; this module knows them all.

All but `/metrics`, which `authserver.metrics.middleware` answers before a host is asked for.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from authserver import home, probes
from authserver.authorize import approval_views as approval
from authserver.authorize import views as authorize
from authserver.conf import load
from authserver.connect import views as connect
from authserver.introspection import views as introspection
from authserver.logout import backchannel, rp_initiated
from authserver.metadata import views as metadata
from authserver.registration import views as registration
from authserver.revocation import views as revocation
from authserver.token import views as token
from authserver.userinfo import views as userinfo

conf = load()
Patterns = list[URLPattern | URLResolver]

endpoints: Patterns = [
    path("", home.home, name="home"),
    path("oauth/authorize", authorize.authorize, name="authorize"),
    path("oauth/authorize/continue/<uuid:pending_id>", authorize.resume, name="authorize-continue"),
    path("oauth/authorize/switch", authorize.switch, name="authorize-switch"),
    path("oauth/authorize/approval", approval.ask, name="authorize-approval"),
    path("oauth/authorize/approval/<uuid:request_id>", approval.wait, name="authorize-approval-wait"),
    path("oauth/authorize/approval/<uuid:request_id>/state", approval.state),
    path("oauth/connect/<str:ticket>", connect.connect, name="connect"),
    path("oauth/connect/<str:ticket>/back", connect.back, name="connect-back"),
    path("oauth/connect/<str:ticket>/switch", connect.switch, name="connect-switch"),
    path("oauth/token", token.token, name="token"),
    path("oauth/userinfo", userinfo.userinfo, name="userinfo"),
    path("oauth/logout", rp_initiated.logout, name="logout"),
    path("oauth/backchannel-logout/<slug:upstream>", backchannel.backchannel_logout, name="backchannel-logout"),
    path("oauth/revoke", revocation.revoke, name="revoke"),
    path("oauth/introspect", introspection.introspect, name="introspect"),
    path("oauth/register", registration.register, name="register"),
    path("oauth/register/<str:client_id>", registration.configuration, name="registration"),
    path("account", RedirectView.as_view(pattern_name="account")),
    path("account/", include("authserver.account.urls")),
    path("", include("upstream.urls")),
    path("api/v1/", include("authserver.api.urls")),
    path(".well-known/jwks.json", metadata.jwks, name="jwks"),
    path(".well-known/oauth-authorization-server", metadata.authorization_server),
    path(".well-known/openid-configuration", metadata.openid_configuration),
    path("livez", probes.livez),
    path("readyz", probes.readyz),
    path(settings.ADMIN_PATH, admin.site.urls),
]
if conf.demo:
    endpoints.append(path("demo/idp/", include("upstream.demo.urls")))
    endpoints.append(path("demo/", include("upstream.demo.walkthrough.urls")))

urlpatterns: Patterns = [path(f"{conf.path}/" if conf.path else "", include(endpoints))]
if conf.demo:
    urlpatterns.append(path(".well-known/oauth-protected-resource/", include("upstream.demo.walkthrough.well_known")))
if conf.path:  # RFC 8414 section 3.1: the well-known part goes between host and path
    urlpatterns += [
        path(f".well-known/oauth-authorization-server/{conf.path}", metadata.authorization_server),
        path(f".well-known/openid-configuration/{conf.path}", metadata.openid_configuration),
    ]
handler500 = "authserver.failures.server_error"
