"""Structured logs: one line a decision, JSON or for the console; the standard library's loggers go the same way."""

from __future__ import annotations

import logging
import re
from typing import Any

import structlog

# A `connect_url` or an `admin_link` is good for whoever holds it, until it is used: Django would log the path of a refused one.
_TICKET = re.compile(r"(/oauth/connect/|/link/)[^/\s?\"']+")


def without_tickets(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """The same line, with an ellipsis where a link's ticket stood."""
    if isinstance(event.get("event"), str):
        event["event"] = _TICKET.sub(r"\1…", event["event"])
    return event


def configure(options: dict[str, Any]) -> None:
    """Called by Django with `settings.LOGGING` (`format`, `level`) as `LOGGING_CONFIG`."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_tickets,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if options["format"] == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options["level"])
    for chatty in ("oauthlib", "oauth2_provider", "urllib3", "requests_oauthlib", "social", "boto3", "botocore"):
        logging.getLogger(chatty).setLevel("WARNING")  # their debug lines hold requests, and so codes and tokens
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
