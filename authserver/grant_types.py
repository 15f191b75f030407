"""The grant types we serve, by their names on the wire."""

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - RFC 8693 section 2.1, a name
GRANT_TYPES = ("authorization_code", "refresh_token", TOKEN_EXCHANGE)
