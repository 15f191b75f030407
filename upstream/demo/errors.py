"""Refusals, as the specifications write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class OAuthError(Exception):
    """A refusal: RFC 6749 s5.2 (token endpoint) and s4.1.2.1 (authorization endpoint), RFC 6750 s3.1."""

    error: str
    description: str
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)


def invalid_request(description: str, status: int = 400) -> OAuthError:
    return OAuthError("invalid_request", description, status)


def invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)
