"""Each way in which our own address does not lead here is told apart, in words."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from authserver.doctor import calls, issuer
from authserver.doctor.calls import Calls
from authserver.doctor.findings import Finding, Level
from authserver.models import SigningKey
from tests.fakes.server import Reply
from tests.harness.processes import free_port
from tests.unit.doctor.conftest import Configure, Front, by_check, date_in, forget
from tests.unit.outbound.network import Network

pytestmark = [pytest.mark.django_db]

DISCOVERY = "/.well-known/oauth-authorization-server"


def look() -> dict[str, Finding]:
    return by_check(list(issuer.look(Calls())))


def test_where_all_is_well_every_line_says_so(front: Front) -> None:
    found = look()
    assert {finding.level for finding in found.values()} == {Level.OK}, found
    assert set(found) == {"issuer", "issuer.discovery", "issuer.keys", "issuer.clock"}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(502, body=b"bad gateway"), "A proxy answers 502"),
        (Reply(302, body=b"", headers={"Location": "https://login.example/?next=x"}), "a redirect to login.example"),
        (Reply(404, body=b"<h1>nginx</h1>"), "does not forward this path"),
        (Reply(200, body=b"<h1>Welcome</h1>"), "not this server"),
        (Reply(200, {"issuer": "https://other.example"}), "calls itself https://other.example"),
        (Reply(400, {"error": "invalid_request"}), "not to that host name"),
    ],
)
def test_what_answers_instead_of_us_is_told_apart(front: Front, reply: Reply, words: str) -> None:
    front.instead[DISCOVERY] = reply
    found = look()
    assert set(found) == {"issuer"}
    assert found["issuer"].level is Level.FAILED
    assert words in found["issuer"].meaning
    assert front.url + DISCOVERY in found["issuer"].meaning
    assert found["issuer"].remedy


def test_a_host_that_is_not_ours_is_what_our_own_server_refuses(front: Front, client: Any) -> None:
    answer = client.get(DISCOVERY, headers={"host": "other.example"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_nothing_listens(configure: Configure) -> None:
    configure(issuer=f"http://127.0.0.1:{free_port()}")
    assert "refused" in look()["issuer"].meaning


def test_a_name_that_nobody_knows(configure: Configure) -> None:
    configure(issuer="https://nobody.invalid")
    assert "does not resolve" in look()["issuer"].meaning


def test_a_certificate_that_nobody_trusts(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    front = Front()
    Network(monkeypatch).publish(front, "auth.example.com", "8.8.8.8", tmp_path)
    with front:
        configure(issuer="https://auth.example.com")
        found = look()["issuer"]
    assert "certificate" in found.meaning
    assert "AUTHSERVER_CA_FILE" in found.remedy


def test_a_server_that_hangs_is_given_up(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALL_SECONDS", 0.2)
    hanging = threading.Event()
    front.everywhere = Reply(200, {}, delay=hanging)
    try:
        assert "within three seconds" in look()["issuer"].meaning
    finally:
        hanging.set()


def test_after_the_time_for_all_nobody_is_asked(front: Front) -> None:
    found = by_check(list(issuer.look(Calls(whole_seconds=0))))
    assert "was up" in found["issuer"].meaning
    assert front.seen == []


def test_keys_of_another_server_are_found_out_by_a_signature(front: Front) -> None:
    SigningKey.objects.all().delete()
    forget_keys()
    found = look()["issuer.keys"]
    assert found.level is Level.FAILED
    assert "is not verified by any published key" in found.meaning


def test_a_key_under_our_name_that_is_not_ours_is_found_out(front: Front) -> None:
    assert front.pages
    keys = json.loads(front.pages["/.well-known/jwks.json"][1])
    keys["keys"][0]["x"], keys["keys"][0]["y"] = keys["keys"][0]["y"], keys["keys"][0]["x"]
    front.instead["/.well-known/jwks.json"] = Reply(200, keys)
    assert look()["issuer.keys"].level is Level.FAILED


def test_a_key_set_with_more_keys_than_ours_is_a_warning(front: Front) -> None:
    assert front.pages
    keys = json.loads(front.pages["/.well-known/jwks.json"][1])
    keys["keys"].append({**keys["keys"][0], "kid": "another"})
    front.instead["/.well-known/jwks.json"] = Reply(200, keys)
    assert look()["issuer.keys"].level is Level.WARNING


def test_settings_that_differ_from_what_is_published_are_named(front: Front) -> None:
    assert front.pages
    document = json.loads(front.pages[DISCOVERY][1])
    front.instead[DISCOVERY] = Reply(200, {**document, "token_endpoint": "https://other.example/token"})
    found = look()["issuer.discovery"]
    assert (found.level, "token_endpoint" in found.meaning) == (Level.WARNING, True)


@pytest.mark.parametrize(("seconds", "level"), [(-20, Level.OK), (120, Level.WARNING), (-120, Level.WARNING)])
def test_a_clock_that_is_off_is_told(front: Front, seconds: int, level: Level) -> None:
    assert front.pages
    body = front.pages[DISCOVERY][1]
    front.instead[DISCOVERY] = Reply(200, body=body, headers={"Date": date_in(seconds=seconds)})
    assert look()["issuer.clock"].level is level


def test_a_signature_of_the_doctor_is_no_token_of_ours(front: Front, client: Any) -> None:
    from authserver.keys import signer

    token = signer().sign({"probe": "x"}, issuer.PROBE_TYPE)
    answer = client.get("/oauth/userinfo", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_the_command_ends_with_an_error_where_the_address_leads_elsewhere(
    front: Front, capsys: pytest.CaptureFixture[str]
) -> None:
    front.everywhere = Reply(503, body=b"")
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json")
    assert ended.value.code == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "failed"
    assert "issuer" in {finding["check"] for finding in answer["findings"] if finding["level"] == "failed"}


def forget_keys() -> None:
    from authserver import keys

    keys.signer.cache_clear()
    forget()
