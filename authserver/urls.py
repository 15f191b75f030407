"""Where everything is. Endpoint packages do not know each other; this module knows them all."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from authserver import home
from authserver.conf import load

conf = load()
Patterns = list[URLPattern | URLResolver]

endpoints: Patterns = [
    path("", home.home, name="home"),
    path(settings.ADMIN_PATH, admin.site.urls),
]
if conf.demo:
    endpoints.append(path("demo/idp/", include("upstream.demo.urls")))
urlpatterns: Patterns = [path(f"{conf.path}/" if conf.path else "", include(endpoints))]
handler500 = "authserver.failures.server_error"
