"""The demo identity provider: an OpenID Provider, an OAuth 2.0 authorization server and an API, in small.

It exists so that a fresh checkout shows the whole flow, and so that tests meet a provider that answers over
real HTTP as the good ones do, and, when told to, as the bad ones do. Demo mode mounts it under our issuer's
`/demo/idp`, and nothing else does: anybody may sign in here as anybody.

The provider knows nothing of the rest of the project and keeps its own tables, because several server processes share
one database: every one-use decision (redeem a code, rotate a refresh token, count a fault down) is a single
conditional statement. Codes and tokens are kept as hashes; the signing keys are kept in clear, for they vouch
for nothing real.

`authorize` asks who you are, `token` redeems and refreshes, `resources` holds userinfo and the API, `revoke`
ends grants, `sign_out` tells clients that somebody has gone, `metadata` publishes discovery and keys. `grants` is the
state behind them. `knobs` changes how all of it behaves, `faults` is what can go wrong, and `control` is where tests
turn both over HTTP.

`walkthrough` is the page `/demo/` around it: a client and an MCP server that take the whole way, and show it.
"""
