"""The operators' console: Django's admin under our name."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class ConsoleSite(admin.AdminSite):
    site_header = "Authserver"
    site_title = "Authserver"
    index_title = _("Console")
    enable_nav_sidebar = True
