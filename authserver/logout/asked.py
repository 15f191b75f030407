"""What an app asks for when it sends a person to be signed out (OpenID Connect RP-Initiated Logout 1.0 section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from authserver import clients, redirects, verify
from authserver.models import Client

PARAMETERS = frozenset({"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"})
MAX_STATE = 4096


@dataclass(frozen=True)
class Asked:
    """`hinted` is whom the app takes the person for, on an ID token of ours; None where it shows none.

    `return_url` is where the app wants the person back, `state` included; empty unless that app has registered it.
    `flaw`, in words for its developer: such a request is suspect (section 4), and the person is asked.
    """

    client: Client | None
    hinted: UUID | None
    return_url: str
    flaw: str


def read(given: dict[str, str]) -> Asked:
    """`logout_hint` is taken and not acted upon: nobody chooses among accounts here."""
    client_id, hinted, flaw = given.get("client_id", ""), None, ""
    if (unverified := given.get("id_token_hint")) is not None:
        try:
            hint = verify.id_token_hint(unverified)
        except verify.InvalidToken:
            flaw = "id_token_hint is not an ID token of this server."
        else:
            if client_id and client_id != hint.client_id:  # section 2: MUST verify
                flaw = "id_token_hint was given to another client than client_id names."
            else:
                client_id, hinted = hint.client_id, hint.subject
    client = usable(client_id) if client_id else None
    if client_id and client is None:
        flaw = flaw or "client_id is not registered here."
    return_url, wrong = _return_url(given, None if flaw else client)
    return Asked(client, hinted, return_url, flaw or wrong)


def usable(client_id: str) -> Client | None:
    client = clients.known(client_id)
    return client if client is not None and client.is_usable(None) else None


def _return_url(given: dict[str, str], client: Client | None) -> tuple[str, str]:
    """Section 3: where one of the client's own `post_logout_redirect_uris` leads, and else nowhere; and what is wrong."""
    uri, state = given.get("post_logout_redirect_uri", ""), given.get("state", "")
    if not uri:
        return "", ""
    if client is None:
        return "", "post_logout_redirect_uri needs the client it is registered by: id_token_hint or client_id."
    if not redirects.matches(client.metadata.get("post_logout_redirect_uris", []), uri):
        return "", "post_logout_redirect_uri is not one that this client has registered."
    if len(state) > MAX_STATE:
        return "", f"state is longer than {MAX_STATE} characters."
    if not state:
        return uri, ""
    joint = "" if uri.endswith(("?", "&")) else "&" if "?" in uri else "?"
    return f"{uri}{joint}{urlencode({'state': state})}", ""
