"""`/oauth/connect/<ticket>`: add or renew one upstream for a session that lives on.

The link comes in a refusal of token exchange or the by-tsid API. Its page names the MCP server and the client that ask;
the person approves, signs in at the provider where that is needed, and the session may use what came of it.
"""
