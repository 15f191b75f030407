"""Where everything is. Endpoint packages do not know each other; this module knows them all."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from authserver import home
from authserver.conf import load
from authserver.registration import views as registration

conf = load()
Patterns = list[URLPattern | URLResolver]

endpoints: Patterns = [
    path("", home.home, name="home"),
    path("oauth/register", registration.register, name="register"),
    path("oauth/register/<str:client_id>", registration.configuration, name="registration"),
    path(settings.ADMIN_PATH, admin.site.urls),
]
if conf.demo:
    endpoints.append(path("demo/idp/", include("upstream.demo.urls")))
urlpatterns: Patterns = [path(f"{conf.path}/" if conf.path else "", include(endpoints))]
handler500 = "authserver.failures.server_error"
