"""Nobody but the resource server sees an upstream token, and nothing keeps one that can be read.

The whole product is driven with canaries for tokens, debug logging on: sign-in, exchange, refresh, faults at the
providers, revocation, every page of the console. Then all that was written down or said is searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.fakes.server import Reply
from tests.flow.stage import RESOURCE_SERVER, Stage
from tests.harness.canaries import found, spellings
from tests.harness.oauth import claims
from tests.harness.person import Person, Stuck

pytestmark = pytest.mark.postgres
MAX_PAGES = 400


@pytest.mark.parametrize("surroundings", [("", ""), ("x", ""), ("xy", "z"), ("xyz", "zz"), ('{"token": "', '"}')])
def test_a_secret_is_found_in_every_spelling(surroundings: tuple[str, str]) -> None:
    import base64
    from urllib.parse import quote

    secret = "CANARY-AT-odd/characters+and=more"
    text = surroundings[0] + secret + surroundings[1]
    written = {
        "plain": text.encode(),
        "reversed": text[::-1].encode(),
        "hex": text.encode().hex().encode(),
        "percent": quote(text, safe="").encode(),
        "base64": base64.b64encode(text.encode()),
        "base64url": base64.urlsafe_b64encode(text.encode()),
    }
    for how, content in written.items():
        assert found({"canary": secret}, [(how, content)]), how
    assert not found({"canary": secret}, [("elsewhere", b"CANARY-AT-something/else+of=kind")])


def test_no_upstream_token_is_kept_said_or_logged_anywhere(stage: Stage) -> None:
    happy(stage)
    faults(stage)
    ending(stage)
    pages = crawl_the_console(stage)
    assert pages > 60
    assert len(stage.issued) + len(stage.secrets) > 20
    secrets = stage.secrets
    assert sum(len(answer) for answer in stage.relay.answers) > 500_000  # the recorder did record
    assert found(secrets, [*stage.places(), *stage.answers()]) == []
    assert found(stage.ours, stage.places()) == []
    assert (
        found(stage.links, [("the log", stage.server.log.encode())]) == []
    )  # the database has them once they are used


def happy(stage: Stage) -> None:
    """Sign-ins, exchanges, reads by tsid, a refresh, our own refresh."""
    for name in ("first", "second"):
        stage.oidc.person["sub"] = f"person-{name}"
        stage.hub.person["id"] = 1000 + len(name)
        person = Person()
        client, tokens = stage.sign_in(person)
        jwt = tokens["access_token"]
        tsid = claims(jwt)["tsid"]
        for upstream in ("canary", "hub"):
            answer = stage.exchange(jwt, upstream)
            assert answer.status_code == 200, answer.text
            assert answer.json()["access_token"].removeprefix("ghu_").startswith("CANARY-AT-")
        for path in ("", "/hub"):
            answer = stage.resource_server("GET", f"/api/v1/sessions/{tsid}/upstream-tokens{path}")
            assert answer.status_code == 200, answer.text
            assert "CANARY-AT-" in answer.text
        stage.sql("UPDATE accounts_credential SET expires_at = ?", "2020-01-01 00:00:00+00:00")
        stage.ours["a refreshed token"] = client.refresh(tokens["refresh_token"])["refresh_token"]
        widen(stage, person, jwt)


def widen(stage: Stage, person: Person, jwt: str) -> None:
    """A scope that was not approved: the link to approve it, followed to its end and then once more."""
    refused = stage.exchange(jwt, "canary", scope="more")
    assert refused.json()["state"] == "missing_scope"
    link = refused.json()["connect_url"]
    stage.links[f"link {len(stage.links)}"] = link.rpartition("/")[2]
    assert "is connected" in person.visit(link).text
    assert stage.exchange(jwt, "canary", scope="more").status_code == 200
    with pytest.raises(Stuck):
        person.visit(link)


def faults(stage: Stage) -> None:
    """What providers do wrong, and what callers do: with a token in each answer that could be repeated."""
    stage.oidc.expires_in = 0  # over at once: each exchange has to ask
    stage.oidc.person["sub"] = "person-of-the-faults"
    stage.hub.person["id"] = 4711
    _, tokens = stage.sign_in(Person())
    stage.oidc.expires_in = 3600
    said = "CANARY-ERR-" + "0123456789abcdef"
    stage.issued["what a provider said in an error"] = said
    for reply in (
        Reply(500, body=said.encode()),
        Reply(200, body=f"<html>{said}</html>".encode()),
        Reply(200, {"access_token": {"nested": said}}),
        Reply(302, headers={"Location": f"{stage.hub.url}/elsewhere?token={said}"}, body=b""),
        Reply(400, {"error": said, "error_description": said}),
    ):
        stage.oidc.faults.append(reply)
        answer = stage.exchange(tokens["access_token"], "canary")
        assert answer.status_code == 503, answer.text
        assert said not in answer.text
    stage.oidc.faults.append(Reply(400, {"error": "invalid_grant", "error_description": said}))
    dead = stage.exchange(tokens["access_token"], "canary").json()
    assert dead["state"] == "needs_reauthorization"
    assert said not in str(dead)
    refused_pages(stage, said)
    with httpx.Client(base_url=stage.issuer) as stranger:
        for path in (
            "/oauth/token",
            "/oauth/register",
            f"/oauth/callback/canary?state=x&code={said}",
            "/oauth/authorize",
        ):
            stranger.post(path, data={"subject_token": said, "client_secret": said, "code": said})
            stranger.get(path, params={"code": said, "state": said})


def refused_pages(stage: Stage, said: str) -> None:
    """Sign-ins that fail: their pages show nothing of it."""
    stage.oidc.person["sub"] = "person-refused"
    forgeries: tuple[Callable[[dict[str, object]], None], ...] = (
        lambda token: token.update(nonce=said),
        lambda token: token.update(aud=said),
        lambda token: token.update(sub=None),
    )
    for forge in forgeries:
        stage.oidc.forge = forge
        with pytest.raises(Stuck):
            stage.sign_in(Person())
    stage.oidc.forge = lambda token: None
    stage.oidc.faults.append(Reply(400, {"error": "invalid_grant", "error_description": said}))
    with pytest.raises(Stuck):
        stage.sign_in(Person())


def ending(stage: Stage) -> None:
    """Sessions end, and the queue of revocations tells the providers."""
    for number in range(2):
        stage.oidc.person["sub"] = f"person-ending-{number}"
        stage.hub.person["id"] = 5000 + number
        client, _ = stage.sign_in(Person())
        stage.sql("UPDATE accounts_tokensession SET idle_expires_at = ? WHERE client_id = ?",
                  "2020-01-01 00:00:00+00:00", client.client_id)  # fmt: skip
    done = stage.server.manage("maintenance")
    assert done.returncode == 0, done.stdout + done.stderr
    assert found(stage.secrets, [("what maintenance prints", (done.stdout + done.stderr).encode())]) == []


def crawl_the_console(stage: Stage) -> int:
    """Every page that a link of the console leads to, as its administrator; how many there were."""
    password = re.search(r"password  (\S+)", stage.server.log)
    assert password
    with httpx.Client(base_url=stage.issuer, follow_redirects=True, timeout=60) as operator:
        form = operator.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token
        operator.post("/admin/login/", data={"username": "admin", "password": password[1], "next": "/admin/",
                                             "csrfmiddlewaretoken": token[1]},
                      headers={"Referer": f"{stage.issuer}/admin/login/"})  # fmt: skip
        waiting, known = ["/admin/"], {"/admin/"}
        visited = 0
        while waiting and visited < MAX_PAGES:
            address = waiting.pop(0)
            page = operator.get(address)
            assert page.status_code < 500, address
            assert "/admin/login/" not in str(page.url), "the operator was signed out"
            visited += 1
            for link in re.findall(r'href="([^"#]+)"', page.text):
                target = urlsplit(urljoin(str(page.url), link.replace("&amp;", "&")))
                place = target.path + (f"?{target.query}" if target.query else "")
                leads_on = target.netloc == urlsplit(stage.issuer).netloc and target.path.startswith("/admin/")
                if leads_on and "logout" not in place and place not in known:
                    known.add(place)
                    waiting.append(place)
    return visited


SET_UP: dict[str, Callable[[Stage, str], None]] = {}


def tampering(act: Callable[[Stage, str], None]) -> Callable[[Stage, str], None]:
    SET_UP[act.__name__.replace("_", " ")] = act
    return act


@tampering
def another_persons_tokens_in_ones_own_row(stage: Stage, tsid: str) -> None:
    ((stolen,),) = stage.sql(
        "SELECT sealed_tokens FROM accounts_credential c JOIN accounts_user u ON u.id = c.user_id "
        "WHERE provider = 'canary' AND subject = 'victim'"
    )
    stage.sql(OVERWRITE, stolen, tsid)


@tampering
def tokens_of_another_upstream(stage: Stage, tsid: str) -> None:
    ((other,),) = stage.sql(
        "SELECT sealed_tokens FROM accounts_credential WHERE id IN "
        "(SELECT credential_id FROM accounts_link WHERE session_id = ? AND provider = 'hub')", tsid
    )  # fmt: skip
    stage.sql(OVERWRITE, other, tsid)


@tampering
def a_flipped_bit(stage: Stage, tsid: str) -> None:
    ((sealed,),) = stage.sql(READ, tsid)
    flipped = chr(ord(sealed[-20]) ^ 1) if sealed[-20] not in "-_" else "A"
    stage.sql(OVERWRITE, sealed[:-20] + flipped + sealed[-19:], tsid)


@tampering
def planted_plaintext(stage: Stage, tsid: str) -> None:
    stage.sql(OVERWRITE, '{"access_token": "planted"}', tsid)


@tampering
def a_foreign_key(stage: Stage, tsid: str) -> None:
    ((sealed,),) = stage.sql(READ, tsid)
    stage.sql(OVERWRITE, sealed.replace("v1.k1.", "v1.foreign.", 1), tsid)


@tampering
def a_link_to_somebody_elses_row(stage: Stage, tsid: str) -> None:
    stage.sql(
        "UPDATE accounts_link SET credential_id = (SELECT id FROM accounts_credential WHERE subject = 'victim') "
        "WHERE session_id = ? AND provider = 'canary'", tsid
    )  # fmt: skip


OF_SESSION = "(SELECT credential_id FROM accounts_link WHERE session_id = ? AND provider = 'canary')"
READ = f"SELECT sealed_tokens FROM accounts_credential WHERE id = {OF_SESSION}"  # noqa: S608 - ours
OVERWRITE = f"UPDATE accounts_credential SET sealed_tokens = ? WHERE id = {OF_SESSION}"  # noqa: S608 - ours


@pytest.mark.parametrize("what", list(SET_UP))
def test_whoever_can_write_to_the_database_gets_nothing_out_of_it(stage: Stage, what: str) -> None:
    if not stage.sql("SELECT 1 FROM accounts_credential WHERE subject = 'victim'"):
        stage.oidc.person["sub"], stage.hub.person["id"] = "victim", 6000
        stage.sign_in(Person())
    stage.oidc.person["sub"], stage.hub.person["id"] = f"thief with {what}", 6001 + list(SET_UP).index(what)
    _, tokens = stage.sign_in(Person())
    tsid = claims(tokens["access_token"])["tsid"]
    assert stage.exchange(tokens["access_token"], "canary").status_code == 200
    SET_UP[what](stage, tsid)
    answer = stage.exchange(tokens["access_token"], "canary")
    assert answer.status_code == 400, answer.text
    assert answer.json()["state"] == "needs_reauthorization"
    assert stage.exchange(tokens["access_token"], "hub").status_code == 200
    events = stage.sql("SELECT outcome FROM accounts_auditevent WHERE event = 'vault.damaged' AND tsid = ?", tsid)
    assert set(events) == {("failed",)}
    released = stage.sql("SELECT actor FROM accounts_auditevent WHERE event = 'vault.release' AND tsid = ? "
                         "AND upstream = 'canary' AND outcome = 'ok'", tsid)  # fmt: skip
    assert released == [(f"resource_server:{RESOURCE_SERVER}",)]


def test_what_is_looked_for_is_really_there_where_it_may_be(stage: Stage) -> None:
    """The search itself is sound: the resource server's own answer holds what it looks for."""
    stage.oidc.person["sub"], stage.hub.person["id"] = "person-of-the-control", 7000
    _, tokens = stage.sign_in(Person())
    answer = stage.exchange(tokens["access_token"], "canary")
    assert found(stage.secrets, [("the exchange", answer.content)])
    assert all(spellings(answer.json()["access_token"]).values())
