"""`/oauth/introspect` (RFC 7662): what a resource server may know of a token presented to it.

Resource servers only, and each about tokens of its own resources only; about everything else it hears that it is not
active, and nothing more. `views` is the endpoint, `lookup` what a token is.
"""
