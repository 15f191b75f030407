"""Everything that makes us call somebody, each pointed at a target and driven as its users would.

Each answers how the feature says that it did not work: the reason, as far as whoever may see it sees it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest

from accounts.models import AuditEvent, Revocation
from authserver import client_key_sets
from tests.harness.approval import approve, make_client, make_provider, make_resource, post
from tests.harness.assertions import assertion, proof
from tests.unit.authorize.conftest import Door
from tests.unit.outbound.servers import Idp
from tests.unit.upstream.ended import ended
from tests.unit.upstream.held import START, Clock, Held
from tests.unit.upstream.journeys import Person, provider_at
from upstream.errors import TemporarilyUnavailable
from upstream.models import Provider, Visit
from upstream.revoke import work_queue

Feature = Callable[[Idp, str], str]


def on_the_public_internet(provider: Provider) -> Provider:
    provider.allow_private_network = False
    provider.save()
    return provider


def discovery(idp: Idp, target: str) -> str:
    """The page that a person gets who wants to sign in; its technical details have the word for operators."""
    provider = make_provider("fake", type=Provider.Type.OIDC, issuer=target)
    door = Door(make_client(), make_resource(default=True), provider)
    page = door.answer(door.ask())
    assert page.status_code == 502
    text = page.content.decode()
    assert "Signing in with Fake did not work" in text
    assert "Try again" in text
    found = re.search(r"<dt>What failed</dt><dd><code><bdi[^>]*>([^<]+)<", text)
    assert found, text
    return unescape(found[1])


def keys(idp: Idp, target: str) -> str:
    idp.document = {"jwks_uri": target}
    return _refused_sign_in(idp)


def userinfo(idp: Idp, target: str) -> str:
    idp.document = {"userinfo_endpoint": target}
    return _refused_sign_in(idp)


def code(idp: Idp, target: str) -> str:
    idp.document = {"token_endpoint": target}
    return _refused_sign_in(idp)


def _refused_sign_in(idp: Idp) -> str:
    """Nobody is signed in; the trail says why."""
    person = Person()
    visit = person.sign_in(on_the_public_internet(provider_at(idp, Provider.Type.OIDC)))
    assert visit.outcome == Visit.Outcome.FAILED
    assert person.user is None
    return AuditEvent.objects.get(event="upstream.sign_in").reason


def refresh(idp: Idp, target: str) -> str:
    """`temporarily_unavailable`, and what is held stays as it was."""
    idp.document = {"token_endpoint": target}
    held, clock = Held(idp, Provider.Type.OIDC), Clock()
    on_the_public_internet(held.provider)
    clock.to(hours=1)
    with pytest.raises(TemporarilyUnavailable) as refusal:
        held.fresh(clock)
    assert held.stored(clock) == held.tokens
    return refusal.value.reason


def revocation(idp: Idp, target: str) -> str:
    """To be tried again later; the receipt says why."""
    idp.document = {"revocation_endpoint": target}
    on_the_public_internet(ended(idp, Provider.Type.OIDC).provider)
    assert work_queue(now=START + timedelta(minutes=1), limit=10) == {"postponed": 1}
    return Revocation.objects.get().outcome


def document(idp: Idp, target: str) -> str:
    """A page for the client's developer, and no redirect: nobody has vouched for where to."""
    door = Door(make_client(), make_resource(default=True), make_provider())
    page = door.ask(client_id=target, redirect_uri="https://app.example/cb")
    assert page.status_code == 400
    assert "Location" not in page
    return unescape(re.sub(r"<[^>]+>|\s+", " ", page.content.decode()))


def client_keys(idp: Idp, target: str) -> str:
    """`invalid_client`, and why, for the client's developer."""
    client_key_sets.forget()
    method = {"token_endpoint_auth_method": "private_key_jwt", "client_type": "confidential"}
    client = make_client("proves-itself", metadata={"jwks_uri": target}, **method)
    answer = post({**approve(client=client).form, **proof(assertion())})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    said: str = answer.json()["error_description"]
    return said


OF_PROVIDERS: dict[str, Feature] = {
    "discovery": discovery,
    "keys": keys,
    "code": code,
    "userinfo": userinfo,
    "refresh": refresh,
    "revocation": revocation,
}
