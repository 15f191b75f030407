"""How gunicorn serves us, each line with its reason. Started in this directory it needs no argument but `--bind`."""

from __future__ import annotations

import gc
import ipaddress
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from authserver import logs
from authserver.env import Environment
from authserver.metrics import directory

env = Environment()
directory.prepare(Path(env.get("AUTHSERVER_DATA_DIR") or "var").resolve())  # before anything is counted

# --- What is served, by whom --------------------------------------------------------------------------------------
wsgi_app = "authserver.wsgi:application"
bind = "127.0.0.1:8000"  # said aloud, because gunicorn's own default turns public when PORT is set
workers = env.number("AUTHSERVER_WORKERS", at_least=1)  # 1 unless told otherwise: more of them need a shared cache
# gthread: upstream calls wait on the network; threads let the others go on meanwhile. Ours ends without losing a request.
worker_class = "authserver.gunicorn_worker.Worker"
threads = env.number(
    "AUTHSERVER_THREADS", at_least=1
)  # beyond a few, threads only queue for the interpreter and the database
preload_app = (
    True  # one import for all workers: less memory, and a wrong setting stops the start once, with its message
)
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # heartbeats must never wait for a disk
control_socket_disable = True  # nobody asked for a second way in, and its socket would be a file on a read-only root

# --- How long things may take -------------------------------------------------------------------------------------
# Resource servers call often; a new TCP connection for each exchange costs more than the exchange. Longer than nginx's.
keepalive = 60
timeout = 30  # a worker whose main loop is silent for so long is stuck; slow clients are the proxy's to send away
graceful_timeout = 25  # a poll of /api/v1/revocations ends within it; deploy/ waits longer before it kills

# --- What may come in ---------------------------------------------------------------------------------------------
limit_request_line = (
    8190  # an authorize URL with 2 KiB of state, encoded, fits; gunicorn counts no further; more is a 414
)
limit_request_fields = 64  # browsers behind two proxies send about 30
limit_request_field_size = 8190  # cookies and bearer tokens fit; more is a 431
header_map = "drop"  # `X_Forwarded_For` must not pass for `X-Forwarded-For`
forwarder_headers = ""  # a SCRIPT_NAME or PATH_INFO header would move every URL, and loopback peers could send it
secure_scheme_headers: dict[
    str, str
] = {}  # the issuer says whether we are on https, not a header that gunicorn interprets
forwarded_allow_ips = (
    ""  # so nobody's forwarded headers mean anything to gunicorn; Django reads those of trusted proxies
)

# --- What is written down -----------------------------------------------------------------------------------------
accesslog = None  # request lines hold codes and states; our own log has one line a decision instead
errorlog = "-"  # standard error, like the application's log
capture_output = False


class logger_class(Logger):  # gunicorn's name for the setting
    """gunicorn's own lines go the way of ours: one format, and nothing secret in them."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logs.configure({"format": env.get("AUTHSERVER_LOG_FORMAT") or "json", "level": _log_level()})


def _log_level() -> str:
    """A wrong one stops the start a moment later, in words (`authserver.settings`)."""
    level = (env.get("AUTHSERVER_LOG_LEVEL") or "INFO").upper()
    return level if level in {"DEBUG", "INFO", "WARNING", "ERROR"} else "INFO"


def on_starting(server: Any) -> None:
    """The demo identity provider signs anybody in: it must not be reachable from anywhere else."""
    for address in server.cfg.address:
        if env.flag("AUTHSERVER_DEMO") and not (isinstance(address, tuple) and _is_loopback(address[0])):
            raise SystemExit(f"Demo mode serves loopback addresses only, and {address!r} is none.")


def when_ready(server: Any) -> None:
    """Before the workers are forked: what is there by now stays, so their collectors need not look at it. Looking writes into
    every page of it, and a page that was written to is no longer shared."""
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """What a worker said of itself ends with it; what it counted stays."""
    directory.worker_died(worker.pid)


def on_exit(server: Any) -> None:
    directory.remove()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
