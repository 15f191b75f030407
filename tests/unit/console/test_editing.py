"""What operators make and change: by the configuration file's rules, secrets sealed or shown once."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent
from authserver.client_authentication import check_client, presented
from authserver.models import Client, Resource, ResourceServer
from tests.harness.approval import approve, make_client, make_provider, make_resource, make_user, post
from tests.unit.console.crawl import ROOT
from upstream import identities, providers
from upstream.models import Provider

pytestmark = pytest.mark.django_db

CLIENTS = f"{ROOT}authserver/client/"
SERVERS = f"{ROOT}authserver/resourceserver/"
PROVIDERS = f"{ROOT}upstream/provider/"
RESOURCES = f"{ROOT}authserver/resource/"

APP = {
    "name": "Our app",
    "redirect_uris": "https://app.example/cb\nhttp://127.0.0.1/cb",
    "token_endpoint_auth_method": "client_secret_basic",
    "allowed_scopes": "mcp:tools",
}
GITHUB = {
    "name": "github", "enabled": "on", "type": "github", "client_id": "Iv1.abc", "sign_in": "on", "scopes": '["repo"]',
    "identity": "{}", "allow": '{"email_domains": ["example.com"]}', "authorization_params": "{}", "api_resources": "[]",
    "on_session_end": "keep", "new_client_secret": "upstream-secret-canary",
}  # fmt: skip
MCP = {
    "identifier": "https://mcp.example.com/mcp", "enabled": "on", "name": "MCP", "scopes": '{"mcp:tools": "use its tools"}',
    "default_scopes": "[]", "allow": "{}", "claims": "[]", "access_token_lifetime_seconds": "",
    "upstreams-TOTAL_FORMS": "0", "upstreams-INITIAL_FORMS": "0",
}  # fmt: skip


def shown(answer: Any) -> str:
    """The secret on a page that shows one."""
    found = re.search(r"<dt>client_secret</dt><dd><code>(.+?)</code>", answer.content.decode())
    assert found, answer.content.decode()
    return html.unescape(found[1])


def errors(answer: Any) -> str:
    """The form's errors, as one text; a refused form is shown again."""
    assert answer.status_code == 200
    return json.dumps(answer.context["adminform"].form.errors.get_json_data())


def test_a_new_static_client_gets_a_secret_shown_once(superuser: Http) -> None:
    answer = superuser.post(f"{CLIENTS}add/", APP)
    secret, client = shown(answer), Client.objects.get()
    assert len(secret) == 64
    assert "no-store" in answer["Cache-Control"]
    assert secret not in str(answer.cookies)
    assert client.client_secret.startswith("random_secret_sha256$")
    assert (client.client_type, client.registration_source, client.allowed_scopes) == (
        "confidential",
        "manual",
        "mcp:tools",
    )
    assert client.redirect_uris.split() == APP["redirect_uris"].split()
    assert client.grant_types == ["authorization_code", "refresh_token"]
    again = superuser.get(f"{CLIENTS}{client.pk}/change/")
    assert secret not in again.content.decode()
    assert client.client_secret not in again.content.decode()
    check_client(client, presented("Basic " + _basic(client.client_id, secret), {}), now=timezone.now())


def test_a_new_public_client_gets_none(superuser: Http) -> None:
    answer = superuser.post(f"{CLIENTS}add/", APP | {"token_endpoint_auth_method": "none"})
    assert answer.status_code == 302
    client = Client.objects.get()
    assert client.client_type == "public"
    assert not check_password("", client.client_secret)


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("redirect_uris", "http://app.example/cb", "cannot be a redirect URI"),
        ("redirect_uris", "javascript:alert(1)", "cannot be a redirect URI"),
        ("redirect_uris", "https://app.example/*", "wildcards"),
        ("token_endpoint_auth_method", "private_key_jwt", "is not known"),
        ("allowed_scopes", 'a"b', "is not one scope"),
    ],
)
def test_a_client_is_held_to_the_files_rules(field: str, value: str, wrong: str, superuser: Http) -> None:
    assert wrong in errors(superuser.post(f"{CLIENTS}add/", APP | {field: value}))
    assert not Client.objects.exists()


