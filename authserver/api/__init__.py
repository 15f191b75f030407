"""`/api/v1/`: resource servers read the upstream tokens of a session by its `tsid` (DRF, OpenAPI).

The same rule of access and the same states as token exchange (`authserver.release`), for callers that know a session and
want several upstreams at once, or have no JWT at hand.
"""
