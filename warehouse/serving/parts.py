"""Part files: the rows of one table for one span of days, and how a serving file shows them as one table.

A part is written once, never changed, and shared by all versions that name it. Parts are Parquet: a view over a
hundred of them is planned in 2 ms, and a month is found by the name of its folder, where a UNION ALL over as many
attached DuckDB files takes 10 to 100 times as long to plan. Which parts are written belongs to `partitions`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from warehouse.durable import make_folder, put_in_place
from warehouse.errors import LakeError
from warehouse.identifiers import literal, quoted
from warehouse.lake.history import CATALOG, Name, Relation, lake_references
from warehouse.serving.partitions import Part, Partitioned, Plan, base_of, condition, months_behind

log = logging.getLogger(__name__)

# In the session that publishes: the lake as a part sees it, with the base cut to the part's days.
_CUT = "cut"
# Level 1 costs a quarter less of CPU than the usual 3, for an eighth more of disk.
_FORMAT = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"


def write(
    connection: duckdb.DuckDBPyConnection, what: Plan, found: Mapping[Name, Relation], folder: Path
) -> list[Part]:
    """Write the spans of a plan into `folder`; returns all parts of the table, the new ones complete on disk.

    Raises:
        LakeError: the table cannot be kept in parts: rows of another month, or a type that Parquet does not keep.
        duckdb.Error: whatever reading the lake raised.
    """
    of = what.of
    select = _create_cut(connection, of, found)
    parts = list(what.stay)
    # In one transaction: else DuckLake reads its whole catalogue anew for each of the statements.
    connection.execute("BEGIN")
    for number, span in enumerate(what.spans, 1):
        log.info("%s: part %d of %d (%s from day %d)", of.table, number, len(what.spans), *span[:2])
        for base in base_of(of, found):
            seen = [span, *((month, 1, 31) for month in months_behind(of, span[0]))]
            _cut(connection, base, " OR ".join(f"({condition(of.moment, each)})" for each in seen))
        part = _write_part(connection, of, span, _of_month(of, span[0], select), folder)
        if part and len(parts) == len(what.stay):
            _check_types(connection, of, select, folder.parent / part.path)
        parts += [part] if part else []
    connection.execute("COMMIT")
    return sorted(parts, key=lambda part: part.span)


def create(
    connection: duckdb.DuckDBPyConnection,
    of: Partitioned,
    found: Mapping[Name, Relation],
    parts: Sequence[Part],
    folder: Path,
) -> None:
    """Create the table in the file that is in use: a view over its parts, or an empty table where there are none."""
    if parts:
        paths = ", ".join(literal(str(folder.parent / part.path)) for part in parts)
        # Named one by one, because a folder above with a = in its name would be a column too.
        described = connection.execute(f"DESCRIBE SELECT * FROM {_file(folder.parent / parts[0].path)}").fetchall()
        source = f"VIEW main.{of.table} AS SELECT {', '.join(quoted(name) for name, *_ in described)} "
        is_by_key = "true" if of.base else "false"
        source += f"FROM read_parquet([{paths}], hive_partitioning = {is_by_key}, hive_types_autocast = false)"
    else:
        select = _create_cut(connection, of, found)
        for base in base_of(of, found):
            _cut(connection, base, "false")
        source = f"TABLE main.{of.table} AS {select} LIMIT 0"
    connection.execute(f"CREATE {source}")


def _create_cut(connection: duckdb.DuckDBPyConnection, of: Partitioned, found: Mapping[Name, Relation]) -> str:
    """The SELECT of the table's rows, over all that stands behind it once more: views over the lake in a catalogue of
    the session, where the base can be cut.
    """
    if not of.base:
        return f"SELECT * FROM lake.{of.source}"
    connection.execute(f"DETACH DATABASE IF EXISTS {_CUT}")
    connection.execute(f"ATTACH ':memory:' AS {_CUT}")
    for schema in sorted({schema for schema, _ in found}):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_CUT}.{quoted(schema)}")
    (base,) = base_of(of, found)
    _cut(connection, base, "true")
    done = {base.name}

    def add(relation: Relation) -> None:
        if relation.name in done:
            return
        done.add(relation.name)
        for name in lake_references(connection, relation.text) if relation.text else ():
            add(found[name])
        text = relation.text.replace(CATALOG, _CUT) or f"SELECT * FROM lake.{relation.quoted}"
        aliases = f" ({relation.aliases})" if relation.aliases else ""
        connection.execute(f"CREATE VIEW {_CUT}.{relation.quoted}{aliases} AS {text}")

    for relation in found.values():
        add(relation)
    return f"SELECT * FROM {_CUT}.{of.source}"


def _of_month(of: Partitioned, key: str, select: str) -> str:
    """The SELECT without the rows of the months that it only looks back at."""
    behind = ", ".join(map(literal, months_behind(of, key)))
    return f"SELECT * FROM ({select}) AS rows WHERE {quoted(of.key)} NOT IN ({behind})" if behind else select


def _cut(connection: duckdb.DuckDBPyConnection, base: Relation, condition: str) -> None:
    name = base.quoted
    connection.execute(f"CREATE OR REPLACE VIEW {_CUT}.{name} AS SELECT * FROM lake.{name} WHERE {condition}")


def _write_part(
    connection: duckdb.DuckDBPyConnection, of: Partitioned, span: tuple[str, int, int], select: str, folder: Path
) -> Part | None:
    key, first, days = span
    place = make_folder(folder / of.table / f"{of.key}={key}" if of.base else folder / of.table)
    path = place / f"{first:02d}-{secrets.token_hex(8)}.parquet"
    temporary = path.with_name(f".{path.name}.tmp")
    ((rows,),) = connection.execute(f"COPY ({select}) TO {literal(str(temporary))} ({_FORMAT})").fetchall()
    if not rows:
        temporary.unlink()
        return None
    if of.base:
        _check_key(connection, of, key, temporary)
    # Not even its owner changes it: a reader's process may be talked into COPY TO a file that it may read.
    temporary.chmod(0o444)
    put_in_place(temporary, path)
    filled = tuple(name for name, nulls in _nulls(connection, path) if nulls == 0)
    return Part(of.table, key, first, days, str(path.relative_to(folder.parent)), rows, path.stat().st_size, filled)


def _check_key(connection: duckdb.DuckDBPyConnection, of: Partitioned, key: str, path: Path) -> None:
    others = connection.execute(
        f"SELECT {quoted(of.key)} FROM {_file(path)} WHERE {quoted(of.key)} IS DISTINCT FROM {literal(key)} LIMIT 1"
    ).fetchall()
    if others:
        raise LakeError(
            f"rows of {of.base} in {key} by {of.moment} give rows of {others[0][0]}",
            where=f"{of.source}.{of.key}",
            fix="name the column whose month the key is, or publish the table whole",
        )


def _check_types(connection: duckdb.DuckDBPyConnection, of: Partitioned, select: str, path: Path) -> None:
    wanted, kept = (
        connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {source})").fetchall()
        for source in (select, f"SELECT * FROM {_file(path)}")
    )
    for (column, wanted_type), (_, kept_type) in zip(wanted, kept, strict=True):
        if wanted_type != kept_type:
            raise LakeError(
                f"would become {kept_type} in a part file",
                where=f"{of.source}.{column}",
                value=wanted_type,
                fix="cast it in the model, or publish the table whole",
            )


def _file(path: Path) -> str:
    return f"read_parquet({literal(str(path))}, hive_partitioning = false)"


def _nulls(connection: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[str, int | None]]:
    return connection.execute(
        "SELECT path_in_schema, CASE WHEN count(stats_null_count) = count(*) THEN sum(stats_null_count) END "
        f"FROM parquet_metadata({literal(str(path))}) WHERE regexp_matches(path_in_schema, '_(zh|en)$') GROUP BY 1"
    ).fetchall()
