"""An SQLAlchemy dialect through which Great Expectations reads an open lake session.

Great Expectations fetches rows after it has given the connection back, and giving back (ROLLBACK) drops a
DuckDB result. So this dialect's cursors keep all rows of a result when the statement has run; the results of
expectations are small. The session itself is opened by `warehouse.lake.session`, so there is one way to attach a lake.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import duckdb_engine
from sqlalchemy.dialects import registry

from warehouse.identifiers import checked

registry.register("duckdb.lake", __name__, "LakeDialect")

_sessions: dict[str, duckdb.DuckDBPyConnection] = {}
_numbers = itertools.count(1)


@contextmanager
def lake_url(session: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """An SQLAlchemy URL for an open lake session, valid inside the block; `/<schema>` is to be added to it."""
    name = f"session{next(_numbers)}"
    _sessions[name] = session
    try:
        yield f"duckdb+lake:///{name}"
    finally:
        del _sessions[name]


class LakeDialect(duckdb_engine.Dialect):
    """DuckDB's dialect over a connection of its own to an already open session, in one schema of the lake."""

    supports_statement_cache = False

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        """A connection to the session and the schema that the URL names."""
        name, _, schema = str(cargs[0] if cargs else cparams["database"]).partition("/")
        connection = _sessions[name].cursor()
        connection.execute(f"USE lake.{checked(schema)}")
        return _Connection(connection)


class _Connection(duckdb_engine.ConnectionWrapper):
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._session = connection

    def cursor(self) -> _Cursor:
        return _Cursor(self._session, self)


class _Cursor(duckdb_engine.CursorWrapper):
    """A cursor whose rows stay readable whatever happens to its connection."""

    rowcount = -1

    def __init__(self, connection: duckdb.DuckDBPyConnection, wrapper: _Connection) -> None:
        super().__init__(connection, wrapper)
        self._session = connection
        self.description: Any = None
        self._rows: list[tuple[Any, ...]] = []
        self._next = 0

    def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        super().execute(statement, parameters, context)
        self.description = self._session.description
        self._rows = self._session.fetchall() if self.description else []
        self._next = 0

    def fetchone(self) -> tuple[Any, ...] | None:
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        rows = self._rows[self._next : self._next + (size or 1)]
        self._next += len(rows)
        return rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows = self._rows[self._next :]
        self._next = len(self._rows)
        return rows
