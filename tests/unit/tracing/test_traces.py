"""A person's way is one trace, through the browser and back; a resource server's call is in its own, and both are linked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog
from django.test import Client as Http
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pytest_django import Settings

from accounts import tracing
from accounts.models import Credential
from authserver.grant_types import TOKEN_EXCHANGE
from tests.fakes.oauth2 import FakeOAuth2
from tests.harness.approval import REDIRECT_URI, RESOURCE_SERVER_SECRET, make_resource_server, post
from tests.unit.authorize.sitting import Sitting, new_sitting, upstream
from upstream import discovery
from upstream.errors import OutboundFailed

pytestmark = pytest.mark.django_db
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B, as the sitting's challenge
EXPORTER = InMemorySpanExporter()
THEIRS = "0af7651916cd43dd8448eb211c80319c"


def in_memory() -> TracerProvider:
    """What `settings.TRACING` names here."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    return provider


@pytest.fixture(autouse=True)
def _on(settings: Settings) -> Iterator[None]:
    settings.TRACING = f"{__name__}.in_memory"
    first, second, *rest = settings.MIDDLEWARE
    settings.MIDDLEWARE = [first, second, "authserver.tracing.Tracing", *rest]
    tracing._tracer.cache_clear()
    EXPORTER.clear()
    yield
    tracing._tracer.cache_clear()


@pytest.fixture
def fake() -> Iterator[FakeOAuth2]:
    discovery.forget()
    with FakeOAuth2() as fake:
        yield fake
    discovery.forget()


@pytest.fixture
def sitting(fake: FakeOAuth2) -> Sitting:
    sitting = new_sitting()
    upstream(sitting.resource, fake, "code", "repo", sign_in=True)
    make_resource_server(sitting.resource)
    return sitting


def redeemed(sitting: Sitting) -> dict[str, Any]:
    answer: dict[str, Any] = post({
        "grant_type": "authorization_code", "code": sitting.whole()["code"], "redirect_uri": REDIRECT_URI,
        "client_id": sitting.client.client_id, "code_verifier": VERIFIER,
    }).json()  # fmt: skip
    return answer


def exchange(token: str, **headers: str) -> Any:
    form = {
        "grant_type": TOKEN_EXCHANGE, "subject_token": token, "client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }  # fmt: skip
    return Http(headers=headers).post("/oauth/token", urlencode(form), content_type="application/x-www-form-urlencoded")


def spans(name: str) -> list[ReadableSpan]:
    return [span for span in EXPORTER.get_finished_spans() if span.name == name]


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def linked(span: ReadableSpan) -> Sequence[str]:
    return [f"{link.context.trace_id:032x}" for link in span.links]


def test_a_persons_way_is_one_trace(sitting: Sitting) -> None:
    assert redeemed(sitting)["access_token"]
    [approved] = spans("POST authorize")
    [back] = spans("GET callback")
    [finished] = spans("GET authorize-continue")
    [token] = spans("POST token")
    assert {trace_of(span) for span in (back, finished, token)} == {trace_of(approved)}
    calls = {span.attributes["authserver.operation"]: span for span in spans("upstream.call") if span.attributes}
    assert {trace_of(calls[operation]) for operation in ("token", "userinfo")} == {trace_of(approved)}
    assert calls["token"].parent == back.context
    assert dict(calls["token"].attributes or {})["authserver.upstream"] == "code"


def test_two_people_are_two_traces(sitting: Sitting) -> None:
    redeemed(sitting)
    redeemed(Sitting(sitting.client, sitting.resource))
    first, second = spans("POST token")
    assert trace_of(first) != trace_of(second)


def test_an_exchange_is_in_its_callers_trace_and_linked_to_the_persons(sitting: Sitting) -> None:
    token = redeemed(sitting)["access_token"]
    Credential.objects.update(expires_at="2020-01-01T00:00:00Z")
    EXPORTER.clear()
    answer = exchange(token, traceparent=f"00-{THEIRS}-b7ad6b7169203331-01")
    assert answer.status_code == 200, answer.content
    [span] = spans("POST token")
    assert trace_of(span) == THEIRS
    assert len(linked(span)) == 1
    assert linked(span) != [THEIRS]


@pytest.mark.parametrize("given", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "x" * 5000])
def test_a_traceparent_that_is_none_begins_a_trace(sitting: Sitting, given: str) -> None:
    exchange("no token", traceparent=given)
    [span] = spans("POST token")
    assert span.parent is None


def test_a_browsers_traceparent_is_not_read(sitting: Sitting) -> None:
    sitting.http = Http(headers={"traceparent": f"00-{THEIRS}-b7ad6b7169203331-01"})
    sitting.begin()
    [span] = spans("GET authorize")
    assert trace_of(span) != THEIRS


def test_nothing_of_it_is_told_to_a_provider_or_put_into_an_address(sitting: Sitting, fake: FakeOAuth2) -> None:
    redeemed(sitting)
    [token] = spans("POST token")
    assert fake.seen
    for request in fake.seen:
        assert "traceparent" not in request.headers
        assert trace_of(token) not in repr(request)


def test_no_attribute_holds_a_secret(sitting: Sitting) -> None:
    tokens = redeemed(sitting)
    exchange(tokens["access_token"])
    said = "".join(span.to_json() for span in EXPORTER.get_finished_spans())
    for secret in (tokens["access_token"], tokens["refresh_token"], VERIFIER, RESOURCE_SERVER_SECRET):
        assert secret not in said
    names = {name for span in EXPORTER.get_finished_spans() for name in span.attributes or {}}
    assert names <= tracing.ATTRIBUTES
    assert not re.search(r"[?&](?:code|state)=", said)


def test_a_failure_is_named_without_its_words() -> None:
    with pytest.raises(OutboundFailed), tracing.span("upstream.call", upstream="code"):
        raise OutboundFailed("a secret")
    [span] = spans("upstream.call")
    assert dict(span.attributes or {})["error.type"] == "OutboundFailed"
    assert "a secret" not in span.to_json()


def test_an_attribute_that_is_not_on_the_list_is_refused() -> None:
    with tracing.span("x") as say, pytest.raises(ValueError, match="no attribute"):
        say("http.url", "https://x/?code=y")


def test_log_lines_name_the_trace(sitting: Sitting) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        exchange("no token")
    [span] = spans("POST token")
    assert {line["trace_id"] for line in lines if line["event"] == "refused"} == {trace_of(span)}


def test_off_it_does_nothing(settings: Settings, sitting: Sitting) -> None:
    settings.TRACING = ""
    redeemed(sitting)
    tracing.leave("x")
    tracing.link("x")
    assert tracing.left("x") == ""
    assert EXPORTER.get_finished_spans() == ()
