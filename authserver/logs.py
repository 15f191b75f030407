"""Structured logs: one line a decision, JSON or for the console; everybody's loggers go the same way.

A line has `time`, `level`, `event`, `logger`, `request_id`, and `client_id`, `tsid`, `upstream`, `user_id` where they are
known: what a request finds out about itself is bound to it (`about`) and is on every line that follows. The last thing that
happens to a line is `authserver.redaction`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from authserver.redaction import redacted

# Their debug lines hold requests, and so codes and tokens.
_CHATTY = (
    "oauthlib", "oauth2_provider", "urllib3", "requests_oauthlib", "social", "boto3", "botocore", "opentelemetry",
)  # fmt: skip
_OWN_HANDLERS = ("django", "django.server", "gunicorn.error", "gunicorn.access")
"""Loggers that come with handlers of their own, which would write around us."""


def about(**known: str) -> None:
    """What this request has found out about itself, for every line that follows: `client_id`, `tsid`, `upstream`."""
    structlog.contextvars.bind_contextvars(**known)


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """The processor before the renderer, for structlog's own lines and everybody else's."""
    return redacted(event)


def without_empty(logger: Any, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """What is not known is not there."""
    return {name: value for name, value in event.items() if value is not None and value != ""}


class Handler(logging.StreamHandler[Any]):
    """To standard error. What cannot be formatted is said without its arguments, which `logging` itself would print."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def handleError(self, record: logging.LogRecord) -> None:
        failure = sys.exc_info()[0]
        lost = {"level": "error", "event": "a log line was lost", "logger": record.name,
                "error": failure.__name__ if failure else ""}  # fmt: skip
        try:
            self.stream.write(json.dumps(lost) + "\n")
        except (OSError, ValueError):  # standard error itself is gone: there is nobody to tell
            return


def configure(options: dict[str, Any]) -> None:
    """Called by Django with `settings.LOGGING` (`format`, `level`) as `LOGGING_CONFIG`, and by gunicorn before that."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=repr)
        if options["format"] == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
        )
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, without_empty, redact, renderer],
    )
    handler = Handler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options["level"])
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel("WARNING")
    logging.getLogger("django.request").setLevel("ERROR")  # what was refused has a line of ours, with its reason
    for name in _OWN_HANDLERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
