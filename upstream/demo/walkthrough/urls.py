"""Mounted under `demo/`."""

from __future__ import annotations

from django.urls import path

from . import mcp_server, views

urlpatterns = [
    path("", views.index, name="walkthrough"),
    path("callback", views.callback, name="walkthrough-callback"),
    path("mcp", mcp_server.serve, name="demo-mcp"),
]
