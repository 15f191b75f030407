"""Where everything is. Endpoint packages do not know each other; this module knows them all."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from authserver.conf import conf

prefix = f"{conf.path}/" if conf.path else ""

endpoints = [
    path(settings.ADMIN_PATH, admin.site.urls),
]
if conf.demo:
    endpoints.append(path("demo/idp/", include("upstream.demo.urls")))

urlpatterns = [path(prefix, include(endpoints))]
