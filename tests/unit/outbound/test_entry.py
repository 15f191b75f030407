"""An operator cannot store what can never be called: the file and the console refuse it, and say what to write instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accounts.models import User
from authserver.configuration import upstreams
from authserver.configuration.applying import apply
from authserver.configuration.problems import Refused
from tests.harness import operators
from tests.unit.outbound.targets import AT_ENTRY
from upstream.models import Provider

pytestmark = pytest.mark.django_db

PLACES = ("issuer", *upstreams.ENDPOINTS)
PRIVATE = ("http://127.0.0.1:9000/x", "https://10.0.0.1/x", "https://[fd12::1]/x", "http://localhost:8080/x")
NEVER = ("https://169.254.169.254/x", "https://[fd00:ec2::254]/x", "https://0.0.0.0/x", "https://[::ffff:127.0.0.1]/x")


def applied(directory: Path, place: str, url: str, **more: object) -> None:
    """JSON is YAML."""
    row: dict[str, object] = {"name": "idp", "type": "oidc", "client_id": "us", "client_secret": {"value": "s"}}
    row |= {"issuer": "https://idp.example", place: url, **more}
    file = directory / "config.yaml"
    file.write_text(json.dumps({"upstreams": [row]}))
    apply(file)


@pytest.mark.parametrize("url", AT_ENTRY)
def test_the_file_names_the_line_and_the_key(tmp_path: Path, url: str) -> None:
    for place in PLACES:
        with pytest.raises(Refused) as refusal:
            applied(tmp_path, place, url)
        assert [line for line in refusal.value.lines if f"config.yaml:1: upstreams[0].{place}: " in line]
    assert not Provider.objects.exists()


@pytest.mark.parametrize("place", PLACES)
def test_the_console_holds_its_form_to_the_same_rules(place: str) -> None:
    http = operators.signed_in(User.objects.create_superuser("root"))
    form = {
        "name": "idp", "enabled": "on", "type": "oidc", "client_id": "us", "issuer": "https://idp.example", "scopes": "[]",
        "identity": "{}", "allow": "{}", "authorization_params": "{}", "api_resources": "[]", "on_session_end": "keep",
        "new_client_secret": "s",
    }  # fmt: skip
    for url in ("https://10.0.0.1/x", "http://idp.example/x", "https://idp.example:6379/x", "https://2130706433/x"):
        answer = http.post("/admin/upstream/provider/add/", form | {place: url})
        assert answer.status_code == 200
        assert place in answer.context["adminform"].form.errors
    assert not Provider.objects.exists()
    answer = http.post("/admin/upstream/provider/add/", form)
    assert answer.status_code == 302


@pytest.mark.parametrize("url", PRIVATE)
def test_a_row_that_may_call_the_private_network_may_name_it(tmp_path: Path, url: str) -> None:
    applied(tmp_path, "token_endpoint", url, allow_private_network=True)
    assert Provider.objects.get().token_endpoint == url


@pytest.mark.parametrize("url", NEVER)
def test_no_row_may_name_what_is_never_called(tmp_path: Path, url: str) -> None:
    with pytest.raises(Refused):
        applied(tmp_path, "token_endpoint", url, allow_private_network=True)
