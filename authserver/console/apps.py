from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin, with our site as its default."""

    default_site = "authserver.console.site.ConsoleSite"
