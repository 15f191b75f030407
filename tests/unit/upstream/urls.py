"""The callback alone: these tests stand in for whoever sends people on a visit."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("", include("upstream.urls"))]
