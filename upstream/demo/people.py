"""Who can sign in at the demo provider. Two people are enough to see that neither gets the other's tokens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Person:
    """`subject` is the identity and never changes; `login` is a name, which somebody else may take over."""

    login: str
    subject: str
    name: str
    given_name: str
    family_name: str

    @property
    def email(self) -> str:
        return f"{self.login}@example.com"

    def claims(self, scopes: Collection[str]) -> dict[str, Any]:
        """The claims that `scopes` ask for (OpenID Connect Core s5.4); `sub` always."""
        claims: dict[str, Any] = {"sub": self.subject}
        if "profile" in scopes:
            claims |= {
                "name": self.name,
                "given_name": self.given_name,
                "family_name": self.family_name,
                "preferred_username": self.login,
            }
        if "email" in scopes:
            claims |= {"email": self.email, "email_verified": True}
        return claims


ADA = Person("ada", "demo-18151210", "Ada Lovelace", "Ada", "Lovelace")
GRACE = Person("grace", "demo-19061209", "Grace Hopper", "Grace", "Hopper")
PEOPLE = (ADA, GRACE)

BY_LOGIN = {person.login: person for person in PEOPLE}
BY_SUBJECT = {person.subject: person for person in PEOPLE}
