"""The writer's turn: on one host only one process writes to a lake at a time.

A lock of the operating system is used because it is given back when its holder dies, however it dies.
Writers on other hosts (PostgreSQL catalogue) are met by DuckLake's own conflict check, see `lake.transact`.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_held = threading.local()


@contextmanager
def writer_turn(home: Path) -> Iterator[None]:
    """Wait for the turn, hold it for the block, give it back. May be nested in one thread."""
    depth: dict[Path, int] = _held.__dict__.setdefault("depth", {})
    if depth.get(home, 0):
        depth[home] += 1
        try:
            yield
        finally:
            depth[home] -= 1
        return
    home.mkdir(parents=True, exist_ok=True)
    with (home / "writer.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        depth[home] = 1
        try:
            yield
        finally:
            depth[home] = 0
            fcntl.flock(handle, fcntl.LOCK_UN)
