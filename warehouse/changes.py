"""Which snapshots of the lake changed what: the ground on which a publish that would write nothing new is skipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from warehouse.errors import LakeError, ReadOnlyViolation
from warehouse.layout import SCHEMAS
from warehouse.statements import only_statement, referenced_tables, syntax_tree

# Kinds of change that move rows between files and leave every row as it was.
_UPKEEP = frozenset(("flushed_inlined", "merge_adjacent", "rewrite_delete", "compacted_table"))


@dataclass(frozen=True)
class Source:
    """A table or view of the lake, as DuckLake's list of changes names it: by id, or by name when it was created."""

    id: int
    name: str


def latest_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """The id of the newest snapshot."""
    ((snapshot,),) = connection.execute("SELECT id FROM lake.current_snapshot()").fetchall()
    return int(snapshot)


def tables_behind(connection: duckdb.DuckDBPyConnection, selects: Iterable[str], snapshot: int) -> frozenset[Source]:
    """Every table and view that the SELECTs read at this snapshot, also through views.

    Raises:
        LakeError: a SELECT is no single SELECT, does not parse, or names something that is not in the lake.
    """
    known = _relations(connection, snapshot)
    found: set[Source] = set()
    waiting = list(selects)
    while waiting:
        for schema, name in _lake_references(connection, waiting.pop()):
            if (schema, name) not in known:
                raise LakeError("is not in the lake", where="publish", value=f"{schema}.{name}", fix="build it first")
            source, definition = known[schema, name]
            if source not in found:
                found.add(source)
                waiting += [definition] if definition else []
    return frozenset(found)


def touched_since(connection: duckdb.DuckDBPyConnection, since: int, until: int, sources: frozenset[Source]) -> bool:
    """Whether the contents or the shape of a source changed in a snapshot after `since`, up to `until`.

    True also when that is not known: the lake is older than `since` (restored), or some of the snapshots expired.
    """
    rows = connection.execute(
        f"SELECT changes FROM lake.snapshots() WHERE snapshot_id > {since:d} AND snapshot_id <= {until:d}"
    ).fetchall()
    if len(rows) != until - since:
        return True
    ids = {str(source.id) for source in sources}
    names = {source.name for source in sources}
    for (changes,) in rows:
        for kind, values in changes.items():
            if kind in _UPKEEP:
                continue
            # A macro may stand in any SELECT, and the syntax tree does not tell it from a function.
            if "macro" in kind or any(value in ids or value.replace('"', "") in names for value in values):
                return True
    return False


def _lake_references(connection: duckdb.DuckDBPyConnection, select: str) -> set[tuple[str, str]]:
    try:
        text, _ = only_statement(connection, select)
        references = referenced_tables(syntax_tree(connection, text))
    except (duckdb.Error, ReadOnlyViolation) as error:
        raise LakeError(f"is not one SELECT: {error}", where="publish", value=select) from None
    for catalog, schema, name in references:
        if catalog not in ("", "lake") or schema not in SCHEMAS:
            raise LakeError(
                "only tables of the lake can be published",
                where="publish",
                value=".".join(part for part in (catalog, schema, name) if part),
                fix="name it lake.schema.table",
            )
    return {(schema, name) for _, schema, name in references}


def _relations(connection: duckdb.DuckDBPyConnection, snapshot: int) -> dict[tuple[str, str], tuple[Source, str]]:
    """Schema and name -> source and, for a view, its SELECT."""
    at = f"{snapshot:d}"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"""
        SELECT s.schema_name, r.name, r.id, r.definition
        FROM (
            SELECT table_id AS id, schema_id, table_name AS name, '' AS definition, begin_snapshot, end_snapshot
            FROM __ducklake_metadata_lake.ducklake_table
            UNION ALL
            SELECT view_id, schema_id, view_name, sql, begin_snapshot, end_snapshot
            FROM __ducklake_metadata_lake.ducklake_view
        ) AS r
        JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)
        WHERE r.begin_snapshot <= {at} AND coalesce(r.end_snapshot > {at}, true)
          AND s.begin_snapshot <= {at} AND coalesce(s.end_snapshot > {at}, true)
        """
    ).fetchall()
    # DuckLake keeps a view's text without the catalogue's name, so that it can be attached under any.
    return {
        (schema.lower(), name.lower()): (Source(id, f"{schema}.{name}"), text.replace("{DUCKLAKE_CATALOG}", "lake"))
        for schema, name, id, text in rows
    }
