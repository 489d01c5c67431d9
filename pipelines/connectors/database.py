"""Tables of a PostgreSQL or SQLite database, read through DuckDB's scanners, never written.

With a cursor only rows changed since the last pull (less the overlap) are read; without one the whole table
is read and landing keeps what differs from what the lake holds.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from catalog.contract import Contract
from pipelines.connectors.tabular_reader import typed_batch
from pipelines.landing.batch import Batch, Delivery, readable
from pipelines.landing.changes import position_of
from pipelines.landing.watermark import window_start
from pipelines.source import DatasetSource, SourceError, SourceSystem, expand, secrets_of, without
from warehouse.extensions import load_extensions
from warehouse.identifiers import literal, quoted
from warehouse.settings import Settings

log = logging.getLogger(__name__)
_ALIAS = "source_database"


def batches(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    entry: DatasetSource,
    contract: Contract,
    since: str | None = None,
) -> Iterator[Batch]:
    """One batch: the changed rows, or the whole table.

    Raises:
        SourceError: the database cannot be reached, or has no such table or cursor column.
    """
    if system.database is None:
        raise SourceError("is not a database", where=system.system, fix="add the block `database`")
    url = expand(system.database.url, settings, where=system.system)
    uri = _address(system.database.engine, url, entry.table)

    def explain(message: str) -> str:
        return (
            f"the table cannot be read: {readable(without(secrets_of(url), message))}. Fix: check that the database"
            " answers and that the table and its columns are there"
        )

    try:
        _attach(connection, system.database.engine, url)
        source = f"{_ALIAS}." + ".".join(quoted(part) for part in entry.table.split("."))
        begin = window_start(connection, system.system, entry.dataset, entry.cursor, since) if entry.cursor else None
        rows = source if begin is None else f"(SELECT * FROM {source} WHERE {_since(connection, source, entry, begin)})"
        position = position_of(connection, system.system, entry.dataset)
        # A pull has no content to hash before it is read; it is told apart by where it began.
        identity = hashlib.sha256(f"{position}\0{begin}".encode()).hexdigest()
        batch = typed_batch(connection, rows, (Delivery(uri, identity),), file="0")
    except duckdb.Error as error:
        _detach(connection)
        raise SourceError(explain(str(error)), where=f"{system.system} ({uri})") from None
    except SourceError:
        _detach(connection)
        raise
    batch = replace(
        batch,
        mode="changes" if entry.cursor else "whole_table",
        cursor_from=begin,
        position=position,
        explain=explain,
        release=lambda: _detach(connection),
    )
    yield replace(batch, halves=lambda: _as_text(connection, batch, rows)) if _is_sqlite(system) else batch


def _is_sqlite(system: SourceSystem) -> bool:
    return system.database is not None and system.database.engine == "sqlite"


def _as_text(connection: duckdb.DuckDBPyConnection, batch: Batch, rows: str) -> Iterator[Batch]:
    """The same rows with every value as text: SQLite lets any value stand in any column.

    A value that is not of its column's type is then one row in quarantine and not the end of the pull.
    """
    connection.execute("SET sqlite_all_varchar = true")
    try:
        text = typed_batch(connection, rows, batch.deliveries, file="0")
        yield replace(batch, relation=text.relation, columns=text.columns, original=text.original, rest=text.rest)
    finally:
        connection.execute("SET sqlite_all_varchar = false")


def _attach(connection: duckdb.DuckDBPyConnection, engine: str, url: str) -> None:
    if engine == "sqlite":
        path = Path(url.removeprefix("sqlite:///"))
        if not path.is_file():
            raise SourceError("the database file is not there", where="database.url", value=str(path), fix="correct it")
        load_extensions(connection, ("sqlite_scanner",))
        connection.execute(f"ATTACH {literal(str(path))} AS {_ALIAS} (TYPE sqlite, READ_ONLY)")
        return
    load_extensions(connection, ("postgres_scanner",))
    connection.execute(f"ATTACH {literal(url)} AS {_ALIAS} (TYPE postgres, READ_ONLY)")


def _detach(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute(f"DETACH DATABASE IF EXISTS {_ALIAS}")
    except duckdb.Error:
        # The database went away; the session ends with the data set.
        log.debug("the source database could not be detached")


def _since(connection: duckdb.DuckDBPyConnection, source: str, entry: DatasetSource, begin: str) -> str:
    """The filter of a pull, in the column's own type so that the database can use its index."""
    cursor = entry.cursor
    if cursor is None:
        return "true"
    types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    for name in entry.source_names(cursor.field):
        if name in types:
            return f"{quoted(name)} >= CAST({literal(begin)} AS {types[name]})"
    raise SourceError(
        "the table has no cursor column",
        where=f"{entry.dataset} ({entry.table})",
        value=entry.source_names(cursor.field),
        fix=f"name one of {sorted(types)} under `fields`, or leave `cursor` out",
    )


def _address(engine: str, url: str, table: str) -> str:
    parts = urlsplit(url)
    return f"{engine}://{parts.hostname or 'local'}{parts.path if engine == 'postgres' else ''}/{table}"
