"""How Superset reads the serving file: one locked-down DuckDB instance for each process and version, SELECT only."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from duckdb_engine import ConnectionWrapper, CursorWrapper

from catalog.serve.superset.server.barrier import behind_rules, without_values
from catalog.serve.superset.server.gate import Reading, refuse_beyond
from warehouse.serving.reading import open_version, refuse_unless_reading

URI_NAME = "gridlake-serving"
# These tell where things lie on this machine, which is nobody's business; SQL Lab gives them as a reason too. What
# leads out of the published tables is stopped by `warehouse.serving.reading`.
TELLING_FUNCTIONS = frozenset(
    ("duckdb_databases", "duckdb_settings", "duckdb_secrets", "duckdb_extensions", "duckdb_logs", "current_setting")
)
# DuckDB turns a PRAGMA into a SELECT from pragma_<name>, before anybody can see that it was one.
_TELLING = re.compile(rf"\b(?:(?:{'|'.join(sorted(TELLING_FUNCTIONS))})\"?\s*\(|pragma_\w+)", re.IGNORECASE)
# What the engine itself says at the end of a transaction; DuckDB would refuse it outside of one.
_ENGINE_WORDS = ("commit", "rollback")
_IDLE_SECONDS = 900.0


class SelectOnlyCursor(CursorWrapper):
    """Refuses every statement but SELECT: Superset's own check lets ATTACH, COPY, CALL and SET of DuckDB through."""

    _is_silent = False

    def execute(self, statement: str, parameters: Any = None, context: Any = None) -> Any:
        """Run one SELECT.

        Raises:
            duckdb.PermissionException: the statement is something else, or reaches beyond what this query may read.
            duckdb.Error: it fails; for a chart's query without a word of what stands in a row.
        """
        if statement.strip().lower() not in _ENGINE_WORDS:
            reading, wrapped = self.connection.reading(), self.connection.wrapped
            tree = refuse_unless_reading(wrapped, statement)
            refuse_beyond(reading, tree)
            for part in wrapped.extract_statements(statement):
                if found := _TELLING.search(part.query):
                    raise duckdb.PermissionException(f"{found[0].rstrip('( ')} is not allowed here")
            held = behind_rules(wrapped, reading, statement, tree)
            # Whoever sees all that is published needs the engine's words for the statements of SQL Lab.
            self._is_silent = bool(reading.tables) or held is not statement
            statement = held
        return self._told(super().execute, statement, parameters, context)

    def fetchone(self) -> Any:
        """The next row; DuckDB computes while it is asked for rows, so that this can fail like `execute`."""
        return self._told(self.connection.wrapped.fetchone)

    def fetchmany(self, size: int | None = None) -> Any:
        """The next rows, as `fetchone`."""
        return self._told(super().fetchmany, size)

    def fetchall(self) -> Any:
        """The other rows, as `fetchone`."""
        return self._told(self.connection.wrapped.fetchall)

    def _told(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return ask(*arguments)
        except duckdb.Error as error:
            told = without_values(error) if self._is_silent else error
        # Outside of the handler, so that the engine's own words do not hang on the new error.
        raise told

    def executemany(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        """Refused: only writing needs it.

        Raises:
            duckdb.PermissionException: always.
        """
        raise duckdb.PermissionException("only one SELECT at a time is allowed here")


class SelectOnlyConnection(ConnectionWrapper):
    """A connection whose cursors are all SelectOnlyCursor."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, reading: Callable[[], Reading]) -> None:
        """Wrap the connection; `reading` gives what a query of this moment may read."""
        super().__init__(connection)
        self.wrapped = connection
        self.reading = reading

    def cursor(self) -> SelectOnlyCursor:
        """A cursor that reads."""
        return SelectOnlyCursor(self.wrapped, self)


@dataclass
class _Instance:
    root: duckdb.DuckDBPyConnection
    used_at: float


class Instances:
    """The DuckDB instances of this process, one for each version that is being read."""

    def __init__(self, *, threads: int, memory: str, spill: Path, reading: Callable[[], Reading]) -> None:
        """Each instance may use `threads` and `memory`, and writes large sorts to `spill`.

        `reading` gives what a query of this moment may read.
        """
        self._threads, self._memory, self._spill, self._reading = threads, memory, spill, reading
        self._lock = threading.Lock()
        self._open: dict[Path, _Instance] = {}

    def connect(self, path: Path) -> SelectOnlyConnection:
        """A connection to this version, which DuckDB opens once for all connections of the process."""
        now = time.monotonic()
        with self._lock:
            for other, instance in list(self._open.items()):
                if other != path and now - instance.used_at > _IDLE_SECONDS:
                    del self._open[other]
                    instance.root.close()
            found = self._open.get(path)
            if found is None:
                found = self._open[path] = _Instance(self._open_version(path), now)
            found.used_at = now
            return SelectOnlyConnection(found.root.cursor(), self._reading)

    def _open_version(self, path: Path) -> duckdb.DuckDBPyConnection:
        return open_version(path, threads=self._threads, memory=self._memory, spill=self._spill)


def mutator(instances: Instances, path: Callable[[], Path]) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Superset's DB_CONNECTION_MUTATOR: leads the one symbolic address to the version of the request.

    Any other DuckDB or SQLite address is refused: a file on this machine is nobody's to open from the pages.
    """

    def mutate(uri: Any, params: dict[str, Any], *_: Any) -> tuple[Any, dict[str, Any]]:
        backend = uri.get_backend_name()
        if backend == "duckdb" and uri.database == URI_NAME:
            params["creator"] = lambda: instances.connect(path())
        elif backend in ("duckdb", "sqlite"):
            raise ValueError(f"files of this machine cannot be opened as a database; use duckdb:///{URI_NAME}")
        return uri, params

    return mutate
