"""The provider's application."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuthserverConfig(AppConfig):
    name = "authserver"
    verbose_name = "Authorization server"

    def ready(self) -> None:
        for registering in ("authserver.checks", "authserver.sealed"):  # they need the models, so not before now
            import_module(registering)
        roles = import_module("authserver.console.roles")
        post_migrate.connect(roles.make_groups, sender=self)
