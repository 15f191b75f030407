"""Clients that register themselves: `/oauth/register` (RFC 7591) and each one's own configuration (RFC 7592).

`views` are the two endpoints, `modes` who may register, `ownership` the registration access token, `answers` the JSON
that goes back. What a client may say of itself is `authserver.client_metadata`'s.
"""
