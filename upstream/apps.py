from importlib import import_module

from django.apps import AppConfig
from django.db.models import signals


class UpstreamConfig(AppConfig):
    name = "upstream"
    verbose_name = "Upstream identity providers"

    def ready(self) -> None:
        import_module("upstream.sealed")  # what it registers needs the models, so not before now
        revoke = import_module("upstream.revoke")
        signals.post_save.connect(
            lambda **_: revoke.forget(), "upstream.Provider", weak=False, dispatch_uid="revoke_at"
        )
