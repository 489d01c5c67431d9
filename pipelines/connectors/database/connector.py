"""Tables of a PostgreSQL or SQLite database, read through DuckDB's scanners, never written.

With a cursor only rows changed since the last pull (less the overlap) are read; without one the whole table
is read and landing keeps what differs from what the lake holds.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from catalog.contract import Contract
from pipelines.connectors.batch import Batch, Delivery, not_read, readable
from pipelines.connectors.cursor import as_the_source_tells, time_of
from pipelines.connectors.database.columns import Table, describe, postgres_rows, sqlite_rows
from pipelines.connectors.fetch import Fetch
from pipelines.connectors.files.tabular_reader import typed_batch
from pipelines.sources.declared import DatasetSource, PullError, SourceError, expand, secrets_of, without
from pipelines.sources.parts import Cursor
from quality.moments import COUNTED, Moments, in_source
from quality.rules import cast, plain_cast
from warehouse.identifiers import literal, quoted
from warehouse.lake.extensions import load_extensions

log = logging.getLogger(__name__)
_ALIAS = "source_database"
# Words of the database's driver, and what they mean for the one who keeps the source file.
_CAUSES = (
    (
        r"authentication failed|no password supplied|role \"[^\"]*\" does not exist",
        "the database refuses the user name or the password",
    ),
    (r"database \"[^\"]*\" does not exist", "the server has no database of that name"),
    (r"no pg_hba\.conf entry", "the server does not let this user connect from this machine to that database"),
    (r"could not translate host name|Name or service not known", "nobody knows the database's host name"),
    (r"Connection refused|connect[^\n]*No such file", "no database answers on that host and port"),
    (r"timeout expired|timed out|No route to host|Network is unreachable", "the database's host cannot be reached"),
    (r"SSL|TLS|certificate", "the encrypted connection to the database cannot be made"),
)


def batches(connection: duckdb.DuckDBPyConnection, fetch: Fetch) -> Iterator[Batch]:
    """One batch: the changed rows, or the whole table.

    Raises:
        SourceError: the source file is wrong.
        PullError: the database cannot be reached, or has no such table or cursor column.
    """
    settings, system, entry, begin = fetch.settings, fetch.system, fetch.entry, fetch.begin
    if system.database is None:
        raise SourceError("is not a database", where=system.system, fix="add the block `database`")
    url = expand(system.database.url, settings, where=system.system)
    uri = _address(system.database.engine, url, entry.table)

    def explain(message: str) -> str:
        cause = next((told for pattern, told in _CAUSES if re.search(pattern, message)), None)
        if cause is not None:
            return f"{cause}. Fix: see `url` of the source file, and the variables that it names"
        return (
            f"the table cannot be read: {readable(without(secrets_of(url), message))}. Fix: check that the database"
            " answers and that the table and its columns are there"
        )

    try:
        _attach(connection, system.database.engine, url)
        table = describe(connection, system.database.engine, _ALIAS, entry.table)
        # A pull has no content to hash before it is read; it is told apart by where it began.
        identity = hashlib.sha256(f"{fetch.position}\0{begin}".encode()).hexdigest()
        rows, unread = _rows(system.database.engine, table, entry, fetch.contract, begin, settings.timezone)
        batch = typed_batch(connection, rows, (Delivery(uri, identity),), file="0", extra=unread)
    except duckdb.Error as error:
        _detach(connection)
        raise PullError(not_read(error, explain(str(error))).problem, where=f"{system.system} ({uri})") from None
    except SourceError:
        _detach(connection)
        raise
    batch = replace(
        batch,
        mode="changes" if entry.cursor else "whole_table",
        cursor_from=begin,
        position=fetch.position,
        explain=explain,
        release=lambda: _detach(connection),
        unread=unread,
    )
    yield replace(batch, again=lambda: batch)


def _rows(
    engine: str, table: Table, entry: DatasetSource, contract: Contract, begin: str | None, city: str
) -> tuple[str, str | None]:
    """A FROM item of the rows that changed since `begin`, or of all; and the condition of rows that are unreadable."""
    cursor = None if begin is None else entry.cursor
    column = None if cursor is None else _cursor_column(table, entry, cursor)
    if engine == "postgres":
        asked = None
        if column is not None and cursor is not None:
            # In the column's own type, so that the database can use its index.
            asked = f"{quoted(column)} >= {_since(dict(table.columns)[column], entry, cursor, str(begin), city)}"
        return postgres_rows(_ALIAS, table, asked), None
    texts = {f.name for f in contract.fields if f.physical_type.upper() == "VARCHAR"}
    rows, unread = sqlite_rows(_ALIAS, table, entry.wanted(texts))
    if column is not None and cursor is not None:
        field = contract.field_named(cursor.field)
        moments = Moments(city, {field.name: entry.telling(field.name)})
        plain = plain_cast(field, quoted(column), is_text=True, telling=moments.of(field.name))
        value = cast(field, quoted(column), plain, is_text=True, moments=moments)
        # What is no time goes to quarantine, as it does without a cursor.
        is_new = f"coalesce({value} >= CAST({literal(str(begin))} AS {field.physical_type}),"
        rows = f"(SELECT * FROM {rows} WHERE {is_new} {quoted(column)} IS NOT NULL))"
    return rows, unread


def _since(kind: str, entry: DatasetSource, cursor: Cursor, begin: str, city: str) -> str:
    """The literal of where a pull begins, for a column of this PostgreSQL type."""
    at, telling = time_of(begin, city), entry.telling(cursor.field)
    if at is None or telling.tells in COUNTED:
        return literal(as_the_source_tells(begin, None, telling, city))
    here = in_source(at, telling, city)
    if kind == "timestamptz":
        return f"{literal(here.isoformat(sep=' '))}::timestamptz"
    if kind in ("timestamp", "date"):
        return f"{literal(here.replace(tzinfo=None).isoformat(sep=' '))}::{kind}"
    return literal(as_the_source_tells(begin, cursor.format or "%Y-%m-%d %H:%M:%S", telling, city))


def _cursor_column(table: Table, entry: DatasetSource, cursor: Cursor) -> str:
    """The column of the cursor's field.

    Raises:
        PullError: the table has none.
    """
    names = [name for name, _ in table.columns]
    for name in entry.source_names(cursor.field):
        if name in names:
            return name
    raise PullError(
        "the table has no cursor column",
        where=f"{entry.dataset} ({entry.table})",
        value=entry.source_names(cursor.field),
        fix=f"name one of {sorted(names)} under `fields`, or leave `cursor` out",
    )


def _attach(connection: duckdb.DuckDBPyConnection, engine: str, url: str) -> None:
    if engine == "sqlite":
        path = Path(url.removeprefix("sqlite:///"))
        if not path.is_file():
            raise PullError(
                "the database file is not there",
                where="database.url",
                value=str(path),
                fix="check that the path in the source file leads to the database",
            )
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


def _address(engine: str, url: str, table: str) -> str:
    parts = urlsplit(url)
    return f"{engine}://{parts.hostname or 'local'}{parts.path if engine == 'postgres' else ''}/{table}"
