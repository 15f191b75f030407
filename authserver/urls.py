"""Where everything is. Endpoint packages do not know each other; this module knows them all."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from authserver import home, probes
from authserver.authorize import views as authorize
from authserver.conf import load
from authserver.metadata import views as metadata
from authserver.token.views import TokenView

conf = load()
Patterns = list[URLPattern | URLResolver]

well_known: Patterns = [
    path(".well-known/oauth-authorization-server", metadata.authorization_server),
    path(".well-known/openid-configuration", metadata.openid_configuration),
]
endpoints: Patterns = [
    path("", home.home, name="home"),
    path("oauth/authorize", authorize.authorize, name="authorize"),
    path("oauth/authorize/continue/<uuid:pending_id>", authorize.resume, name="authorize-continue"),
    path("oauth/authorize/switch", authorize.switch, name="authorize-switch"),
    path("oauth/token", TokenView.as_view(), name="token"),
    path("", include("upstream.urls")),
    path(".well-known/jwks.json", metadata.jwks, name="jwks"),
    path("livez", probes.livez),
    path("readyz", probes.readyz),
    path(settings.ADMIN_PATH, admin.site.urls),
    *well_known,
]
if conf.demo:
    endpoints.append(path("demo/idp/", include("upstream.demo.urls")))

if conf.path:  # RFC 8414 section 3.1: the well-known part goes between host and path
    urlpatterns: Patterns = [
        path(f"{conf.path}/", include(endpoints)),
        path(f".well-known/oauth-authorization-server/{conf.path}", metadata.authorization_server),
        path(f".well-known/openid-configuration/{conf.path}", metadata.openid_configuration),
    ]
else:
    urlpatterns = endpoints
