"""The buttons at the signing keys: a turn's next step, and a revocation that is asked first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.utils import quote
from django.test import Client as Http
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEvent
from authserver import conf, keys
from authserver.models import SigningKey
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT

pytestmark = pytest.mark.django_db
LIST = f"{ROOT}authserver/signingkey/"
ROTATE = f"{LIST}rotate/"
VIEW, CHANGE = "authserver.view_signingkey", "authserver.change_signingkey"
Phase = SigningKey.Phase


@pytest.fixture
def kid() -> str:
    """The active key's."""
    keys.signer().ping()
    return SigningKey.objects.get().kid


def page(kid: str, what: str = "revoke") -> str:
    return f"{LIST}{quote(kid)}/{what}/"


def test_the_rotate_button_publishes_and_later_lets_it_take_over(kid: str, staff: Operator) -> None:
    http = staff(VIEW, CHANGE)
    assert ROTATE in http.get(LIST).content.decode()
    assert "A new key is published now" in http.get(ROTATE).content.decode()
    assert not SigningKey.objects.filter(phase=Phase.NEXT).exists(), "asked first"
    assert "is published. It takes over in 6 hours" in http.post(ROTATE, follow=True).content.decode()
    following = SigningKey.objects.get(phase=Phase.NEXT)
    assert f"{following.kid} is published, and takes over from" in http.get(ROTATE).content.decode()
    assert "its time has not come yet" in http.post(ROTATE, follow=True).content.decode()
    SigningKey.objects.filter(pk=following.pk).update(created_at=timezone.now() - timedelta(hours=6))
    assert f"{following.kid} takes over now" in http.get(ROTATE).content.decode()
    assert f"The key {following.kid} signs from now on." in http.post(ROTATE, follow=True).content.decode()
    assert SigningKey.objects.get(kid=kid).phase == Phase.RETIRED
    assert AuditEvent.objects.get(event="signing_key.activated").actor.startswith("staff-")


def test_a_key_is_revoked_with_a_reason_after_being_asked(kid: str, superuser: Http) -> None:
    assert page(kid) in superuser.get(page(kid, "change")).content.decode()
    assert "every token that this key signed is refused" in superuser.get(page(kid)).content.decode()
    superuser.post(page(kid), {"reason": "  "})
    assert SigningKey.objects.filter(kid=kid).exists()
    said = superuser.post(page(kid), {"reason": "found on a train"}, follow=True).content.decode()
    signing = SigningKey.objects.get()
    assert f"Revoked {kid}. {signing.kid} signs from now on." in said
    told = AuditEvent.objects.get(event="signing_key.revoked")
    assert (told.actor, told.reason, told.address, told.detail) == (
        "root", "found on a train", "127.0.0.1", {"kid": kid},
    )  # fmt: skip
    assert superuser.post(page(kid), {"reason": "again"}).status_code == 404


def test_seeing_keys_is_not_turning_them(kid: str, staff: Operator) -> None:
    http = staff(VIEW)
    assert ROTATE not in http.get(LIST).content.decode()
    assert page(kid) not in http.get(page(kid, "change")).content.decode()
    for url in (ROTATE, page(kid), page("nobody")):
        for answer in (http.get(url), http.post(url, {"reason": "x"})):
            assert answer.status_code == 403, url
    assert SigningKey.objects.get().kid == kid


def test_keys_that_are_elsewhere_have_no_buttons(kid: str, superuser: Http, settings: Settings) -> None:
    settings.AUTHSERVER = {**settings.AUTHSERVER, "signing_backend": "authserver.keys.ephemeral.EphemeralSigner"}
    conf.load.cache_clear()
    keys.signer.cache_clear()
    try:
        assert ROTATE not in superuser.get(LIST).content.decode()
        for url, form in ((ROTATE, {}), (page(kid), {"reason": "x"})):
            assert "Restart the process" in superuser.post(url, form, follow=True).content.decode()
        assert SigningKey.objects.get().kid == kid
    finally:
        conf.load.cache_clear()
        keys.signer.cache_clear()
