"""The provider's application."""

from importlib import import_module

from django.apps import AppConfig


class AuthserverConfig(AppConfig):
    name = "authserver"
    verbose_name = "Authorization server"

    def ready(self) -> None:
        import_module("authserver.checks")  # registers them; it needs the models, so not before now
