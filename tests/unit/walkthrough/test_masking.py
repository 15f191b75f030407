"""What the walk-through shows of a message holds no secret whole."""

from __future__ import annotations

from upstream.demo.walkthrough import masking, wire


def test_secrets_keep_four_characters_at_every_depth() -> None:
    document = {"access_token": "abcdefgh", "more": [{"refresh_token": "ijklmnop"}], "scope": "a b"}
    assert masking.in_json(document) == {"access_token": "abcd…", "more": [{"refresh_token": "ijkl…"}], "scope": "a b"}


def test_a_form_shows_what_it_is_about_and_no_code() -> None:
    assert masking.in_form({"grant_type": "x", "code": "secret-code"}) == {"grant_type": "x", "code": "secr…"}


def test_a_callback_address_shows_its_state_and_masks_its_code() -> None:
    shown = masking.in_query("http://localhost/demo/callback?code=secret-code&state=s&iss=http%3A%2F%2Flocalhost")
    assert shown.split() == ["/demo/callback", "?code=secr…", "&state=s", "&iss=http://localhost"]


def test_credentials_show_their_scheme() -> None:
    assert masking.in_credentials("Basic c2VjcmV0OnNlY3JldA==") == "Basic c2Vj…"


def test_fingerprints_tell_secrets_apart() -> None:
    assert masking.fingerprint("one") != masking.fingerprint("two")
    assert masking.fingerprint("one") == masking.fingerprint("one")


def test_short_lists_take_one_line_and_texts_are_left_alone() -> None:
    shown = wire.pretty({"list": ["a", "b"], "text": "two  spaces [ x ]"})
    assert '"list": ["a", "b"]' in shown
    assert '"two  spaces [ x ]"' in shown
