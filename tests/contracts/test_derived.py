"""Sealing under a token's own key: no contract, as there is one of it, and the same care."""

from __future__ import annotations

import pytest

from accounts.vault.base import Damaged
from accounts.vault.derived import open_under, seal_under

TOKEN, HANDLE, ANSWER = "rt1.a-refresh-token", "session-handle", b'{"access_token":"CANARY"}'


def test_the_token_opens_what_was_sealed_under_it() -> None:
    assert open_under(TOKEN, seal_under(TOKEN, ANSWER, HANDLE), HANDLE) == ANSWER


@pytest.mark.parametrize(("token", "handle"), [(TOKEN + "x", HANDLE), ("", HANDLE), (TOKEN, "another"), (TOKEN, "")])
def test_no_other_token_and_no_other_row_opens_it(token: str, handle: str) -> None:
    with pytest.raises(Damaged):
        open_under(token, seal_under(TOKEN, ANSWER, HANDLE), handle)


def test_no_part_of_it_opens() -> None:
    sealed = seal_under(TOKEN, ANSWER, HANDLE)
    for end in range(len(sealed)):
        with pytest.raises(Damaged):
            open_under(TOKEN, sealed[:end], HANDLE)


@pytest.mark.parametrize("planted", ["", "planted", "%%%%", "AAAA", ANSWER.decode(), "ünïcödé"])
def test_planted_text_does_not_open(planted: str) -> None:
    with pytest.raises(Damaged):
        open_under(TOKEN, planted, HANDLE)
