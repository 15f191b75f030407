from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People, sessions and credentials"

    def ready(self) -> None:
        import_module("accounts.sealed")  # what it registers needs the models, so not before now