def test_a_private_scheme_may_be_registered(superuser: Http) -> None:
    superuser.post(f"{CLIENTS}add/", APP | {"redirect_uris": "cursor://anysphere.cursor-mcp/oauth/callback"})
    assert Client.objects.get().redirect_uris == "cursor://anysphere.cursor-mcp/oauth/callback"


def test_a_client_that_registered_itself_can_be_limited_but_not_rewritten(superuser: Http) -> None:
    client = make_client(registration_source="dcr")
    form = {**APP, "name": "Rewritten", "allowed_scopes": "mcp:tools", "vouched_for": "on"}
    assert superuser.post(f"{CLIENTS}{client.pk}/change/", form).status_code == 302
    client.refresh_from_db()
    assert (client.name, client.redirect_uris) == ("A client", "http://127.0.0.1:7777/callback")
    assert (client.token_endpoint_auth_method, client.allowed_scopes, client.vouched_for) == (
        "none",
        "mcp:tools",
        False,
    )
    assert superuser.post(f"{CLIENTS}{client.pk}/new-secret/").status_code == 404


def test_a_clients_way_to_authenticate_decides_about_its_secret(superuser: Http) -> None:
    secret = shown(superuser.post(f"{CLIENTS}add/", APP))
    client = Client.objects.get()
    change = f"{CLIENTS}{client.pk}/change/"
    superuser.post(change, APP | {"token_endpoint_auth_method": "client_secret_post"})
    client.refresh_from_db()
    assert check_password(secret, client.client_secret)
    superuser.post(change, APP | {"token_endpoint_auth_method": "none"})
    client.refresh_from_db()
    assert client.client_type == "public"
    assert not check_password(secret, client.client_secret)
    another = shown(superuser.post(change, APP))
    client.refresh_from_db()
    assert check_password(another, client.client_secret)


def test_disabling_a_client_stops_it_and_enabling_brings_it_back(superuser: Http) -> None:
    approval = approve()
    tokens = approval.redeem()
    act(superuser, "disable", approval.client)
    refused = post(approval.refresh_form(tokens["refresh_token"]))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    act(superuser, "enable", approval.client)
    assert post(approval.refresh_form(tokens["refresh_token"])).status_code == 200
    assert AuditEvent.objects.get(event="client.disabled").actor == "root"
    assert AuditEvent.objects.get(event="client.enabled").client_id == approval.client.client_id


def test_looking_at_clients_is_not_disabling_them(staff: Any) -> None:
    client = make_client()
    act(staff("authserver.view_client"), "disable", client)
    client.refresh_from_db()
    assert client.disabled_at is None


def test_a_new_resource_server_gets_a_secret_shown_once_and_another_on_request(superuser: Http) -> None:
    resource = make_resource()
    form = {"client_id": "rs", "name": "RS", "enabled": "on", "resources": [resource.pk]}
    first = shown(superuser.post(f"{SERVERS}add/", form))
    server = ResourceServer.objects.get()
    assert check_password(first, server.client_secret)
    assert list(server.resources.all()) == [resource]
    page = f"{SERVERS}{server.pk}/new-secret/"
    superuser.get(page)
    server.refresh_from_db()
    assert check_password(first, server.client_secret)
    second = shown(superuser.post(page))
    server.refresh_from_db()
    assert check_password(second, server.client_secret)
    assert not check_password(first, server.client_secret)
    superuser.post(f"{SERVERS}{server.pk}/change/", form | {"name": "Renamed"})
    server.refresh_from_db()
    assert check_password(second, server.client_secret)


