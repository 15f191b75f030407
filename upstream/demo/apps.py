from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "upstream.demo"
    label = "upstream_demo"
    verbose_name = "Demo identity provider"
    default_auto_field = "django.db.models.BigAutoField"
