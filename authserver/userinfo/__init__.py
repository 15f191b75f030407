"""UserInfo (OpenID Connect Core section 5.3): who the person behind an access token is, as far as they approved.

Owns `/oauth/userinfo` and no table. `bearer` reads the token (RFC 6750), `verify` and the vault say whether it is good,
`claims.about` what may be told.
"""