def test_a_providers_secret_goes_in_and_never_comes_out(superuser: Http) -> None:
    assert superuser.post(f"{PROVIDERS}add/", GITHUB).status_code == 302
    provider = Provider.objects.get()
    assert providers.client_secret(provider) == "upstream-secret-canary"
    assert provider.client_secret_source == "console"
    page = superuser.get(f"{PROVIDERS}{provider.pk}/change/").content.decode()
    assert "canary" not in page
    assert provider.client_secret_sealed not in page


def test_an_empty_secret_keeps_the_stored_one(superuser: Http) -> None:
    superuser.post(f"{PROVIDERS}add/", GITHUB)
    change = f"{PROVIDERS}{Provider.objects.get().pk}/change/"
    assert superuser.post(change, GITHUB | {"new_client_secret": "", "scopes": '["a", "b"]'}).status_code == 302
    provider = Provider.objects.get()
    assert provider.scopes == ["a", "b"]
    assert providers.client_secret(provider) == "upstream-secret-canary"


def test_a_provider_that_is_edited_while_its_secret_is_replaced_keeps_the_new_one(
    superuser: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `rotate_vault_key` or `apply_config`, between the console's look at the row and its write."""
    superuser.post(f"{PROVIDERS}add/", GITHUB)
    row = Provider.objects.get()

    def replaced_meanwhile(*arguments: Any) -> None:
        providers.set_client_secret(row, "newer", "file")
        row.save()

    monkeypatch.setattr(identities, "moved", replaced_meanwhile)
    form = GITHUB | {"new_client_secret": "", "client_id": "another"}
    assert superuser.post(f"{PROVIDERS}{row.pk}/change/", form).status_code == 302
    row.refresh_from_db()
    assert (row.client_id, row.client_secret_source, providers.client_secret(row)) == ("another", "file", "newer")


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("allow", '{"domains": ["a.example"]}', "did you mean 'email_domains'?"),
        ("allow", "[1]", "is not a mapping"),
        ("scopes", '["a b"]', "is not one scope"),
        ("scopes", '{"a": 1}', "is not a list"),
        ("token_endpoint", "http://169.254.169.254/", "is not https"),
        ("authorization_params", '{"state": "x"}', "is set by us"),
        ("name", "Not A Name", "is not a name"),
        ("new_client_secret", "", "needs one"),
    ],
)
def test_a_provider_is_held_to_the_files_rules(field: str, value: str, wrong: str, superuser: Http) -> None:
    assert wrong in errors(superuser.post(f"{PROVIDERS}add/", GITHUB | {field: value}))
    assert not Provider.objects.exists()


def test_a_provider_that_people_are_connected_with_keeps_its_meaning(superuser: Http) -> None:
    provider = make_provider("idp", type="oidc", issuer="https://one.example", client_id="us")
    providers.set_client_secret(provider, "s", "console")
    provider.save()
    approve(provider=provider)
    form = GITHUB | {"type": "oidc", "issuer": "https://two.example", "new_client_secret": ""}
    assert "another name" in errors(superuser.post(f"{PROVIDERS}{provider.pk}/change/", form))
    assert Provider.objects.get().issuer == "https://one.example"


