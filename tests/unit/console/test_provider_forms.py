"""The form of a provider: the type first, then what it needs; where its secret comes from; how it does."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent
from authserver.configuration.applying import apply
from authserver.console.providers.guides import GUIDES
from tests.documentation.documents import ROOT as REPOSITORY
from tests.harness.approval import make_provider
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT
from tests.unit.console.test_editing import GITHUB, errors
from upstream import presets, providers
from upstream.models import Provider

pytestmark = pytest.mark.django_db

PROVIDERS = f"{ROOT}upstream/provider/"
OF_NO_TYPE = {"issuer", "subject_claim", "identity", "revocation_endpoint"}
"""What some types never ask for."""


def fields(answer: Any) -> set[str]:
    return set(answer.context["adminform"].form.fields)


def initial(answer: Any, name: str) -> Any:
    form = answer.context["adminform"].form
    return form.get_initial_for_field(form.fields[name], name)


def text(answer: Any) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", answer.content.decode()))


def own_page(http: Http) -> Any:
    return http.get(f"{PROVIDERS}{Provider.objects.get().pk}/change/")


# --- Types ------------------------------------------------------------------------------------------------------------


def test_there_is_a_guide_for_each_type_and_its_page_exists() -> None:
    assert set(GUIDES) == set(presets.PRESETS) == set(Provider.Type.values)
    for guide in GUIDES.values():
        assert (REPOSITORY / guide.page).exists()
        assert guide.documentation_url.startswith("https://")


def test_adding_begins_with_the_type(superuser: Http) -> None:
    for query in ("", "?type=", "?type=nonsense", "?client_id=x"):
        answer = superuser.get(f"{PROVIDERS}add/{query}")
        links = set(re.findall(r'href="\?type=(\w+)"', answer.content.decode()))
        assert links == set(GUIDES)


@pytest.mark.parametrize(
    ("kind", "needs", "lacks"),
    [
        ("github", {"authorization_endpoint", "token_endpoint", "userinfo_endpoint"}, OF_NO_TYPE),
        ("google", set(), {*OF_NO_TYPE, "token_endpoint"}),
        ("atlassian", set(), {*OF_NO_TYPE, "token_endpoint"}),
        ("entra", {"issuer"}, OF_NO_TYPE - {"issuer"}),
        ("oidc", {"issuer", "subject_claim", "revocation_endpoint"}, {"identity"}),
        ("oauth2", {"authorization_endpoint", "token_endpoint", "identity", "userinfo_endpoint"}, {"subject_claim"}),
    ],
)
def test_the_form_asks_for_what_the_type_needs_and_for_nothing_else(
    superuser: Http, kind: str, needs: set[str], lacks: set[str]
) -> None:
    answer = superuser.get(f"{PROVIDERS}add/?type={kind}")
    assert needs <= fields(answer)
    assert not lacks & fields(answer)
    assert GUIDES[kind].documentation_url in answer.content.decode()
    assert str(GUIDES[kind].found["client_id"]) in text(answer)


def test_the_form_of_a_type_has_its_defaults_in_it(superuser: Http) -> None:
    make_provider("google")
    google = superuser.get(f"{PROVIDERS}add/?type=google")
    assert (initial(google, "name"), initial(google, "scopes")) == ("google-2", ["openid", "email", "profile"])
    assert initial(google, "enabled") is False  # until it has been tried
    assert "Always asked for: read:me offline_access" in text(superuser.get(f"{PROVIDERS}add/?type=atlassian"))
    assert "Empty: https://github.com/login/oauth/authorize" in text(superuser.get(f"{PROVIDERS}add/?type=github"))
    assert initial(superuser.get(f"{PROVIDERS}add/?type=oauth2"), "identity")["subject"] == ["sub", "id"]


def test_a_link_fills_in_nothing_but_the_type(superuser: Http) -> None:
    """Or it would choose where people, and our secret, are sent."""
    answer = superuser.get(
        f"{PROVIDERS}add/?type=oidc&issuer=https://evil.example&client_id=x&token_endpoint=https://e.example"
    )
    assert "evil.example" not in str([initial(answer, name) for name in fields(answer)])
    assert initial(answer, "client_id") in (None, "")


def test_a_new_one_has_the_type_that_was_chosen_and_leads_to_its_page(superuser: Http) -> None:
    form = {name: value for name, value in GITHUB.items() if name != "type"}
    answer = superuser.post(f"{PROVIDERS}add/?type=github", form)
    provider = Provider.objects.get()
    assert (provider.type, answer["Location"]) == ("github", f"{PROVIDERS}{provider.pk}/change/")


@pytest.mark.parametrize(
    ("kind", "field", "value", "wrong"),
    [
        ("entra", "issuer", "", "the type entra needs it"),
        ("oidc", "issuer", "", "the type oidc needs it"),
        ("oauth2", "token_endpoint", "", "the type oauth2 needs it"),
        ("oauth2", "identity", '{"subject": 1}', "is not a list"),
    ],
)
def test_what_a_type_needs_is_asked_for(superuser: Http, kind: str, field: str, value: str, wrong: str) -> None:
    whole = {
        "issuer": "https://idp.example",
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "identity": '{"subject": ["id"]}',
    }
    form = {**GITHUB, **whole, "type": "", field: value}
    assert wrong in errors(superuser.post(f"{PROVIDERS}add/?type={kind}", form))
    assert not Provider.objects.exists()


def test_a_hosted_variant_keeps_its_addresses(superuser: Http) -> None:
    own = {
        "authorization_endpoint": "https://ghe.example.com/login/oauth/authorize",
        "token_endpoint": "https://ghe.example.com/login/oauth/access_token",
        "userinfo_endpoint": "https://ghe.example.com/api/v3/user",
    }
    superuser.post(f"{PROVIDERS}add/?type=github", GITHUB | own)
    assert Provider.objects.values(*own).get() == own


def test_what_is_set_is_shown_even_where_its_type_never_asks_and_what_is_not_shown_stays(superuser: Http) -> None:
    """The file may override anything."""
    superuser.post(f"{PROVIDERS}add/", GITHUB | {"type": "google"})
    Provider.objects.update(revocation_endpoint="https://proxy.example/revoke", display_name="Ours")
    answer = own_page(superuser)
    assert "revocation_endpoint" in fields(answer)
    assert "token_endpoint" not in fields(answer)
    form = GITHUB | {
        "display_name": "Ours",
        "revocation_endpoint": "https://proxy.example/revoke",
        "new_client_secret": "",
    }
    assert (
        superuser.post(f"{PROVIDERS}{Provider.objects.get().pk}/change/", form | {"type": "github"}).status_code == 302
    )
    provider = Provider.objects.get()
    assert (provider.type, provider.revocation_endpoint) == ("google", "https://proxy.example/revoke")


def test_a_viewer_is_not_asked_for_a_secret(staff: Operator) -> None:
    provider = make_provider("github")
    answer = staff("upstream.view_provider").get(f"{PROVIDERS}{provider.pk}/change/")
    assert answer.status_code == 200
    assert "Client secret:" in text(answer)
    assert "New client secret" not in text(answer)


# --- The secret -------------------------------------------------------------------------------------------------------

FILE = """
upstreams:
  - {{name: github, type: github, client_id: Iv1.abc, client_secret: {secret}}}
