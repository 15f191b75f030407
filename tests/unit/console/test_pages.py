"""What the pages show, and what they cannot be asked: no secret, no hash, no oracle, no inline code, no full count."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, Credential, TokenSession, User
from tests.harness.approval import make_client, make_user
from tests.unit.console.conftest import CANARY, Everything
from tests.unit.console.crawl import ROOT, model_urls, site_urls
from upstream.models import Visit

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
INLINE = re.compile(
    r"<style|\sstyle=|<script(?![^>]*\ssrc=)(?![^>]*type=\"application/json\")|\son[a-z]+=|javascript:", re.IGNORECASE
)


def listed(model: type[Model]) -> str:
    return f"{ROOT}{model._meta.app_label}/{model._meta.model_name}/"


def test_no_page_shows_a_secret_a_token_or_a_hash(everything: Everything, superuser: Http) -> None:
    seen = 0
    for url in model_urls(everything) + site_urls(everything):
        answer = superuser.get(url, follow=True)
        assert CANARY not in answer.content.decode(), url
        assert answer.status_code in {200, 403, 404, 405}, (url, answer.status_code)
        seen += answer.status_code == 200
    assert seen > len(MODELS)


def test_a_visit_is_not_named_by_its_hash(everything: Everything, superuser: Http) -> None:
    assert everything.of(Visit).pk not in superuser.get(listed(Visit)).content.decode()


def test_no_page_has_inline_code_or_style(everything: Everything, superuser: Http) -> None:
    for url in model_urls(everything) + site_urls(everything):
        answer = superuser.get(url, follow=True)
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert not INLINE.search(answer.content.decode()), (url, INLINE.search(answer.content.decode()))


def test_a_list_can_be_filtered_by_its_filters_and_by_nothing_else(everything: Everything, superuser: Http) -> None:
    for model in MODELS:
        listed_filters = admin.site._registry[model].list_filter
        filters = [name for name in listed_filters if isinstance(name, str)]
        ours = [getattr(item, "parameter_name", None) for item in listed_filters]
        ours += getattr(admin.site._registry[model], "asked", ())
        for field in model._meta.get_fields():
            for ending in ("", "__startswith", "__exact", "__isnull"):
                allowed = field.name in filters and ending in {"", "__exact", "__isnull"}
                allowed = allowed or (field.name in ours and not ending)
                answer = superuser.get(listed(model), {field.name + ending: "1"})
                assert (answer.status_code == 400) != allowed, (model, field.name, ending)


@pytest.mark.parametrize(
    "query",
    [
        "accounts/tokensession/?user__password__startswith=s",
        "accounts/credential/?sealed_tokens__startswith=c",
        "accounts/link/?credential__sealed_tokens__regex=c",
        "accounts/user/?password__startswith=scrypt",
        "accounts/user/?is_staff__password__startswith=s",
        "auth/group/?user__password__startswith=s",
        "authserver/grant/?application__client_secret__startswith=r",
        "authserver/refreshtoken/?token_checksum__gt=a",
        "authserver/consent/?client__registration_token_hash__regex=.",
        "authserver/resource/?resource_servers__client_secret__startswith=r",
        "authserver/client/?app=%00",
        "authserver/client/?_to_field=client_secret",
        "accounts/user/?_to_field=password&_popup=1",
        "upstream/visit/?provider__client_secret_sealed__startswith=c",
        "social_django/usersocialauth/?extra_data__contains=c",
    ],
)
def test_secrets_cannot_be_guessed_through_filters(query: str, everything: Everything, superuser: Http) -> None:
    assert superuser.get(ROOT + query).status_code == 400


@pytest.mark.parametrize("term", [CANARY, "'\"\\%_", "\x00", "\ud7ff" * 300, "999999999999999999999999"])
def test_a_search_looks_at_no_secret_and_breaks_on_nothing(term: str, everything: Everything, superuser: Http) -> None:
    for model in MODELS:
        answer = superuser.get(listed(model), {"q": term})
        assert answer.status_code == 200
        if admin.site._registry[model].get_search_fields(answer.wsgi_request) and "\x00" not in term:
            assert list(answer.context["cl"].result_list) == [], model


@pytest.mark.parametrize("found_by", ["tsid", "client_id", "user__id", "user__username", "user__email"])
def test_a_session_is_found_by_what_an_operator_knows(found_by: str, everything: Everything, superuser: Http) -> None:
    session = everything.of(TokenSession)
    User.objects.filter(pk=session.user_id).update(email="ada@example.com")
    value: Any = TokenSession.objects.values_list(found_by, flat=True).get()
    answer = superuser.get(listed(TokenSession), {"q": str(value)})
    assert [row.pk for row in answer.context["cl"].result_list] == [session.pk]


def test_closed_sessions_are_listed_on_request(everything: Everything, superuser: Http) -> None:
    TokenSession.objects.update(closed_at=timezone.now())
    assert not superuser.get(listed(TokenSession)).context["cl"].result_list
    assert superuser.get(listed(TokenSession), {"state": "all"}).context["cl"].result_list


def test_lists_count_and_read_no_more_than_they_show(everything: Everything, superuser: Http) -> None:
    """The same few statements for one row and for many, and every COUNT has a LIMIT."""
    before = {model: statements(superuser, model) for model in MODELS}
    clients, user, now = [make_client() for _ in range(60)], make_user(), timezone.now()
    TokenSession.objects.bulk_create(
        TokenSession(
            tsid=f"{client.client_id}", user=user, client_id=client.client_id, resource="https://mcp.example.com/mcp",
            created_at=now, last_used_at=now, idle_expires_at=now + timedelta(1), expires_at=now + timedelta(1),
        )
        for client in clients
    )  # fmt: skip
    Credential.objects.bulk_create(
        Credential(
            user=make_user(), provider="github", subject="1", sealed_tokens="x", created_at=now, signed_in_at=now
        )
        for _ in range(60)
    )
    AuditEvent.objects.bulk_create(AuditEvent(at=now, event="tests.many", outcome="ok") for _ in range(60))
    for model in MODELS:
        many = statements(superuser, model)
        assert len(many) == len(before[model]) <= 9, (model, many)
        assert all("LIMIT" in statement for statement in many if "COUNT(" in statement), (model, many)


def test_nobody_can_ask_for_a_count_beside_each_filter(everything: Everything, superuser: Http) -> None:
    for model in MODELS:
        counting = [each for each in statements(superuser, model, {"_facets": "True"}) if "COUNT(" in each]
        assert all("LIMIT" in statement for statement in counting), (model, counting)


def statements(http: Http, model: type[Model], query: dict[str, str] | None = None) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert http.get(listed(model), query).status_code in {200, 302}
    return [query["sql"] for query in captured]
