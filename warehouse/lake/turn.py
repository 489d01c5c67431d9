"""The writer's turn: only one process writes to a lake at a time.

On one host it is a lock of the operating system on `writer.lock`; where the catalogue is a PostgreSQL database it is
also a lock in that database (`host_turn`), because writers of other hosts do not see the file. Both are given back
when their holder dies, however it dies. Readers take no turn.

Whole runs of the command line take turns as well (`run_turn`), by a lock on `run.lock`: two that land and build the
same at once would only be in each other's way.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from warehouse.lake.host_turn import host_turn
from warehouse.settings import Settings

# What is told to people goes to this logger, which commands show.
log = logging.getLogger("gridlake")
# A shorter wait is not worth a line.
_PATIENCE_SECONDS = 1.0
_RUN_LOCK = "run.lock"
_held = threading.local()


@contextmanager
def writer_turn(settings: Settings) -> Iterator[None]:
    """Wait for the turn, hold it for the block, give it back. May be nested in one thread.

    Who waits for longer than a moment is told who is at work.

    Raises:
        LakeError: the catalogue's PostgreSQL database cannot be reached.
    """
    depth: dict[Path, int] = _held.__dict__.setdefault("depth", {})
    home = settings.home_path
    if depth.get(home, 0):
        depth[home] += 1
        try:
            yield
        finally:
            depth[home] -= 1
        return
    home.mkdir(parents=True, exist_ok=True)
    me = _who(settings)
    with (home / "writer.lock").open("a+", encoding="utf-8") as lock:
        _wait(lock, "waiting for the writer's turn, which has")
        _sign(lock, me)
        try:
            with host_turn(settings, me) if settings.uses_postgresql else contextlib.nullcontext():
                depth[home] = 1
                try:
                    yield
                finally:
                    depth[home] = 0
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


@contextmanager
def run_turn(settings: Settings) -> Iterator[None]:
    """Be the only run of the command line in this home for the block; who waits is told who is at work."""
    home = settings.home_path
    home.mkdir(parents=True, exist_ok=True)
    with (home / _RUN_LOCK).open("a+", encoding="utf-8") as lock:
        _wait(lock, "waiting until another run has ended:")
        _sign(lock, _who(settings))
        yield


def is_run_under_way(home: Path) -> bool:
    """Whether a run of the command line has its turn in this home."""
    try:
        with (home / _RUN_LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _wait(lock: TextIO, telling: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.02)
    lock.seek(0)
    log.info("%s %s", telling, lock.read().strip() or "another process")
    fcntl.flock(lock, fcntl.LOCK_EX)


def _sign(lock: TextIO, me: str) -> None:
    """Write who has the turn into the file; on a full disk the turn is worth more than the name."""
    with contextlib.suppress(OSError):
        lock.truncate(0)
        lock.write(me + "\n")
        lock.flush()


def _who(settings: Settings) -> str:
    program = Path(sys.argv[0]).name if sys.argv else ""
    command = " ".join((program, *sys.argv[1:2])) if program == "gridlake" else program or "python"
    since = datetime.now(ZoneInfo(settings.timezone))
    return f"`{command}` on {socket.gethostname()} (process {os.getpid()}, since {since:%Y-%m-%d %H:%M:%S})"
