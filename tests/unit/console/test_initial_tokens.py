"""Initial access tokens in the console: shown on the page that made one and nowhere after, and ended there."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent
from authserver.models import InitialAccessToken
from tests.harness.policies import in_force
from tests.harness.registration import REDIRECT_URI, send
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT

pytestmark = pytest.mark.django_db

LIST = f"{ROOT}authserver/initialaccesstoken/"


def form(**changed: str) -> dict[str, str]:
    end = timezone.localtime(timezone.now() + timedelta(days=30))
    good = {"label": "pipeline", "max_uses": "3", "expires_at": f"{end:%Y-%m-%dT%H:%M}"}
    return {**good, **changed}


def test_it_is_shown_once_and_lets_clients_register(superuser: Http) -> None:
    page = superuser.post(f"{LIST}add/", form())
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    found = re.search(r"iat_[A-Za-z0-9_-]{43}", page.content.decode())
    assert found
    row = InitialAccessToken.objects.get()
    assert (row.label, row.max_uses, row.uses) == ("pipeline", 3, 0)
    for address in (LIST, f"{LIST}{row.pk}/change/", f"{LIST}{row.pk}/history/"):
        again = superuser.get(address)
        assert again.status_code == 200
        assert found[0] not in again.content.decode()
        assert row.token_hash not in again.content.decode()
    assert found[0] not in str(list(AuditEvent.objects.values()))
    with in_force(mode="token"):
        body = {"redirect_uris": [REDIRECT_URI]}
        assert send(body, HTTP_AUTHORIZATION=f"Bearer {found[0]}").status_code == 201


@pytest.mark.parametrize(
    "changed",
    [{"label": ""}, {"max_uses": "0"}, {"max_uses": "10001"}, {"expires_at": "2020-01-01T12:00"},
     {"expires_at": "2099-01-01T12:00"}, {"expires_at": "soon"}],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_on_the_form(superuser: Http, changed: dict[str, str]) -> None:
    page = superuser.post(f"{LIST}add/", form(**changed))
    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    assert not InitialAccessToken.objects.exists()


def test_a_revoked_one_lets_nobody_in(superuser: Http) -> None:
    page = superuser.post(f"{LIST}add/", form())
    found = re.search(r"iat_[A-Za-z0-9_-]{43}", page.content.decode())
    assert found
    chosen = {"action": "revoke", "_selected_action": str(InitialAccessToken.objects.get().pk)}
    for said in ("Revoked 1 token.", "Revoked 0 tokens."):
        assert said in superuser.post(LIST, chosen, follow=True).content.decode()
    assert AuditEvent.objects.filter(event="registration.token_revoked", actor="root").count() == 1
    with in_force(mode="token"):
        body = {"redirect_uris": [REDIRECT_URI]}
        assert send(body, HTTP_AUTHORIZATION=f"Bearer {found[0]}").status_code == 401


def test_only_who_may_add_and_change_them_does(superuser: Http, staff: Operator) -> None:
    superuser.post(f"{LIST}add/", form())
    row = InitialAccessToken.objects.get()
    looking = staff("authserver.view_initialaccesstoken")
    assert looking.get(LIST).status_code == 200
    assert looking.post(f"{LIST}add/", form()).status_code == 403
    looking.post(LIST, {"action": "revoke", "_selected_action": str(row.pk)})
    row.refresh_from_db()
    assert row.revoked_at is None
    assert staff().get(LIST).status_code == 403
