"""Writing and reading a lake in few words, and processes that do it beside the test's own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings

ROOT = Path(__file__).resolve().parents[3]

_PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings
settings = Settings.model_validate_json(sys.argv[1])
def say(*words):
    print(*words, flush=True)
def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""


_sessions: dict[Settings, tuple[ExitStack, duckdb.DuckDBPyConnection]] = {}


def _session(settings: Settings) -> duckdb.DuckDBPyConnection:
    # Kept for the test: opening costs half a second of CPU.
    if settings not in _sessions:
        stack = ExitStack()
        _sessions[settings] = stack, stack.enter_context(open_lake(settings))
    return _sessions[settings][1]


def close_sessions() -> None:
    while _sessions:
        _sessions.popitem()[1][0].close()


def write(settings: Settings, *statements: str) -> None:
    """Each statement in a transaction (so a snapshot) of its own."""
    for statement in statements:
        transact(_session(settings), settings, lambda c, sql=statement: c.execute(sql).fetchall(), message="test")


def read(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    return _session(settings).execute(sql).fetchall()


def read_file(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = duckdb.connect(str(path.resolve()), read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def data_files(settings: Settings) -> set[Path]:
    return set((settings.home_path / "data").rglob("*.parquet"))


def python(settings: Settings, code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start `code` in a process of its own; it has `settings`, `open_lake`, `transact`, `say` and `die`."""
    return subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(code), settings.model_dump_json(), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    """The next line the process says; waits for it."""
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if not said:
        raise AssertionError("the process ended: " + process.communicate(timeout=30)[1])
    return said


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Close the process's input, wait for it, and return what it still said; fails when it failed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.splitlines()


@contextmanager
def stopped_at_the_end(*processes: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
