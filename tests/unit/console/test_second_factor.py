"""The second factor: enrolled at the first sign-in, asked at every one, taken once; nothing opens with less."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client as Http
from django_otp.oath import TOTP

from accounts.models import AuditEvent, User
from authserver import limits, second_factor
from authserver.models import Authenticator, RecoveryCode
from tests.unit.console.crawl import OWN, ROOT
from tests.unit.console.test_pages import INLINE

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
LOGIN, CODE, ENROL = f"{ROOT}login/", f"{ROOT}second-step/", f"{ROOT}authenticator/"
PASSWORD, TARGET = "a password nobody guesses", f"{ROOT}accounts/auditevent/"


@pytest.fixture(autouse=True)
def in_production(settings: Any) -> Iterator[None]:
    settings.REQUIRE_TOTP = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # these tests are not about passwords
    limits._limiter.cache_clear()
    yield
    limits._limiter.cache_clear()


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


class Phone:
    """An authenticator app: what it shows, `later` seconds from now."""

    def __init__(self, key: str) -> None:
        self.key = base64.b32decode(key.replace(" ", ""))

    def shows(self, later: float = 0) -> str:
        totp = TOTP(self.key)
        totp.time = totp.time + later
        return f"{totp.token():06}"


def password_given(http: Http, name: str = "root") -> Any:
    return http.post(LOGIN, {"username": name, "password": PASSWORD, "next": TARGET})


def enrol(http: Http) -> tuple[Phone, list[str]]:
    phone = Phone(http.get(ENROL).context["key"])
    done = http.post(ENROL, {"code": phone.shows()})
    codes: list[str] = done.context["codes"]
    # As if that had been a while ago: nothing here sleeps, and a code's step is taken once.
    Authenticator.objects.update(last_step=0)
    return phone, codes


@pytest.fixture
def enrolled(root: User) -> tuple[Phone, list[str]]:
    http = Http()
    password_given(http)
    return enrol(http)


def events() -> list[tuple[str, str]]:
    found = AuditEvent.objects.filter(event__startswith="console.").order_by("id")
    return [(event.event, event.reason) for event in found]


def is_in(http: Http) -> bool:
    return http.get(TARGET).status_code == 200


def test_the_first_sign_in_enrols_an_authenticator_and_shows_the_recovery_codes_once(root: User) -> None:
    http = Http()
    assert password_given(http)["Location"] == CODE
    assert http.get(CODE)["Location"] == ENROL
    page = http.get(ENROL)
    assert "<svg" in page.content.decode()
    assert not INLINE.search(page.content.decode())
    assert "no-store" in page["Cache-Control"]
    assert http.get(ENROL).context["key"] == page.context["key"]
    done = http.post(ENROL, {"code": Phone(page.context["key"]).shows()})
    codes = done.context["codes"]
    assert len(codes) == second_factor.RECOVERY_CODES == len(set(codes))
    assert "no-store" in done["Cache-Control"]
    assert f'href="{TARGET}"' in done.content.decode()
    assert is_in(http)
    assert events() == [("console.authenticator_added", ""), ("console.login", "password and new authenticator")]


def test_the_qr_code_carries_the_key_and_whose_it_is(root: User) -> None:
    begun = second_factor.begun(root, None)
    address = urlsplit(second_factor.uri_of(begun))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/localhost%3Aroot")
    assert parse_qs(address.query) == {
        "secret": [second_factor.key_of(begun)], "issuer": ["localhost"], "digits": ["6"], "period": ["30"]
    }  # fmt: skip


def test_the_key_is_sealed_to_its_person_and_the_codes_are_hashes(
    root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    phone, codes = enrolled
    row = Authenticator.objects.get()
    assert base64.b32encode(phone.key).decode() not in row.key_sealed
    other = User.objects.create_superuser("other", password=PASSWORD)
    Authenticator.objects.create(user=other, name="authenticator", key_sealed=row.key_sealed)
    http = Http()
    password_given(http, "other")
    assert http.post(CODE, {"code": phone.shows()}).status_code == 200
    stored = set(RecoveryCode.objects.values_list("code_hash", flat=True))
    assert not stored & {code.replace("-", "") for code in codes}


def test_every_sign_in_asks_for_a_code_and_goes_on_where_the_operator_wanted(
    root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    http = Http()
    assert password_given(http)["Location"] == CODE
    assert not INLINE.search(http.get(CODE).content.decode())
    assert http.post(CODE, {"code": enrolled[0].shows()})["Location"] == TARGET
    assert is_in(http)
    assert events()[-1] == ("console.login", "password and code")


def test_a_password_alone_signs_nobody_in_anywhere(root: User, enrolled: tuple[Phone, list[str]]) -> None:
    http = Http()
    password_given(http)
    assert SESSION_KEY not in http.session
    for url in OWN - {ENROL, f"{ROOT}logout/"}:
        assert http.get(url)["Location"].startswith(LOGIN)
    assert http.get(ENROL)["Location"] == CODE
    assert http.post(ENROL, {"code": "123456"})["Location"] == CODE
    assert Authenticator.objects.filter(confirmed=False).count() == 0


def test_a_session_of_another_way_in_does_not_open_the_console(root: User) -> None:
    http = Http()
    http.force_login(root)  # as an upstream sign-in does
    assert http.get(TARGET)["Location"].startswith(LOGIN)
    assert http.get(ENROL)["Location"].startswith(LOGIN)
    assert http.get(LOGIN).status_code == 200


@pytest.mark.parametrize(
    "wrong", ["000000", "", "abcdef", "\uff11" * 6, "1" * 5000, "\x00", "-1", "aaaa-bbbb-cccc-dddd"]
)
def test_a_wrong_code_lets_nobody_in_and_is_written_down(
    wrong: str, root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    http = Http()
    password_given(http)
    assert http.post(CODE, {"code": wrong}).status_code == 200
    assert not is_in(http)
    typed_at_all = 0 < len(wrong) <= second_factor.MAX_TYPED and "\x00" not in wrong
    assert (events()[-1] == ("console.login_failed", "code")) == typed_at_all


def test_a_code_is_taken_once(root: User, enrolled: tuple[Phone, list[str]]) -> None:
    code = enrolled[0].shows()
    answers = []
    for _ in range(2):
        http = Http()
        password_given(http)
        answers.append(http.post(CODE, {"code": code}).status_code)
    assert answers == [302, 200]


@pytest.mark.parametrize(("later", "taken"), [(-90, False), (-30, True), (30, True), (90, False)])
def test_a_clock_may_be_off_by_one_step(
    later: float, taken: bool, root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    http = Http()
    password_given(http)
    assert (http.post(CODE, {"code": enrolled[0].shows(later)}).status_code == 302) == taken


def test_after_a_wrong_code_the_next_one_has_to_wait(root: User, enrolled: tuple[Phone, list[str]]) -> None:
    http = Http()
    password_given(http)
    for _ in range(3):
        http.post(CODE, {"code": "000000"})
    assert http.post(CODE, {"code": enrolled[0].shows()}).status_code == 200
    Authenticator.objects.update(throttling_failure_timestamp=None)  # a while later
    assert http.post(CODE, {"code": enrolled[0].shows()}).status_code == 302


def test_codes_count_as_attempts(root: User, enrolled: tuple[Phone, list[str]], settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "admin_login": "3/minute"}
    http = Http()
    password_given(http)
    answers = [http.post(CODE, {"code": "000000"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1]["Retry-After"]


def test_a_recovery_code_works_once_however_it_is_typed(root: User, enrolled: tuple[Phone, list[str]]) -> None:
    typed = enrolled[1][0].upper().replace("-", " ")
    answers = []
    for _ in range(2):
        http = Http()
        password_given(http)
        answers.append(http.post(CODE, {"code": typed}).status_code)
    assert answers == [302, 200]
    used = AuditEvent.objects.get(event="console.recovery_code_used")
    assert used.detail == {"left": second_factor.RECOVERY_CODES - 1}


def test_nobodys_code_lets_somebody_else_in(root: User, enrolled: tuple[Phone, list[str]]) -> None:
    User.objects.create_superuser("other", password=PASSWORD)
    other = Http()
    password_given(other, "other")
    enrol(other)
    http = Http()
    password_given(http, "other")
    for code in (enrolled[0].shows(), enrolled[1][0]):
        assert http.post(CODE, {"code": code}).status_code == 200
    assert not is_in(http)


def test_the_first_step_counts_for_ten_minutes_and_only_with_the_password_it_was_done_with(
    root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    http = Http()
    password_given(http)
    session = http.session
    session["console_pending"] = {**session["console_pending"], "since": session["console_pending"]["since"] - 601}
    session.save()
    assert http.post(CODE, {"code": enrolled[0].shows()})["Location"] == LOGIN
    password_given(http)
    root.set_password("another that nobody guesses")
    root.save()
    assert http.post(CODE, {"code": enrolled[0].shows()})["Location"] == LOGIN
    assert http.get(CODE)["Location"] == Http().get(CODE)["Location"] == LOGIN


def test_who_is_no_operator_any_more_does_not_get_past_the_second_step(
    root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    http = Http()
    password_given(http)
    User.objects.update(is_staff=False)
    assert http.post(CODE, {"code": enrolled[0].shows()})["Location"] == LOGIN


def test_what_another_browser_has_seen_of_an_enrolment_is_worth_nothing(root: User) -> None:
    stranger, http = Http(), Http()
    password_given(stranger)
    seen = Phone(stranger.get(ENROL).context["key"])
    password_given(http)
    phone, _codes = enrol(http)
    assert phone.key != seen.key
    assert stranger.post(ENROL, {"code": seen.shows()})["Location"] == CODE
    assert stranger.post(CODE, {"code": seen.shows()}).status_code == 200


def test_an_operator_who_is_in_takes_another_phone_and_the_old_one_is_out(
    root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    http = Http()
    password_given(http)
    http.post(CODE, {"code": enrolled[0].shows()})
    phone, codes = enrol(http)
    assert is_in(http)
    again = Http()
    password_given(again)
    for old in (enrolled[0].shows(), enrolled[1][0]):
        assert again.post(CODE, {"code": old}).status_code == 200
    assert again.post(CODE, {"code": codes[0]}).status_code == 302
    assert phone.key != enrolled[0].key


def test_a_superuser_removes_a_lost_phone_and_its_browsers_are_out(
    root: User, enrolled: tuple[Phone, list[str]]
) -> None:
    User.objects.create_superuser("other", password=PASSWORD)
    lost, admin = Http(), Http()
    password_given(lost)
    lost.post(CODE, {"code": enrolled[0].shows()})
    assert is_in(lost)
    password_given(admin, "other")
    enrol(admin)
    key = Authenticator.objects.get(user=root).pk
    admin.post(f"{ROOT}authserver/authenticator/{key}/delete/", {"post": "yes"})
    assert not is_in(lost)
    assert not RecoveryCode.objects.filter(user=root).exists()
    password_given(lost)
    assert lost.get(CODE)["Location"] == ENROL


def test_where_it_is_not_required_it_is_asked_of_whoever_has_one(
    root: User, enrolled: tuple[Phone, list[str]], settings: Any
) -> None:
    settings.REQUIRE_TOTP = False
    User.objects.create_superuser("other", password=PASSWORD)
    http, other = Http(), Http()
    assert password_given(http)["Location"] == CODE
    assert not is_in(http)
    assert password_given(other, "other")["Location"] == TARGET
    assert is_in(other)


def test_no_code_and_no_key_is_in_the_audit_trail(root: User, enrolled: tuple[Phone, list[str]]) -> None:
    http = Http()
    password_given(http)
    code = enrolled[1][0]
    http.post(CODE, {"code": "000000"})
    http.post(CODE, {"code": code})
    written = str(list(AuditEvent.objects.values()))
    assert not re.search(f"{code}|{code.replace('-', '')}|000000", written)
