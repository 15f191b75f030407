"""Included at `/api/v1/` under the issuer's path."""

from __future__ import annotations

from django.urls import path, re_path

from authserver.api import revocations, schema, token, views

urlpatterns = [
    path("token", token.AccessToken.as_view(), name="api-token"),
    path("sessions/<str:tsid>/upstream-tokens", views.AllTokens.as_view(), name="api-tokens"),
    path("sessions/<str:tsid>/upstream-tokens/<str:upstream>", views.OneToken.as_view(), name="api-token-of"),
    path("revocations", revocations.Revocations.as_view(), name="api-revocations"),
    path("schema", schema.schema, name="api-schema"),
    path("docs", schema.docs, name="api-docs"),
    re_path(r"^.*$", views.not_here),
]
