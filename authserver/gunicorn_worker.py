"""gunicorn's threaded worker, which leaves its door when it is told to end; `gunicorn.conf.py` names it.

gunicorn's own stops accepting, and keeps the listening socket until its last request is answered. Meanwhile the kernel
takes connections that nobody will serve: they hang, and end in a reset that a proxy may not repeat a POST after. Closed at
once, they are refused, and the proxy asks another process.
"""

from __future__ import annotations

import select

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):
    """As its base, but for the end: whoever waits at the door is let in, then it is shut."""

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled or self.alive:  # for a while only, with as many connections as it may have
            return
        for listener in self.sockets:
            while listener.fileno() >= 0 and select.select([listener], [], [], 0)[0]:
                self.accept(listener)
            listener.close()  # this worker's own: after SIGHUP the next workers have theirs
