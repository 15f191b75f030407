from importlib import import_module

from django.apps import AppConfig


class UpstreamConfig(AppConfig):
    name = "upstream"
    verbose_name = "Upstream identity providers"

    def ready(self) -> None:
        import_module("upstream.sealed")  # what it registers needs the models, so not before now
