"""An authorization endpoint that an app knocks at which registered itself."""

from __future__ import annotations

import pytest

from authserver.models import App, ResourceUpstream
from tests.harness.approval import make_client, make_provider, make_resource
from tests.unit.authorize.conftest import Door


def decided(state: str, **columns: object) -> None:
    """An operator has decided about every app there is."""
    App.objects.update(state=state, **columns)


@pytest.fixture
def door(db: None) -> Door:
    provider, resource = make_provider(), make_resource(default=True)
    ResourceUpstream.objects.create(resource=resource, provider=provider, scopes=["repo"])
    return Door(make_client("dcr-1", name="Claude Code", registration_source="dcr"), resource, provider)
