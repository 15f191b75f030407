"""`manage.py check`: each way to weaken us is named, and a sound configuration is silent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.db import connection
from oauth2_provider.settings import oauth2_settings

from authserver import checks, conf
from authserver.keys.database import DatabaseSigner
from authserver.keys.material import generate, to_pem
from authserver.models import Policy, SigningKey
from upstream.models import Provider

RANDOM_KEY = bytes(range(32))
Configure = Callable[..., None]
OURS = "authserver."


@pytest.fixture
def configure(settings: Any) -> Iterator[Configure]:
    """Set fields of `Conf`, seen at once; the state before comes back."""

    def configure(**fields: Any) -> None:
        settings.AUTHSERVER = {**django_settings.AUTHSERVER, **fields}
        conf.load.cache_clear()

    yield configure
    conf.load.cache_clear()


@pytest.fixture
def production(configure: Configure, settings: Any) -> None:
    configure(issuer="https://auth.example.com", demo=False)
    settings.REQUIRE_TOTP = True
    settings.VAULT_KEYS = {"k1": RANDOM_KEY}


def found(*, deploy: bool = False, databases: list[str] | None = None) -> list[str]:
    """The ids of what our own checks say."""
    messages = run_checks(include_deployment_checks=deploy, databases=databases)
    return sorted(str(message.id) for message in messages if str(message.id).startswith(OURS))


@pytest.mark.usefixtures("production")
def test_a_sound_production_configuration_is_silent() -> None:
    assert found(deploy=True) == []


@pytest.mark.parametrize(
    "issuer",
    ["", "auth.example.com", "https://", "http://auth.example.com", "https://auth.example.com/", "ftp://localhost",
     "https://auth.example.com?tenant=1", "https://auth.example.com#a", "https://user@auth.example.com"],
)  # fmt: skip
def test_an_issuer_that_no_client_could_trust_is_an_error(configure: Configure, issuer: str) -> None:
    configure(issuer=issuer)
    assert found() == ["authserver.E001"]


@pytest.mark.parametrize(
    "issuer", ["https://auth.example.com", "https://example.com:8443/tenant", "http://localhost:8000", "http://[::1]:1"]
)
def test_an_issuer_may_have_a_port_and_a_path_and_be_plain_on_loopback(configure: Configure, issuer: str) -> None:
    configure(issuer=issuer)
    assert found() == []


@pytest.mark.parametrize("keys", [{}, {"k1": b"short"}])
def test_a_missing_vault_key_is_an_error(settings: Any, keys: dict[str, bytes]) -> None:
    settings.VAULT_KEYS = keys
    assert found() == ["authserver.E002"]


@pytest.mark.usefixtures("production")
def test_a_vault_key_that_is_not_random_is_warned_about_by_its_id(settings: Any) -> None:
    settings.VAULT_KEYS = {"fresh": RANDOM_KEY, "zeros": bytes(32)}
    messages = [message for message in run_checks(include_deployment_checks=True) if message.id == "authserver.W004"]
    assert [message.msg for message in messages] == ["The vault key zeros is not random."]


class TestSigningKeyFile:
    @pytest.fixture
    def key_file(self, configure: Configure, tmp_path: Path) -> Path:
        path = tmp_path / "signing.pem"
        configure(signing_backend="authserver.keys.pem.PemSigner", signing_key_file=str(path))
        return path

    def test_an_elliptic_key_is_fine(self, key_file: Path) -> None:
        key_file.write_text(to_pem(generate()))
        assert found() == []

    def test_an_rsa_key_is_a_warning(self, key_file: Path) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key_file.write_text(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
        assert found() == ["authserver.W001"]

    def test_a_missing_file_and_one_without_a_key_are_errors(self, key_file: Path) -> None:
        assert found() == ["authserver.E003"]
        key_file.write_text("not a key")
        assert found() == ["authserver.E003"]


@pytest.mark.parametrize(("algorithm", "said"), [("ES256", []), ("EdDSA", []), ("RS256", ["authserver.W001"])])
def test_an_rsa_key_to_be_made_is_warned_about(configure: Configure, algorithm: str, said: list[str]) -> None:
    configure(signing_algorithm=algorithm)
    assert found() == said


@pytest.mark.usefixtures("production")
def test_keys_in_a_kms_that_does_not_answer_are_an_error_where_it_counts(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ENDPOINT_URL_KMS": "http://127.0.0.1:9", "DEFAULT_REGION": "eu-central-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-tests")
    configure(signing_backend="authserver.keys.kms.KmsSigner", signing_kms_keys=("alias/any",),
              issuer="https://auth.example.com", demo=False)  # fmt: skip
    assert found() == []
    assert found(deploy=True) == ["authserver.E003"]


def test_several_workers_need_a_shared_cache(settings: Any) -> None:
    settings.WORKERS, settings.CACHE_IS_SHARED = 2, False
    assert found() == ["authserver.E004"]
    settings.CACHE_IS_SHARED = True
    assert found() == []
    settings.WORKERS, settings.CACHE_IS_SHARED = 1, False
    assert found() == []


@pytest.mark.parametrize("gate", ["IMPLICIT_GRANT", "PKCE_METHOD", "TOKEN_STORAGE", "REFRESH_TOKEN"])
def test_a_gate_of_rfc_9700_left_open_is_an_error(settings: Any, gate: str) -> None:
    settings.OAUTH2_PROVIDER = {**django_settings.OAUTH2_PROVIDER, f"COMPLIANT_BCP_RFC9700_{gate}": False}
    oauth2_settings.reload()
    try:
        assert found() == ["authserver.E005"]
    finally:
        settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, f"COMPLIANT_BCP_RFC9700_{gate}": True}
        oauth2_settings.reload()


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"demo": True}, "authserver.E006"),
        ({"issuer": "http://localhost:8000"}, "authserver.W002"),
        ({"signing_backend": "authserver.keys.ephemeral.EphemeralSigner"}, "authserver.W003"),
    ],
)
def test_what_is_fine_on_ones_own_machine_is_not_in_production(
    configure: Configure, fields: dict[str, Any], expected: str
) -> None:
    configure(**fields)
    assert found(deploy=True) == [expected]
    assert found() == []


@pytest.mark.usefixtures("production")
def test_a_console_that_a_password_alone_opens_is_warned_about(settings: Any) -> None:
    settings.REQUIRE_TOTP = False
    assert found(deploy=True) == ["authserver.W007"]
    assert found() == []


@pytest.mark.usefixtures("production")
def test_metrics_that_everybody_may_read_are_warned_about(settings: Any) -> None:
    settings.METRICS_NETWORKS = [ip_network("10.0.0.0/8"), ip_network("0.0.0.0/0")]
    assert found(deploy=True) == ["authserver.W010"]
    assert found() == []


@pytest.mark.usefixtures("production")
def test_a_connection_for_each_request_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    assert found(deploy=True) == ["authserver.W005"]


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.usefixtures("production")
class TestRows:
    def test_a_console_that_nobody_can_sign_in_to_is_warned_about(self, settings: Any) -> None:
        settings.ADMIN_PASSWORD_SIGN_IN = False
        assert found(databases=["default"]) == ["authserver.W008"]
        provider = Provider.objects.create(name="corp", type="oidc", client_id="c", enabled=False)
        Policy.objects.create(console={"sign_in": {"upstream": "corp", "groups_claim": "groups", "roles": {}}})
        assert found(databases=["default"]) == ["authserver.W009"]
        Provider.objects.filter(pk=provider.pk).update(enabled=True)
        assert found(databases=["default"]) == []

    def test_a_signing_key_that_does_not_open_is_an_error(self) -> None:
        DatabaseSigner().ping()
        assert found(databases=["default"]) == []
        SigningKey.objects.update(private_key_sealed="planted")
        assert found(databases=["default"]) == ["authserver.E007"]
        assert found() == []

    def test_checking_makes_no_key(self) -> None:
        assert found(databases=["default"]) == []
        assert not SigningKey.objects.exists()

    @pytest.mark.parametrize("allow", [{}, {"email_domains": [], "claims": {}}])
    def test_an_upstream_open_to_everybody_is_warned_about(self, allow: dict[str, Any]) -> None:
        Provider.objects.create(name="github", type="github", client_id="c", allow=allow)
        assert found(deploy=True, databases=["default"]) == ["authserver.W006"]

    def test_an_upstream_with_a_list_or_without_sign_in_is_not(self) -> None:
        Provider.objects.create(name="google", type="google", client_id="c", allow={"email_domains": ["example.com"]})
        Provider.objects.create(name="github", type="github", client_id="c", sign_in=False)
        assert found(deploy=True, databases=["default"]) == []


def test_no_two_warnings_have_the_same_id() -> None:
    """An operator silences one by its id."""
    ids = re.findall(r'id="(authserver\.W[0-9]{3})"', Path(checks.__file__).read_text())
    assert len(ids) > 9
    assert [each for each in set(ids) if ids.count(each) > 1] == []
