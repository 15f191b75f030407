"""The provider's application."""

from importlib import import_module

from django.apps import AppConfig


class AuthserverConfig(AppConfig):
    name = "authserver"
    verbose_name = "Authorization server"

    def ready(self) -> None:
        for registering in ("authserver.checks", "authserver.sealed"):  # they need the models, so not before now
            import_module(registering)
