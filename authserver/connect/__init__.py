"""`/oauth/connect/<ticket>`: renew one upstream for a session that lives on.

The link comes in an exchange's error; the page names the MCP server and the client that ask, and a renewed credential
serves every session linked to it.
"""
