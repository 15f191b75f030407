"""`/oauth/revoke` (RFC 7009): a client ends what it was given. What dies with it is `authserver.cascade`'s to say."""