def test_a_resource_is_made_with_its_canonical_form_and_its_upstreams(superuser: Http) -> None:
    needed = {"upstreams-TOTAL_FORMS": "1", "upstreams-0-provider": make_provider().pk, "upstreams-0-scopes": '["repo"]',
              "upstreams-0-required": "on", "upstreams-0-position": "0"}  # fmt: skip
    form = MCP | needed | {"identifier": "https://MCP.example.com:443/mcp", "access_token_lifetime_seconds": "600"}
    assert superuser.post(f"{RESOURCES}add/", form).status_code == 302
    resource = Resource.objects.get()
    assert (resource.identifier, resource.canonical) == (
        "https://MCP.example.com:443/mcp",
        "https://mcp.example.com/mcp",
    )
    assert resource.access_token_lifetime_seconds == 600
    assert [(row.provider.name, row.scopes) for row in resource.upstreams.all()] == [("github", ["repo"])]


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("identifier", "http://mcp.example.com/mcp", "plain http"),
        ("identifier", "HTTPS://taken.example/", "exists already"),
        ("scopes", '{"openid": "x"}', "every resource has"),
        ("scopes", '{"a b": "x"}', "is not one scope"),
        ("allow", '{"email_domain": ["a.example"]}', "did you mean"),
        ("claims", '["phone"]', "not a claim we send"),
        ("access_token_lifetime_seconds", "59", "out of bounds"),
    ],
)
def test_a_resource_is_held_to_the_files_rules(field: str, value: str, wrong: str, superuser: Http) -> None:
    make_resource("https://taken.example")
    assert wrong in errors(superuser.post(f"{RESOURCES}add/", MCP | {field: value}))
    assert Resource.objects.count() == 1


def test_a_new_default_ends_the_old_one(superuser: Http) -> None:
    make_resource("https://old.example", default=True)
    superuser.post(f"{RESOURCES}add/", MCP | {"default": "on"})
    assert [resource.identifier for resource in Resource.objects.filter(default=True)] == [MCP["identifier"]]


def test_every_change_leaves_an_audit_row_with_what_was_and_what_is_but_no_secret(superuser: Http) -> None:
    superuser.post(f"{PROVIDERS}add/", GITHUB)
    superuser.post(f"{PROVIDERS}{Provider.objects.get().pk}/change/", GITHUB | {"client_id": "Iv1.def"})
    added, changed = AuditEvent.objects.filter(event__startswith="console.").order_by("id")
    assert (added.event, added.actor, added.detail["model"]) == ("console.added", "root", "upstream.provider")
    assert added.detail["changes"]["scopes"] == [[], ["repo"]]
    assert (changed.event, changed.address) == ("console.changed", "127.0.0.1")
    assert changed.detail["changes"] == {
        "client_id": ["Iv1.abc", "Iv1.def"],
        "new_client_secret": ["(secret)", "(secret)"],
    }
    assert "canary" not in str([added.detail, changed.detail])


def test_what_is_edited_beside_a_row_is_in_the_trail_with_it(superuser: Http) -> None:
    resource, provider = make_resource(), make_provider("github")
    change = f"{RESOURCES}{resource.pk}/change/"
    inline = {"upstreams-0-provider": provider.pk, "upstreams-0-scopes": '["repo"]', "upstreams-0-position": "0"}
    form = MCP | {"identifier": resource.identifier, "upstreams-TOTAL_FORMS": "1", "name": "Renamed"}
    assert superuser.post(change, form | inline).status_code == 302
    detail = AuditEvent.objects.get(event="console.changed").detail
    assert detail["changes"]["name"] == [resource.name, "Renamed"]
    assert [detail["changes"][name][1] for name in detail["changes"] if name.endswith(".scopes")] == [["repo"]]


def test_the_trail_does_not_note_who_a_person_was_nor_their_password(superuser: Http) -> None:
    person = make_user()
    page = f"{ROOT}accounts/user/{person.pk}/"
    superuser.post(f"{page}change/", {"username": "canary-name", "email": "canary@example.com", "is_active": "on"})
    superuser.post(f"{page}password/", {"password1": "canary word for her", "password2": "canary word for her"})
    renamed, password = AuditEvent.objects.filter(event="console.changed").order_by("id")
    assert renamed.detail["changes"]["email"] == [None, "(personal)"]
    assert set(map(str, password.detail["changes"].values())) == {"['(secret)', '(secret)']"}
    assert "canary" not in str([renamed.detail, password.detail])


def act(http: Http, action: str, client: Client) -> None:
    http.post(CLIENTS, {"action": action, "_selected_action": [client.pk]})


def _basic(client_id: str, secret: str) -> str:
    import base64

    return base64.b64encode(f"{client_id}:{secret}".encode()).decode()
