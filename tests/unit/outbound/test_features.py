"""Each feature that calls somebody, pointed at each target that must not be called: nobody connects, and it says so."""

from __future__ import annotations

import pytest

from tests.fakes.server import Reply
from tests.unit.outbound import features
from tests.unit.outbound.features import OF_PROVIDERS
from tests.unit.outbound.network import Network
from tests.unit.outbound.servers import Idp
from tests.unit.outbound.targets import NAMES, TARGETS

pytestmark = pytest.mark.django_db

IDP = ("8.8.8.8", 443)
REBOUND = "https://rebinding.example/x"
REDIRECTED = {
    "discovery": ("/.well-known/openid-configuration", "http_302"),
    "keys": ("/jwks", "http_302"),
    "code": ("/token", "token_exchange_http_302"),
    "userinfo": ("/userinfo", "user_info_http_302"),
    "refresh": ("/token", "http_302"),
    "revocation": ("/revoke", "http_302"),
}


@pytest.fixture(autouse=True)
def names(network: Network) -> None:
    network.names |= {name: [addresses] for name, addresses in NAMES.items()}
    # The check sees a public address, whoever asks again sees this machine.
    network.names["rebinding.example"] = [["8.8.4.4"], ["127.0.0.1"]]
    network.names["elsewhere.example"] = [["8.8.4.4"]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("feature", OF_PROVIDERS)
def test_no_feature_connects_to_what_must_not_be_called(idp: Idp, network: Network, feature: str, target: str) -> None:
    assert OF_PROVIDERS[feature](idp, target) == TARGETS[target]
    assert set(network.connected) <= {IDP}


@pytest.mark.parametrize("target", TARGETS)
def test_no_client_id_makes_us_connect_to_what_must_not_be_called(idp: Idp, network: Network, target: str) -> None:
    page = features.document(idp, target)
    assert any(said in page for said in ("not called from here", "not a URL we accept", "not registered", "not known"))
    assert network.connected == []


@pytest.mark.parametrize("target", TARGETS)
def test_no_clients_keys_make_us_connect_to_what_must_not_be_called(idp: Idp, network: Network, target: str) -> None:
    said = features.client_keys(idp, target)
    assert any(words in said for words in ("not called from here", "cannot be reached"))
    assert network.connected == []


@pytest.mark.parametrize("feature", OF_PROVIDERS)
def test_a_name_that_changes_its_mind_is_called_where_it_was_checked(idp: Idp, network: Network, feature: str) -> None:
    assert OF_PROVIDERS[feature](idp, REBOUND) == "connection"
    assert network.asked.count("rebinding.example") == 1
    assert set(network.connected) <= {IDP, ("8.8.4.4", 443)}


def test_a_client_id_whose_name_changes_its_mind_is_called_where_it_was_checked(idp: Idp, network: Network) -> None:
    assert "cannot be reached" in features.document(idp, REBOUND)
    assert network.asked == ["rebinding.example"]
    assert network.connected == [("8.8.4.4", 443)]


@pytest.mark.parametrize("location", ["https://elsewhere.example/x", "https://127.0.0.1/x", "/another"])
@pytest.mark.parametrize("feature", OF_PROVIDERS)
def test_no_feature_follows_a_redirect(idp: Idp, network: Network, feature: str, location: str) -> None:
    path, reason = REDIRECTED[feature]
    idp.instead[path] = Reply(302, body=b"", headers={"Location": location})
    target = idp.url if feature == "discovery" else idp.url + path
    assert OF_PROVIDERS[feature](idp, target) == reason
    assert set(network.connected) == {IDP}
    assert idp.requests_to("/another") == []


def test_clients_keys_whose_name_changes_its_mind_are_asked_for_where_it_was_checked(
    idp: Idp, network: Network
) -> None:
    assert "cannot be reached" in features.client_keys(idp, REBOUND)
    assert network.asked == ["rebinding.example"]
    assert network.connected == [("8.8.4.4", 443)]


@pytest.mark.parametrize("location", ["https://elsewhere.example/x", "https://127.0.0.1/x", "/another"])
def test_no_redirect_of_clients_keys_is_followed(idp: Idp, network: Network, location: str) -> None:
    idp.instead["/client-keys"] = Reply(302, body=b"", headers={"Location": location})
    assert "status 302" in features.client_keys(idp, f"{idp.url}/client-keys")
    assert network.connected == [IDP]
    assert idp.requests_to("/another") == []


@pytest.mark.parametrize("location", ["https://elsewhere.example/x", "https://127.0.0.1/x", "/another"])
def test_no_client_ids_redirect_is_followed(idp: Idp, network: Network, location: str) -> None:
    idp.instead["/client.json"] = Reply(302, body=b"", headers={"Location": location})
    assert "status 302" in features.document(idp, f"{idp.url}/client.json")
    assert network.connected == [IDP]
    assert [seen.path for seen in idp.seen] == ["/client.json"]
