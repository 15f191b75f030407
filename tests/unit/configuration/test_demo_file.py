"""The demo's file is a file like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from authserver.configuration.applying import apply
from authserver.models import Resource, ResourceServer
from upstream.models import Provider

pytestmark = pytest.mark.django_db


def test_the_demo_configuration_applies_and_serves_both_of_its_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_DEMO_RESOURCE_SERVER_SECRET", "vT5nXc8kQw3zLr7pJb2mYd6sHf9gUa4eKo1i")
    file = Path(settings.BASE_DIR) / "upstream" / "demo" / "config.yaml"
    apply(file)
    assert Provider.objects.get().issuer == f"{settings.ISSUER}/demo/idp"
    assert {resource.identifier for resource in ResourceServer.objects.get().resources.all()} == {
        f"{settings.ISSUER}/demo/mcp",
        "http://localhost:9000/mcp",
    }
    assert Resource.objects.get(default=True).identifier == f"{settings.ISSUER}/demo/mcp"
    assert apply(file).changes == []
