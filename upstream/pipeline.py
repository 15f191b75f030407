"""The steps of an upstream sign-in."""
