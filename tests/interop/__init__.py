"""Our server as other people's software uses it: official clients, the example MCP server, the MCP conformance runner."""