"""


def applied(directory: Path, secret: str) -> None:
    file = directory / "config.yaml"
    file.write_text(FILE.format(secret=secret))
    apply(file)


def test_a_typed_secret_says_since_when_and_under_which_key(superuser: Http) -> None:
    superuser.post(f"{PROVIDERS}add/", GITHUB)
    said = text(own_page(superuser))
    assert re.search(r"Typed into the console\. Here since .+ UTC, sealed with the vault key \w+\.", said)
    assert "If the configuration file has an entry of this name" in said


def test_a_reference_of_the_file_is_shown_as_one_and_the_next_apply_is_spoken_of(
    superuser: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_CLIENT_SECRET", "secret-canary")
    applied(tmp_path, "{env: GITHUB_CLIENT_SECRET}")
    said = text(own_page(superuser))
    assert "From the configuration file's reference {env: GITHUB_CLIENT_SECRET}." in said
    assert "This provider stands in the configuration file." in said
    assert "canary" not in said
    (tmp_path / "github").write_text("another-canary")
    applied(tmp_path, "{file: github}")
    assert "{file: github}" in text(own_page(superuser))
    assert "{file: github}" in text(superuser.get(PROVIDERS))
    applied(tmp_path, "{value: written-out-canary}")
    said = text(own_page(superuser))
    assert "where it is written out" in said
    assert "canary" not in said


def test_what_is_said_of_the_next_apply_is_what_it_does(
    superuser: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_CLIENT_SECRET", "of-the-file")
    applied(tmp_path, "{env: GITHUB_CLIENT_SECRET}")
    form = GITHUB | {"enabled": "", "client_id": "Iv1.other"}
    assert superuser.post(f"{PROVIDERS}{Provider.objects.get().pk}/change/", form).status_code == 302
    changed = Provider.objects.get()
    assert (changed.client_secret_source, providers.client_secret(changed)) == ("console", "upstream-secret-canary")
    applied(tmp_path, "{env: GITHUB_CLIENT_SECRET}")
    row = Provider.objects.get()
    assert (row.client_id, row.enabled, providers.client_secret(row)) == ("Iv1.abc", False, "of-the-file")
    assert row.client_secret_set_at is not None
    assert changed.client_secret_set_at is not None
    assert row.client_secret_set_at > changed.client_secret_set_at


def test_a_public_client_has_no_secret(superuser: Http) -> None:
    superuser.post(f"{PROVIDERS}add/", GITHUB | {"token_endpoint_auth_method": "none", "new_client_secret": ""})
    assert "None: it is a public client there." in text(own_page(superuser))


def test_a_secret_under_a_key_that_is_gone_is_named(superuser: Http) -> None:
    make_provider("github", client_secret_sealed="A1.lost.x", client_secret_source="console")
    assert "sealed with a vault key that is not configured" in text(own_page(superuser))


# --- Health -----------------------------------------------------------------------------------------------------------


def failed(upstream: str, reason: str, *, minutes_ago: int = 1) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    AuditEvent.objects.create(at=at, event="upstream.sign_in", outcome="failed", reason=reason, upstream=upstream)


def test_its_page_and_the_list_say_how_it_does(superuser: Http) -> None:
    make_provider("github")
    assert "quiet for a day" in text(own_page(superuser))
    failed("github", "token_exchange_http_401")
    for said in (text(own_page(superuser)), text(superuser.get(PROVIDERS))):
        assert "failing" in said
        assert "It refuses our client ID or our secret." in said
    AuditEvent.objects.create(at=timezone.now(), event="upstream.sign_in", outcome="ok", upstream="github")
    for said in (text(own_page(superuser)), text(superuser.get(PROVIDERS))):
        assert "in order" in said


def test_who_may_not_read_the_trail_is_not_told_of_health(staff: Operator) -> None:
    make_provider("github")
    failed("github", "timeout")
    http = staff("upstream.view_provider")
    for answer in (http.get(PROVIDERS), own_page(http)):
        assert answer.status_code == 200
        assert "It did not answer in time." not in text(answer)


@pytest.mark.postgres
def test_the_list_asks_as_little_for_fifty_as_for_one(superuser: Http) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert superuser.get(PROVIDERS).status_code == 200
        return len(captured)

    make_provider("github")
    failed("github", "timeout")
    before = statements()
    for number in range(49):
        make_provider(f"idp-{number}")
        failed(f"idp-{number}", "timeout")
    assert statements() == before <= 8


@pytest.mark.postgres
def test_its_page_asks_as_little_after_a_busy_day(superuser: Http) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert own_page(superuser).status_code == 200
        return len(captured)

    make_provider("github")
    failed("github", "timeout")
    own_page(superuser)  # what a process looks up once
    before = statements()
    for number in range(100):
        failed("github", "timeout", minutes_ago=number)
    assert statements() == before <= 8
