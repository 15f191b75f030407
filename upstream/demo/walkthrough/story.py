"""What the steps say to the visitor, in the order of `steps.STEPS`."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise

PARTIES: dict[str, tuple[Words, Words]] = {
    "client": (_("MCP client"), _("An app nobody has registered. This page plays it.")),
    "authserver": (_("Authserver"), _("This server: signs people in, keeps their upstream tokens.")),
    "mcp": (_("MCP server"), _("Has a tool that needs your account. This page plays it, too.")),
    "provider": (_("Provider"), _("Where your account is. Here a demo; in its place your GitHub or Google.")),
    "browser": (_("Browser"), ""),
}
"""Name and part of everybody who sends or receives."""


@dataclass(frozen=True)
class Chapter:
    """`button` starts the step; `standards` name what it follows."""

    title: Words
    words: Words
    button: Words
    standards: str


CHAPTERS: dict[str, Chapter] = {
    "discover": Chapter(
        _("Knock, and be told where to sign in"),
        _(
            "The client knows one thing: the MCP server’s address. It calls without a token, is refused, and follows "
            "the pointer in the refusal, first to the MCP server’s metadata, then to its authorization server’s."
        ),
        _("Call the MCP server"),
        "RFC 9728, RFC 8414",
    ),
    "register": Chapter(
        _("Introduce itself"),
        _(
            "Nobody has registered this client, so it does that itself. It gets a client ID and no secret: PKCE protects it."
        ),
        _("Register the client"),
        "RFC 7591",
    ),
    "authorize": Chapter(
        _("Ask the person"),
        _(
            "The client sends your browser to Authserver. There you see who asks for what, and decide. Then you sign in at "
            "the demo provider as Ada or Grace, without a password, and come back here."
        ),
        _("Go and decide"),
        "OAuth 2.1, RFC 7636, RFC 8707, RFC 9207",
    ),
    "token": Chapter(
        _("Trade the code for tokens"),
        _(
            "Your browser brought back a code. It works once, within a minute, and only together with the verifier that "
            "never left the client. For it the client gets a JWT for this one MCP server, and a refresh token."
        ),
        _("Redeem the code"),
        "OAuth 2.1, RFC 7636, RFC 9068",
    ),
    "call": Chapter(
        _("Call the MCP server again, with the token"),
        _(
            "The MCP server checks signature, issuer, audience and expiry with Authserver’s public keys. It asks nobody, "
            "and it lets the client in."
        ),
        _("List its tools"),
        "RFC 6750, RFC 9068",
    ),
    "exchange": Chapter(
        _("Fetch the person’s upstream token"),
        _(
            "Now in the MCP server’s place: its tool has to call the provider as you. It shows Authserver the token it was "
            "called with, proves who it is, and gets your token at the provider. The client never sees that one."
        ),
        _("Exchange the token"),
        "RFC 8693",
    ),
    "act": Chapter(
        _("Act as the person"),
        _("With that token the MCP server calls the provider’s API, and the provider sees you."),
        _("Ask the provider who I am"),
        "RFC 6750",
    ),
    "expire": Chapter(
        _("Let a minute pass"),
        _(
            "Tokens of the demo provider live for 60 seconds. Use the same one again once they are over, or let the provider "
            "end it now."
        ),
        _("Use the old token"),
        "RFC 7009",
    ),
    "again": Chapter(
        _("Exchange again"),
        _(
            "The MCP server does not care about expiry: it asks for the token whenever it needs one. Authserver renews it at "
            "the provider in time, keeps what it gets, and hands out the fresh one. Your session is the same."
        ),
        _("Exchange again"),
        "RFC 8693, RFC 6749",
    ),
    "refresh": Chapter(
        _("Refresh the client’s own tokens"),
        _(
            "When its JWT runs out, the client trades its refresh token for a new pair. The old refresh token is spent, and "
            "the tsid in the JWT stays: to the vault it is still the same approval."
        ),
        _("Refresh"),
        "OAuth 2.1",
    ),
}

CLAIMS: dict[str, Words] = {
    "iss": _("who issued it"),
    "sub": _("the person: an opaque id, no name and no e-mail address"),
    "aud": _("the one MCP server it is good for"),
    "client_id": _("the client it was given to"),
    "scope": _("what it allows there"),
    "iat": _("issued at"),
    "exp": _("expires at"),
    "jti": _("this token’s own id"),
    "tsid": _("the token session: the handle to the upstream tokens, through every refresh"),
}
"""What each claim means, in the order they are shown."""
