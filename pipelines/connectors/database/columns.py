"""How the columns of a database table are asked for, so that no value is changed on its way.

DuckDB's scanners read some types into others that cannot hold every value: PostgreSQL's `numeric` without precision
into a double, `NaN` of a numeric into 0, `infinity` of a time into the year 9999, SQLite's values into the declared
type of their column, which SQLite itself does not enforce. Such columns are asked for as text; landing then casts the
text by the contract.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from pipelines.sources.declared import PullError
from warehouse.identifiers import literal, quoted

# PostgreSQL types that DuckDB reads into one of their own kind, value for value.
_SAFE = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "uuid", "json", "jsonb"}
)
_TIMES = {
    "timestamp": "'YYYY-MM-DD\"T\"HH24:MI:SS.US'",
    # In UTC with its offset, whatever the time zone of the session.
    "timestamptz": '\'YYYY-MM-DD"T"HH24:MI:SS.US"+00"\'',
    "date": "'YYYY-MM-DD'",
}
_DIGITS = 15
"""Decimal digits that every double keeps."""


@dataclass(frozen=True)
class Table:
    """One table as its database describes it: `columns` are name and type, in order."""

    schema: str | None
    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def sql(self) -> str:
        """The table's name in SQL."""
        return ".".join(quoted(part) for part in (self.schema, self.name) if part)


def describe(connection: duckdb.DuckDBPyConnection, engine: str, alias: str, table: str) -> Table:
    """The columns of `table` or `schema.table` in the attached database.

    Raises:
        PullError: there is no such table.
    """
    first, _, second = table.rpartition(".")
    schema, name = first or None, second
    if engine == "sqlite":
        listing = f"SELECT name, type FROM pragma_table_info({literal(name)})"
        function = "sqlite_query"
    else:
        # to_regclass finds what a plain name means in this session, and views as well.
        place = literal(".".join(quoted(part) for part in (schema, name) if part))
        listing = (
            "SELECT a.attname::text, coalesce(b.typname, t.typname)::text FROM pg_attribute a"
            " JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0)"
            f" WHERE a.attrelid = to_regclass({place}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        function = "postgres_query"
    found = connection.execute(f"FROM {function}({literal(alias)}, {literal(listing)})").fetchall()
    if not found:
        raise PullError(
            "the table cannot be read: there is no such table",
            where=table,
            fix="check that the database answers and that the table and its columns are there",
        )
    return Table(schema, name, tuple((str(column), str(kind)) for column, kind in found))


def postgres_rows(alias: str, table: Table, condition: str | None) -> str:
    """A FROM item of the table's rows; what DuckDB would read inexactly comes as text."""
    listing = ", ".join(f"{_postgres_value(name, kind)} AS {quoted(name)}" for name, kind in table.columns)
    query = f"SELECT {listing} FROM {table.sql}" + (f" WHERE {condition}" if condition else "")
    return f"postgres_query({literal(alias)}, {literal(query)})"


def _postgres_value(name: str, kind: str) -> str:
    column = quoted(name)
    if kind in _SAFE or kind.removeprefix("_") in _SAFE:
        return column
    if kind in _TIMES:
        value = f"{column} AT TIME ZONE 'UTC'" if kind == "timestamptz" else column
        text = f"to_char({value}, {_TIMES[kind]})"
        # What ISO cannot write (infinity, years before Christ) as PostgreSQL writes it: it is no time of a city.
        is_plain = f"isfinite({column}) AND extract(year FROM {column}) BETWEEN 1 AND 9999"
        return f"CASE WHEN {is_plain} THEN {text} ELSE {column}::text END"
    return f"{column}::text"


def sqlite_rows(alias: str, table: Table, texts: frozenset[str]) -> tuple[str, str]:
    """A FROM item of the table's rows, all values as text, and the condition of rows that cannot be taken.

    Any value may stand in any column of SQLite, whatever its declared type, also text that is no UTF-8. So each comes
    as the bytes of SQLite's own text of it. `texts` are the columns of text fields: a number that a double cannot
    hold digit by digit is no text.
    """
    remote, local, bad = [], [], []
    for number, (name, _) in enumerate(table.columns):
        column = quoted(name)
        whole = f"{column} = CAST({column} AS INTEGER) AND abs({column}) < 1e{_DIGITS}"
        short = f"CAST(CAST({column} AS TEXT) AS REAL) = {column}"
        remote.append(
            f"CASE typeof({column}) WHEN 'null' THEN NULL WHEN 'blob' THEN hex('0x' || hex({column})) WHEN 'real' THEN"
            f" hex(CASE WHEN {whole} THEN CAST(CAST({column} AS INTEGER) AS TEXT) WHEN {short} THEN"
            f" CAST({column} AS TEXT) ELSE printf('%!.17g', {column}) END) ELSE hex({column}) END AS v{number}"
        )
        text = f"TRY(decode(unhex(v{number})))"
        local.append(f"coalesce({text}, CAST(unhex(v{number}) AS VARCHAR)) AS {quoted(name)}")
        bad.append(f"(v{number} IS NOT NULL AND {text} IS NULL)")
        if name in texts:
            remote.append(
                f"CASE WHEN typeof({column}) = 'real' AND NOT ({whole}) AND"
                f" (abs({column}) >= 1e{_DIGITS} OR NOT {short}) THEN 1 END AS r{number}"
            )
            bad.append(f"r{number} IS NOT NULL")
    query = f"SELECT {', '.join(remote)} FROM {table.sql}"
    source = f"sqlite_query({literal(alias)}, {literal(query)})"
    return f"(SELECT {', '.join(local)}, {' OR '.join(bad)} AS _is_unreadable FROM {source})", "_is_unreadable"
