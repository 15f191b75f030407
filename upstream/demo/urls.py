"""The demo provider's endpoints, mounted under `demo/idp/`."""

from __future__ import annotations

from django.urls import path

from . import authorize, control, metadata, resources, revoke, sign_out, token

app_name = "upstream_demo"
urlpatterns = [
    path(".well-known/openid-configuration", metadata.discovery, name="discovery"),
    path("jwks", metadata.jwks, name="jwks"),
    path("authorize", authorize.authorize, name="authorize"),
    path("token", token.token, name="token"),
    path("userinfo", resources.userinfo, name="userinfo"),
    path("revoke", revoke.revoke, name="revoke"),
    path("sign-out", sign_out.sign_out, name="sign-out"),
    path("api/me", resources.me, name="me"),
    path("knobs", control.control, name="knobs"),
]
