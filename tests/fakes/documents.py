"""A host of client ID metadata documents, over TLS, as clients publish them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.certificates import self_signed, server_side
from tests.fakes.server import FakeServer, Reply, Seen

NAME = "localhost"
PATH = "/client.json"


class Documents(FakeServer):
    """Serves `reply` at every path; by default the good document of whatever URL is asked for."""

    def __init__(self, authority: Path, private: Path) -> None:
        super().__init__()
        self.authority = authority  # a certificate that is its own authority
        if not authority.exists():
            self_signed(NAME, authority, private)
        self.wrap(server_side(self.authority, private))
        self.url = self.url.replace("http://127.0.0.1", f"https://{NAME}")
        self.reply: Reply | None = None

    @property
    def client_id(self) -> str:
        return self.url + PATH

    def document(self, **changes: Any) -> dict[str, Any]:
        """A good document; a member changed to None is left out."""
        whole = {
            "client_id": self.client_id,
            "client_name": "A published client",
            "redirect_uris": ["http://127.0.0.1:33418/", "https://app.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            **changes,
        }
        return {name: value for name, value in whole.items() if value is not None}

    def publish(self, headers: dict[str, str] | None = None, **changes: Any) -> None:
        """From now on the good document, with changes, is what is there."""
        self.reply = Reply(document=self.document(**changes), headers=headers or {})

    def answer(self, seen: Seen) -> Reply:
        return self.reply or Reply(document={**self.document(), "client_id": f"{self.url}{seen.path}"})


@contextmanager
def served(directory: Path) -> Iterator[Documents]:
    """A host up and running; its certificate authority is in `directory`."""
    with Documents(directory / "authority.pem", directory / "key.pem") as documents:
        yield documents
