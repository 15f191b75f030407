"""`/livez`: the process answers. `/readyz`: each seam does too."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.vault import key_check, vault
from accounts.vault.sealing import sealing
from authserver.keys import signer

log = structlog.get_logger("probes")


def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every seam answers its ping, else 503; which one fails is named, why is in the log."""
    answers = ask()
    status = 200 if set(answers.values()) == {"ok"} else 503
    response = JsonResponse(answers, status=status)
    response["Cache-Control"] = "no-store"
    return response


def ask() -> dict[str, str]:
    """Each seam's name, and `ok`, `failed` or `not_asked`.

    Without a database the others are not asked: each would wait for a connection, and a probe must not hold a thread.
    """
    seams: dict[str, Callable[[], object]] = {
        "database": lambda: connection.cursor().execute("SELECT 1"),
        "vault": lambda: vault().ping(),
        "sealing": lambda: sealing().ping(),
        "vault_keys": key_check.verify,  # others may have turned a key over, and forgotten this process
        "signing": lambda: signer().ping(),
    }
    answers = dict.fromkeys(seams, "not_asked")
    for name, ping in seams.items():
        try:
            ping()
            answers[name] = "ok"
        except Exception as error:  # whatever is wrong with a seam, the answer is 503 and the log says why
            log.error("not ready", seam=name, error=type(error).__name__)
            answers[name] = "failed"
            if name == "database":
                break
    return answers
