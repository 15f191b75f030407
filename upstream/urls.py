"""Where providers send people back to; included under the issuer's path."""

from __future__ import annotations

from django.urls import path

from upstream.views import callback

app_name = "upstream"
urlpatterns = [
    path("oauth/callback", callback, name="callback"),
    path("oauth/callback/<slug:upstream>", callback, name="callback"),
]
