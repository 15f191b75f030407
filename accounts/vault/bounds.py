"""What the vault takes, whichever backend: sizes, shapes, and what untrusted text may look like before it is looked up."""

from __future__ import annotations

from accounts.vault.base import MAX_SCOPE_BYTES, MAX_TOKEN_BYTES, NewSession, TokenSet, TooLarge, Unstorable


def check_tokens(tokens: TokenSet) -> None:
    """Raise `TooLarge` or `Unstorable` for what a provider must not make us keep. The message names the member only."""
    if not tokens.access_token:
        raise Unstorable("there is no access token")
    for name in ("access_token", "refresh_token", "id_token", "token_type"):
        value = getattr(tokens, name) or ""
        if not isinstance(value, str):
            raise Unstorable(f"{name} is not text")
        if len(value.encode("utf-8", "surrogatepass")) > MAX_TOKEN_BYTES:
            raise TooLarge(f"{name} has more than {MAX_TOKEN_BYTES} bytes")
    if len(" ".join(tokens.scopes).encode("utf-8", "surrogatepass")) > MAX_SCOPE_BYTES:
        raise TooLarge(f"the scopes have more than {MAX_SCOPE_BYTES} bytes")


def check_identity(provider: str, subject: str) -> None:
    """Raise for a provider or a subject that no row can hold. A subject is never cut: it would be somebody else's."""
    if not is_provider(provider):
        raise Unstorable("not a provider's name")
    if not subject or not subject.isprintable():
        raise Unstorable("the subject is empty or has characters that cannot be stored")
    if len(subject) > 255:
        raise TooLarge("the subject has more than 255 characters")


def check_approved(new: NewSession) -> None:
    """Raise where a session would have two credentials of one provider."""
    if len({approved.provider for approved in new.approved}) != len(new.approved):
        raise Unstorable("a session has one credential of each provider")


def is_tsid(unverified_tsid: str) -> bool:
    """Whether this could name a session; asked before a caller's text reaches a column."""
    return (
        0 < len(unverified_tsid) <= 64
        and unverified_tsid.isascii()
        and unverified_tsid.replace("-", "").replace("_", "").isalnum()
    )


def is_provider(unverified_name: str) -> bool:
    """Whether this could name a provider; asked before a caller's text reaches a column."""
    return 0 < len(unverified_name) <= 32 and unverified_name.isascii() and unverified_name.replace("-", "").isalnum()


def scope_text(scopes: tuple[str, ...]) -> str:
    """The copy of `scopes` for listing and comparing: space-separated, without what RFC 6749 section 3.3 has no room for.

    A provider decides what its scopes look like; a NUL or a space among them must not reach a database column.
    """
    return " ".join(scope for scope in scopes if scope and all("\x21" <= character <= "\x7e" for character in scope))


def printable(text: str, length: int) -> str:
    """`text` for showing, cut to `length`, without what a database column or a log line cannot hold."""
    return "".join(character if character.isprintable() else "?" for character in text[:length])
