"""Whatever is wrong with a file is said with its line, its key and a remedy, and nothing of the file is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authserver.configuration.applying import apply
from authserver.configuration.problems import Refused
from authserver.configuration.tree import MAX_BYTES
from authserver.models import Client, Resource
from tests.unit.configuration.conftest import WHOLE
from upstream.models import Provider

pytestmark = pytest.mark.django_db

OIDC = """
    upstreams:
      - name: idp
        type: oidc
        client_id: us
        client_secret: {value: s}
        issuer: https://idp.example.com
"""
RESOURCE = """
    resources:
      - identifier: https://mcp.example.com/mcp
        name: MCP
        scopes: [mcp]
"""
SERVER = """
      - client_id: rs
        client_secret: {env: EXAMPLE_MCP_SECRET}
        resources: [https://mcp.example.com/mcp]
"""

CONSOLE = (
    OIDC
    + """
    console:
      sign_in:
        upstream: idp
        groups_claim: groups
        roles: {operator: [on-call], viewer: [everybody]}
"""
)

# What stands in the file; the line, the key and the words of the message.
WRONG = {
    "a misspelt section": ("upstream: []", 1, "upstream: is not a key here", "did you mean 'upstreams'?"),
    "a misspelt key": (OIDC + "        scope: [a]", 7, "scope: is not a key here", "did you mean 'scopes'?"),
    "a key twice": (OIDC + "        type: oidc", 7, "stands here a second time (first in line 3)", "keep one"),
    "not a mapping": ("- a", 1, "is not a mapping", "start with a section"),
    "broken YAML": ("upstreams: [\n", 2, "is not YAML here", "check indentation and quotes"),
    "a tab": ("upstreams:\n\t- a", 2, "is not YAML here", "check indentation"),
    "a Python object": (
        "clients: !!python/object/apply:os.system [ls]",
        1,
        "clients: has the tag",
        "write the plain value",
    ),
    "a tagged value": ("registration: {mode: !!binary aGk=}", 1, "mode: has the tag", "write the plain value"),
    "a section that is a word": ("upstreams: github", 1, "upstreams: is not a list", "start each entry with"),
    "an entry that is a word": ("upstreams: [github]", 1, "upstreams[0]: is not a mapping", "key: value"),
    "an unknown type": (OIDC.replace("oidc", "oidcc"), 3, "'oidcc' is not known", "did you mean 'oidc'?"),
    "a bad name": (OIDC.replace("idp\n", "My_IdP\n", 1), 2, "name: is not a name for an upstream", "lower-case"),
    "a name too long": (OIDC.replace("idp\n", f"{'a' * 33}\n", 1), 2, "longer than 32", "shorten it"),
    "a number for a text": (OIDC.replace("us\n", "12\n"), 4, "client_id: is not a text", "put it in quotes"),
    "control characters": (OIDC.replace("us\n", '"u\\0s"\n'), 4, "holds a control character", "remove it"),
    "half a character": (OIDC.replace("us\n", '"u\\ud800"\n'), 4, "holds a control character", "remove it"),
    "a text for a flag": (OIDC + "        sign_in: 'yes'", 7, "is not true or false", "without quotes"),
    "a text for a list": (OIDC + "        scopes: openid email", 7, "is not a list", "[a, b]"),
    "two scopes in one": (OIDC + "        scopes: [openid email]", 7, "scopes[0]: is not one scope", "one list item"),
    "a scope twice": (OIDC + "        scopes: [a, a]", 7, "'a' stands there twice", "keep one"),
    "oidc without issuer": (OIDC.replace("issuer", "display_name"), 2, "issuer: is missing", "add `issuer: https://…`"),
    "a discovery document": (
        OIDC.replace("example.com", "example.com/.well-known/openid-configuration"),
        6,
        "issuer: is the discovery document",
        "write https://idp.example.com",
    ),
    "http upstream": (OIDC.replace("https:", "http:"), 6, "issuer: is not https", "allow_private_network"),
    "a private address": (OIDC.replace("idp.example.com", "10.0.0.1"), 6, "an address we do not call", "public one"),
    "a user name in a URL": (OIDC.replace("//idp", "//me@idp"), 6, "has a user name in it", "remove it"),
    "oauth2 without endpoints": (
        OIDC.replace("type: oidc", "type: oauth2"),
        2,
        "token_endpoint: is missing: the type oauth2 needs it",
        "add `token_endpoint: https://…`",
    ),
    "oauth2 without subject": (
        OIDC.replace("type: oidc", "type: oauth2") + "        identity: {name: [login]}",
        7,
        "identity.subject: is missing",
        "add `subject: [id]`",
    ),
    "an unknown identity": (
        OIDC + "        identity: {subjects: [id]}",
        7,
        "identity.subjects: is not a key",
        "'subject'",
    ),
    "our own parameter": (OIDC + "        authorization_params: {state: x}", 7, "state: is set by us", "remove it"),
    "another redirect URI": (
        OIDC + "        authorization_params: {redirect_uri: https://evil.example/cb}",
        7,
        "redirect_uri: is set by us",
        "remove it",
    ),
    "a domain with @": (OIDC + "        allow: {email_domains: ['@a.com']}", 7, "is not a domain", "without `@`"),
    "an unknown rule": (
        OIDC + "        allow: {domains: [a.com]}",
        7,
        "allow.domains: is not a key",
        "'email_domains'",
    ),
    "an empty claim": (OIDC + "        allow: {claims: {hd: []}}", 7, "claims.hd: is not a value", "`hd: [value]`"),
    "a nested claim": (OIDC + "        allow: {claims: {hd: [[a]]}}", 7, "claims.hd: is not a value", "`hd: [value]`"),
    "a bad API resource": (
        OIDC + "        api_resources: [api]",
        7,
        "api_resources[0]: is not an absolute URL",
        "https",
    ),
    "no secret": (
        OIDC.replace("client_secret: {value: s}", ""),
        2,
        "client_secret: is missing",
        "add `client_secret:`",
    ),
    "a bare secret": (OIDC.replace("{value: s}", "hunter2"), 5, "does not say where the secret is", "{env: NAME}"),
    "two secrets": (OIDC.replace("{value: s}", "{value: s, env: A}"), 5, "does not say where", "{env: NAME}"),
    "a secret not set": (OIDC.replace("{value: s}", "{env: NOT_SET}"), 5, "NOT_SET is not set", "NOT_SET_FILE"),
    "a secret file not there": (OIDC.replace("{value: s}", "{file: nope}"), 5, "nope cannot be read", "check the path"),
    "a secret for nobody": (
        OIDC + "        token_endpoint_auth_method: none",
        5,
        "is given, and",
        "remove one of them",
    ),
    "an upstream twice": (OIDC + OIDC.replace("upstreams:", ""), 9, "'idp' stands there twice", "rename one"),
    "http resource": (RESOURCE.replace("https", "http"), 2, "is plain http", "absolute https URL"),
    "a relative resource": (RESOURCE.replace("https://", ""), 2, "is not an absolute https URL", "write an absolute"),
    "a fragment": (RESOURCE.replace("/mcp\n", "/mcp#a\n"), 2, "has a fragment", "without fragment"),
    "a resource twice": (
        RESOURCE + "      - {identifier: 'HTTPS://MCP.example.com:443/mcp', name: Again}",
        5,
        "'https://mcp.example.com/mcp' stands there twice",
        "rename one",
    ),
    "a second default": (
        RESOURCE + "        default: true\n      - {identifier: 'https://b.example', name: B, default: true}",
        6,
        "default: is a second default (first in line 2)",
        "keep one",
    ),
    "a reserved scope": (RESOURCE.replace("[mcp]", "[openid]"), 4, "names 'openid'", "remove it"),
    "an unknown default scope": (RESOURCE + "        default_scopes: [x]", 5, "not among `scopes`", "add it there"),
    "a short lifetime": (RESOURCE + "        access_token_lifetime: 59s", 5, "is out of bounds", "from 1m to 1d"),
    "a long lifetime": (RESOURCE + "        access_token_lifetime: 25h", 5, "is out of bounds", "from 1m to 1d"),
    "no duration": (RESOURCE + "        access_token_lifetime: 1 hour", 5, "is not a duration", "`1h`"),
    "an unknown claim": (RESOURCE + "        claims: [phone]", 5, "'phone' is not a claim we send", "email, name"),
    "an unknown upstream": (
        RESOURCE + "        upstreams: [{name: gitub}]" + OIDC.replace("idp\n", "github\n", 1),
        5,
        "upstreams[0].name: 'gitub' is not an upstream",
        "did you mean 'github'?",
    ),
    "an upstream needed twice": (
        RESOURCE + "        upstreams: [{name: idp}, {name: idp}]" + OIDC,
        5,
        "'idp' stands there twice",
        "all its scopes",
    ),
    "an unknown resource": (
        "resource_servers:" + SERVER,
        2,
        "'https://mcp.example.com/mcp' is not a resource",
        "add it to `resources`",
    ),
    "a weak secret": (
        "resource_servers:" + SERVER.replace("env: EXAMPLE_MCP_SECRET", "value: " + "secret" * 8),
        3,
        "client_secret: is easy to guess",
        "openssl rand",
    ),
    "a short secret": (
        "resource_servers:" + SERVER.replace("env: EXAMPLE_MCP_SECRET", "value: k3J9x"),
        3,
        "client_secret: is shorter than 32 characters",
        "openssl rand",
    ),
    "a server of nothing": (
        "resource_servers:" + SERVER.replace("[https://mcp.example.com/mcp]", "[]"),
        4,
        "resources: is empty",
        "name at least one",
    ),
    "one id for two": (
        RESOURCE
        + "    resource_servers:"
        + SERVER
        + "    clients: [{client_id: rs, name: A, redirect_uris: ['https://a.example']}]",
        9,
        "'rs' stands there twice",
        "rename one",
    ),
    "an id that is a URL": (
        "clients: [{client_id: 'https://a.example/c', name: A, redirect_uris: ['https://a.example']}]",
        1,
        "client_id: is not a client id",
        "use letters",
    ),
    "a bad redirect URI": (
        "clients: [{client_id: a, name: A, redirect_uris: ['http://a.example/cb']}]",
        1,
        "redirect_uris[0]: cannot be a redirect URI",
        "write one that can",
    ),
    "no redirect URI": ("clients: [{client_id: a, name: A}]", 1, "redirect_uris: is missing", "add `redirect_uris:`"),
    "a short life of a signing key": (
        "lifetimes: {signing_key: 23h}",
        1,
        "signing_key: is out of bounds",
        "from 1d to",
    ),
    "a long code": ("lifetimes: {code: 11m}", 1, "lifetimes.code: is out of bounds", "from 10s to 10m"),
    "a long replay": ("lifetimes: {refresh_replay: 11m}", 1, "refresh_replay: is out of bounds", "to 10m"),
    "idle beyond absolute": (
        "lifetimes: {refresh_idle: 91d}",
        1,
        "longer than refresh_absolute (90d)",
        "make it shorter",
    ),
    "true for a duration": ("lifetimes: {code: true}", 1, "code: is not a duration", "`90s`"),
    "an unknown mode": ("registration: {mode: opn}", 1, "mode: 'opn' is not known", "did you mean 'open'?"),
    "a URL for a host": (
        "registration: {cimd: {allowed_hosts: ['https://a.example']}}",
        1,
        "allowed_hosts[0]: is not a host",
        "write `example.com`",
    ),
    "a console without an upstream": (
        CONSOLE.replace("upstream: idp", ""),
        11,
        "console.sign_in.upstream: is missing",
        "add `upstream:`",
    ),
    "a console with an unknown upstream": (
        CONSOLE.replace("upstream: idp", "upstream: idq"),
        10,
        "console.sign_in.upstream: 'idq' is not an upstream",
        "did you mean 'idp'?",
    ),
    "no claim of groups": (CONSOLE.replace("groups_claim: groups", ""), 10, "groups_claim: is missing", "add"),
    "an unknown role": (
        CONSOLE.replace("viewer", "superuser"),
        12,
        "roles.superuser: is not a key here",
        "choose from",
    ),
    "a role with a space": (
        CONSOLE.replace("viewer", "security administrator"),
        12,
        "is not a key here",
        "did you mean 'security_administrator'?",
    ),
    "a group that is no list": (CONSOLE.replace("[on-call]", "on-call"), 12, "operator: is not a list", "[a, b]"),
    "a group of two roles": (
        CONSOLE.replace("everybody", "on-call"),
        12,
        "roles.operator: 'on-call' is named for viewer as well",
        "keep the higher role",
    ),
    "no group at all": (
        CONSOLE.replace("{operator: [on-call], viewer: [everybody]}", "{viewer: []}"),
        12,
        "roles: names no group",
        "write `roles: {operator: [a-group]}`",
    ),
    "a second factor in a word": (CONSOLE + "        second_factor: upstream", 13, "is not a mapping", "key: value"),
    "a second factor that nothing says": (
        CONSOLE + "        second_factor: {amr: []}",
        13,
        "second_factor: names no value of `amr` or `acr`",
        "the console asks for its own",
    ),
    "a second factor by another claim": (
        CONSOLE + "        second_factor: {mfa: [yes]}",
        13,
        "second_factor.mfa: is not a key here",
        "choose from: acr, amr",
    ),
    "a second factor of no OpenID Connect": (
        CONSOLE.replace("type: oidc", "type: github").replace("issuer: https", "display_name: https")
        + "        second_factor: {amr: [mfa]}",
        10,
        "is what 'idp' cannot say: it is not OpenID Connect",
        "the console asks for its own",
    ),
    "another way into the console": (
        "console: {signin: {}}",
        1,
        "signin: is not a key here",
        "did you mean 'sign_in'?",
    ),
    "an unknown variable": (OIDC.replace("us\n", "${HOME}\n"), 4, "${HOME} is not a variable", "AUTHSERVER_ISSUER"),
}

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 10)) for name in b"bcdefgh"
)


def refused(file: Path, **options: Any) -> list[str]:
    with pytest.raises(Refused) as refusal:
        apply(file, **options)
    return refusal.value.lines


@pytest.mark.parametrize("name", WRONG)
def test_each_error_names_its_line_the_key_what_is_wrong_and_the_remedy(name: str, write: Any) -> None:
    text, line, wrong, remedy = WRONG[name]
    lines = refused(write(text))
    assert [
        found for found in lines if found.startswith(f"config.yaml:{line}: ") and wrong in found and remedy in found
    ], lines


def test_all_errors_are_told_at_once_in_the_order_of_the_file(write: Any) -> None:
    lines = refused(
        write(OIDC.replace("oidc", "odic") + RESOURCE.replace("https", "ftp") + "    lifetimes: {code: 1d}")
    )
    assert [line.split(":")[1] for line in lines] == ["3", "9", "12"]


def test_nothing_is_applied_where_anything_is_wrong(write: Any) -> None:
    refused(write(OIDC + RESOURCE + "    lifetimes: {code: 1d}"))
    assert not Provider.objects.exists()
    assert not Resource.objects.exists()


def test_a_refusal_shows_no_secret(write: Any) -> None:
    text = OIDC.replace("{value: s}", "{value: canary-in-the-file}").replace("oidc", "odic")
    assert "canary" not in "\n".join(refused(write(text)))


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == [
        "none.yaml: cannot be read (No such file or directory); check the path and its permissions"
    ]


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"a: \x07", "holds characters that YAML does not allow"),
        (b"#" * (MAX_BYTES + 1), "is larger than 1 MiB"),
        (b"[" * 200_000, "is nested deeper than 16 levels"),
        (b"a: [" + b"1, " * 30_000 + b"1]", "holds more than 20000 values"),
        (b"a: &a [*a]", "is nested deeper than 16 levels"),
        (BOMB, "holds more than 20000 values"),
    ],
)
def test_a_file_made_to_exhaust_us_is_refused_before_it_does(content: bytes, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    assert wrong in refused(file)[0]


def test_a_static_client_does_not_take_over_one_that_registered_itself(write: Any) -> None:
    Client.objects.create(client_id="dcr", registration_source="dcr", authorization_grant_type="authorization-code")
    lines = refused(write("clients: [{client_id: dcr, name: Mine, redirect_uris: ['https://a.example']}]"))
    assert "belongs to a client that registered itself" in lines[0]
    assert Client.objects.get().name == ""


def test_an_upstream_that_would_be_pruned_is_no_reference(write: Any) -> None:
    apply(write(OIDC))
    text = RESOURCE + "        upstreams: [{name: idp}]"
    assert "'idp' is not an upstream" in refused(write(text), prune=True)[0]
    apply(write(text))


def test_the_whole_file_of_the_interface_is_accepted(write: Any) -> None:
    assert apply(write(WHOLE)).changes
