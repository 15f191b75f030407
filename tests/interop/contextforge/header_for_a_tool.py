"""Runs in ContextForge's own environment: the header it would send with a tool call, by its own code.

Reads a JSON object: `oauth_config`, which is what a person types in for a gateway, and `bearer`, the token that the
caller of the tool presented. Writes one: `header`, or `error`, which is what that caller is told.
"""

from __future__ import annotations

import asyncio
import json
import sys

from mcpgateway.services.gateway_service import GatewayService  # type: ignore[import-not-found]
from mcpgateway.services.tool_service import ToolInvocationError, ToolService  # type: ignore[import-not-found]


async def header(oauth_config: dict[str, object], bearer: str) -> str:
    """Checks the settings as when a gateway is registered, and exchanges as when one of its tools is called."""
    checked = GatewayService._validate_token_exchange_config(oauth_config)
    headers = await ToolService()._resolve_token_exchange_header(
        checked, "gateway-1", "authserver", "ada@example.com", {"Authorization": f"Bearer {bearer}"}
    )
    return str(headers["Authorization"])


def main() -> None:
    asked = json.load(sys.stdin)
    answer = {}
    try:
        answer["header"] = asyncio.run(header(asked["oauth_config"], asked["bearer"]))
    except ToolInvocationError as error:
        answer["error"] = str(error)
    sys.stdout.write(f"\n{json.dumps(answer)}\n")  # it logs to standard output as well: this is the last line


if __name__ == "__main__":
    main()
