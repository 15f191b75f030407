"""Where gunicorn's workers keep their numbers, so that any of them can answer for all: a directory of this start's own.

Before anything is counted, and before `prometheus_client` is imported: it looks at `PROMETHEUS_MULTIPROC_DIR` once. The
files belong to one start. What an earlier one left (after `kill -9`) is removed; what another one over the same base still
uses is locked, and stays.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "authserver-metrics-"
_LOCK = "in-use"

_held: tuple[Path, int] | None = None


def prepare(data_dir: Path) -> Path:
    """A fresh directory, in memory where there is a place for that, else below `data_dir`. The same one when asked again:
    gunicorn reads its configuration anew on SIGHUP, and workers of before it go on."""
    global _held  # noqa: PLW0603  # one a process, which holds its lock until it ends, and its workers with it
    if _held is None:
        shared_memory = Path("/dev/shm")  # noqa: S108  # what is made there is ours alone (0700)
        base = shared_memory if os.access(shared_memory, os.W_OK | os.X_OK) else data_dir
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_abandoned(base)
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        lock = os.open(made / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _held = made, lock
        os.environ[VARIABLE] = str(made)
    return _held[0]


def is_used() -> bool:
    """Whether this process counts into files, for others to read."""
    return _held is not None


def worker_died(pid: int) -> None:
    """Its gauges end with it; what it counted stays."""
    from prometheus_client import multiprocess

    if _held is not None and _held[0].is_dir():
        multiprocess.mark_process_dead(pid, str(_held[0]))  # type: ignore[no-untyped-call]


def remove() -> None:
    """At the end of the last worker."""
    if _held is not None:
        shutil.rmtree(_held[0], ignore_errors=True)


def _remove_abandoned(base: Path) -> None:
    for left in base.glob(f"{_PREFIX}*"):
        if left.is_symlink() or left.stat().st_uid != os.getuid():
            continue
        try:
            lock = os.open(left / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # being made this very moment, or gone
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
        shutil.rmtree(left, ignore_errors=True)
