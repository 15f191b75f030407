"""What the token endpoint does for a code and for a refresh token, called by the validator's leaf hooks."""
