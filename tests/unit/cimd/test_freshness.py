"""How long a document holds: by its headers, between five minutes and a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authserver.cimd.freshness import AT_LEAST, AT_MOST, UNSAID, lifetime

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DATE = "Tue, 24 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({}, 60),
        ({"Cache-Control": "max-age=1800"}, 30),
        ({"Cache-Control": 'public, MAX-AGE="1800"'}, 30),
        ({"Cache-Control": "max-age = 1800, immutable"}, 30),
        ({"Cache-Control": "max-age=1800, s-maxage=2400"}, 40),
        ({"Cache-Control": "max-age=1800", "Age": "600"}, 20),
        ({"Cache-Control": "max-age=1800", "Age": "9000"}, 5),
        ({"Cache-Control": "max-age=1800", "Age": "-1"}, 30),
        ({"Cache-Control": "max-age=0"}, 5),
        ({"Cache-Control": "max-age=60"}, 5),
        ({"Cache-Control": "max-age=31536000"}, 24 * 60),
        ({"Cache-Control": "max-age=999999999999"}, 24 * 60),
        ({"Cache-Control": "no-store, max-age=86400"}, 5),
        ({"Cache-Control": "no-cache"}, 5),
        ({"Cache-Control": "private, max-age=86400"}, 5),
        ({"Cache-Control": "max-age=1800", "Expires": "0"}, 30),
        ({"Cache-Control": "max-age=abc"}, 60),
        ({"Expires": "Tue, 24 Nov 2026 12:30:00 GMT", "Date": DATE}, 30),
        ({"Expires": "Tue, 24 Nov 2026 12:30:00 GMT"}, 30),
        ({"Expires": "Tue, 24 Nov 2026 11:00:00 GMT", "Date": DATE}, 5),
        ({"Expires": "Tue, 24 Nov 2099 11:00:00 GMT"}, 24 * 60),
        ({"Expires": "0"}, 5),
        ({"Expires": "-1"}, 5),
        ({"Expires": "Tue, 24 Nov 2026 12:30:00 GMT", "Date": "garbage"}, 30),
    ],
)
def test_headers_decide_within_our_bounds(headers: dict[str, str], minutes: int) -> None:
    assert lifetime(headers, now=NOW) == timedelta(minutes=minutes)


def test_a_document_that_says_nothing_holds_an_hour() -> None:
    assert lifetime({}, now=NOW) == UNSAID


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from(["Cache-Control", "Expires", "Date", "Age"]), st.text(max_size=60)))
def test_no_header_is_an_accident_or_breaks_the_bounds(headers: dict[str, str]) -> None:
    assert AT_LEAST <= lifetime(headers, now=NOW) <= AT_MOST
