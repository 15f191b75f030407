"""Where the pages of `/account/` are."""

from __future__ import annotations

from django.urls import path

from authserver.account import endings, signing_in, views

urlpatterns = [
    path("", views.home, name="account"),
    path("activity", views.activity, name="account-activity"),
    path("receipts/<uuid:receipt>", views.receipt, name="account-receipt"),
    path("sign-in", signing_in.sign_in, name="account-sign-in"),
    path("back", signing_in.back, name="account-back"),
    path("connections/<slug:provider>/reconnect", signing_in.reconnect, name="account-reconnect"),
    path("connections/<slug:provider>/disconnect", endings.disconnect, name="account-disconnect"),
    path("sessions/<str:tsid>/remove", endings.remove_session, name="account-remove-session"),
    path("apps/<int:client>/remove", endings.remove_app, name="account-remove-app"),
    path("sign-out", endings.sign_out, name="account-sign-out"),
]
