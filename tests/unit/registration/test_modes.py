"""Who may register, by the operator's `registration.mode`, and how often."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from authserver import limits
from authserver.models import App, Client
from tests.harness.policies import in_force
from tests.harness.registration import REDIRECT_URI, manage, register, registered, send

pytestmark = pytest.mark.django_db


def test_closed_refuses_to_register_and_to_change_but_not_to_leave() -> None:
    given = registered()
    with in_force(mode="closed"):
        answer = register()
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
        change = manage("PUT", given, {"client_id": given["client_id"], "redirect_uris": [REDIRECT_URI]})
        assert (change.status_code, change.json()["error"]) == (403, "access_denied")
        assert manage("GET", given).status_code == 200
        assert manage("DELETE", given).status_code == 204
    assert not Client.objects.exists()


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic eDp5", "Bearer rat_" + "A" * 43])
def test_token_wants_an_initial_access_token_and_knows_none(authorization: str) -> None:
    with in_force(mode="token"):
        answer = send({"redirect_uris": [REDIRECT_URI]}, HTTP_AUTHORIZATION=authorization)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert not Client.objects.exists()


def test_approval_registers_everybody() -> None:
    """Whether they may be used is asked where somebody wants to: `tests/unit/apps`."""
    with in_force(mode="approval"):
        given = registered()
        assert manage("GET", given).json() == given


def test_whoever_becomes_another_app_is_vouched_for_by_nobody_and_undecided_again() -> None:
    given = registered(client_name="Before")
    Client.objects.update(vouched_for=True)
    App.objects.update(state=App.State.APPROVED)
    same = {"client_id": given["client_id"], "redirect_uris": [REDIRECT_URI], "client_name": "Before"}
    assert manage("PUT", given, {**same, "software_version": "2"}).status_code == 200
    client = Client.objects.get()
    assert (client.vouched_for, client.app.state) == (True, App.State.APPROVED)
    assert manage("PUT", given, {**same, "client_name": "After"}).status_code == 200
    client = Client.objects.get()
    assert (client.vouched_for, client.app.name, client.app.state) == (False, "After", App.State.PENDING)


def test_nobody_registers_as_a_blocked_app_nor_becomes_one_nor_leaves_one() -> None:
    bad, good = registered(client_name="Bad"), registered(client_name="Good")
    App.objects.filter(name="Bad").update(state=App.State.BLOCKED)
    answer = register(client_name="BAD (again)")
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    for given, name in ((good, "Bad"), (bad, "Good"), (bad, "Bad")):
        body = {"client_id": given["client_id"], "redirect_uris": [REDIRECT_URI], "client_name": name}
        assert manage("PUT", given, body).status_code == 403
    assert sorted(Client.objects.values_list("name", "app__name")) == [("Bad", "Bad"), ("Good", "Good")]
    assert manage("DELETE", bad).status_code == 204


def test_a_mode_nobody_knows_lets_nobody_in() -> None:
    with in_force(mode="opne"):
        assert register().status_code == 403


def test_an_address_that_registers_too_often_waits_and_others_do_not(settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "register": "3/minute"}

    def answers(address: str, count: int) -> list[int]:
        body = {"redirect_uris": [REDIRECT_URI]}
        return [send(body, REMOTE_ADDR=address).status_code for _ in range(count)]

    assert answers("198.51.100.1", 5) == [201, 201, 201, 429, 429]
    assert answers("198.51.100.2", 1) == [201]
    assert answers("2001:db8::1", 2) + answers("2001:db8::2", 2) == [201, 201, 201, 429]  # one /64 is one household
    refused = send({}, REMOTE_ADDR="198.51.100.1")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert refused["Access-Control-Allow-Origin"] == "*"
    assert Client.objects.count() == 7


def test_a_change_counts_as_a_registration_and_looking_does_not(settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "register": "3/minute"}
    given = registered(client_name="0")
    body = {"client_id": given["client_id"], "redirect_uris": [REDIRECT_URI]}
    assert [manage("PUT", given, {**body, "client_name": str(n)}).status_code for n in range(4)] == [200, 200, 429, 429]
    assert App.objects.count() <= 3
    assert manage("GET", given).status_code == 200
    assert manage("DELETE", given).status_code == 204


def test_a_header_of_the_callers_own_is_no_way_around_the_limit(settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "register": "1/minute"}
    body = {"redirect_uris": [REDIRECT_URI]}
    codes = [
        send(body, REMOTE_ADDR="198.51.100.3", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}").status_code for n in range(3)
    ]
    assert codes == [201, 429, 429]


def test_an_empty_limit_is_no_limit(settings: Settings) -> None:
    settings.RATE_LIMITS = {"register": ""}
    assert [limits.hit("register", "x") for _ in range(50)] == [None] * 50


def test_limits_count_by_name_and_key(settings: Settings) -> None:
    settings.RATE_LIMITS = {"one": "1/hour", "two": "1/hour"}
    assert limits.hit("one", "a-key") is None
    assert limits.hit("two", "a-key") is None
    assert limits.hit("one", "a-key\ud800") is None
    wait = limits.hit("one", "a-key")
    assert wait is not None
    assert 1 <= wait <= 3600


def test_without_its_cache_a_process_counts_for_itself(settings: Settings) -> None:
    settings.RATE_LIMITS = {"register": "1/hour"}
    unreachable = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": unreachable}
    limits._limiter.cache_clear()
    try:
        assert limits.hit("register", "somebody") is None
        wait = limits.hit("register", "somebody")
        assert wait is not None
        assert 1 <= wait <= 3600
        assert limits.hit("register", "somebody else") is None
    finally:
        limits._limiter.cache_clear()
