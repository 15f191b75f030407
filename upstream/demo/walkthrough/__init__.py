"""`/demo/`: the whole flow in the browser, step by step, as an MCP client and an MCP server would do it.

This page plays two parts, the client and the MCP server, and plays them honestly: it speaks HTTP to our own endpoints
and has no other way in. `steps` are the ten steps in order, `story` what they say to the visitor, `wire` makes the
calls and writes them down with secrets masked, `walk` is what one browser has reached, kept sealed. `mcp_server` is a
real, small MCP server at `/demo/mcp`: any MCP client may connect to it; `bearer` is how it checks tokens.

Mounted in demo mode only. It shows what is otherwise never shown, the messages, and still no token.
"""
