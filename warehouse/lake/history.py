"""What the lake's history tells a publish: what stands behind a table, what of it changed, and on which days."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from warehouse.errors import LakeError, ReadOnlyViolation
from warehouse.identifiers import literal, quoted
from warehouse.lake.layout import SCHEMAS
from warehouse.lake.statements import only_statement, referenced_tables, syntax_tree

Name = tuple[str, str]

# Kinds of change that move rows between files and leave every row as it was.
_UPKEEP = frozenset(("merge_adjacent", "rewrite_delete", "compacted_table"))
# A snapshot whose message begins so moves rows too, by deleting and inserting them; see `maintenance`.
UPKEEP_MESSAGE = "maintenance: "
# Kinds of change whose rows the change feed tells.
_ROWS = frozenset(("tables_inserted_into", "tables_deleted_from"))
# DuckLake keeps a view's text without the catalogue's name, so that it can be attached under any.
CATALOG = "{DUCKLAKE_CATALOG}"


@dataclass(frozen=True)
class Relation:
    """A table or view of the lake.

    `text` is a view's SELECT, in which the lake is called `CATALOG`, and empty for a table; `aliases` its list of
    column names, if it was declared with one.
    """

    name: Name
    id: int
    text: str = ""
    aliases: str = ""

    @property
    def quoted(self) -> str:
        """Schema and name, quoted."""
        return ".".join(map(quoted, self.name))


Relations = Mapping[Name, Relation]


def latest_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """The id of the newest snapshot."""
    ((snapshot,),) = connection.execute("SELECT id FROM lake.current_snapshot()").fetchall()
    return int(snapshot)


def behind(connection: duckdb.DuckDBPyConnection, selects: Iterable[str], known: Relations) -> dict[Name, Relation]:
    """Every table and view that the SELECTs read, also through views.

    Raises:
        LakeError: a SELECT is no single SELECT, does not parse, or names something that is not in the lake.
    """
    found: dict[Name, Relation] = {}
    waiting = list(selects)
    while waiting:
        for name in sorted(lake_references(connection, waiting.pop())):
            if name not in known:
                raise LakeError("is not in the lake", where="publish", value=".".join(name), fix="build it first")
            if name not in found:
                found[name] = known[name]
                waiting += [known[name].text] if known[name].text else []
    return found


def fingerprint(of: object, relations: Iterable[Relation]) -> str:
    """16 hex digits that change when `of`, the text of a view or the identity of a table does.

    What is the same in all of them and in the rows of the tables gives the same result. That a view was dropped
    and made again with the same text, as dbt does, changes nothing.
    """
    shapes = sorted([*r.name, r.text, r.aliases] if r.text else [*r.name, str(r.id)] for r in relations)
    return hashlib.sha256(json.dumps([of, shapes], sort_keys=True, default=str).encode()).hexdigest()[:16]


class History:
    """The snapshots after `since`, up to `until`.

    `at` is when `since` was committed as far as the caller knows: another lake, or the same one restored from a
    backup, may have a snapshot of that number too.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, since: int, until: int, at: datetime | None = None
    ) -> None:
        self._connection = connection
        self._since, self._until = since, until
        rows = connection.execute(
            "SELECT snapshot_id, snapshot_time AT TIME ZONE 'UTC', changes, "
            f"coalesce(author = 'gridlake' AND starts_with(commit_message, {literal(UPKEEP_MESSAGE)}), false) "
            f"FROM lake.snapshots() WHERE snapshot_id BETWEEN {since:d} AND {until:d}"
        ).fetchall()
        times = {number: time for number, time, *_ in rows}
        self._changes: dict[int, dict[str, list[str]]] = {
            number: {} if is_upkeep else changes for number, _, changes, is_upkeep in rows if number > since
        }
        is_other = at is not None and since in times and times[since] != at
        self._is_complete = len(self._changes) == until - since and not is_other
        # Without `since` itself, the files whose rows the next snapshot deleted may be gone.
        self._has_start = since in times
        self._days: dict[tuple[Name, str], frozenset[tuple[str, int]] | None] = {}

    def is_touched(self, relations: Iterable[Relation]) -> bool:
        """Whether the rows or the shape of one of the tables changed; true also when that is not known.

        Views are compared by their text, see `fingerprint`.
        """
        ids = {str(relation.id) for relation in relations if not relation.text}
        if not self._is_complete:
            return True
        for changes in self._changes.values():
            for kind, values in changes.items():
                # A macro may stand in any SELECT, and the syntax tree does not tell it from a function.
                if "macro" in kind or (kind not in _UPKEEP and not ids.isdisjoint(values)):
                    return True
        return False

    def changed_days(self, table: Relation, moment: str) -> frozenset[tuple[str, int]] | None:
        """Month (as `month_of` tells it) and day of the month of every row that came, went or was another.

        `moment` is the column that dates a row. None when the change feed cannot tell.
        """
        if (table.name, moment) not in self._days:
            self._days[table.name, moment] = self._feed(table, moment)
        return self._days[table.name, moment]

    def earlier_month(self, table: Relation, column: str) -> str | None:
        """The month of a moment that a table with one row holds, before and after: the earlier of both.

        None when it is not known, or no moment at all.
        """
        if not self._is_complete or not self._has_start:
            return None
        of = f"SELECT {month_of(quoted(column))} AS month FROM lake.{table.quoted}"
        try:
            rows = self._connection.execute(
                f"{of} AT (VERSION => {self._since:d}) UNION ALL {of} AT (VERSION => {self._until:d})"
            ).fetchall()
        except duckdb.Error:
            return None
        return min(month for (month,) in rows) if len(rows) == 2 else None

    def _feed(self, table: Relation, moment: str) -> frozenset[tuple[str, int]] | None:
        if not self._is_complete or not self._has_start:
            return None
        kinds = {
            number: {kind for kind, values in changes.items() if str(table.id) in values}
            for number, changes in self._changes.items()
        }
        if not set().union(*kinds.values()) <= _UPKEEP | _ROWS:
            return None
        told = {number for number, found in kinds.items() if found & _ROWS}
        if not told:
            return frozenset()
        of = f"'lake', {literal(table.name[0])}, {literal(table.name[1])}, {self._since + 1:d}, {self._until:d}"
        name, column = f"lake.{table.quoted}", quoted(moment)
        try:
            rows = self._connection.execute(
                f"SELECT snapshot_id, {month_of('moment')}, coalesce(day(moment), 0), sum(change) FROM ("
                f"SELECT snapshot_id, date_trunc('day', {column}) AS moment, 1 AS change "
                f"FROM ducklake_table_insertions({of}) UNION ALL "
                f"SELECT snapshot_id, date_trunc('day', {column}), -1 FROM ducklake_table_deletions({of})) GROUP BY ALL"
            ).fetchall()
            ((before, after),) = self._connection.execute(
                f"SELECT (SELECT count(*) FROM {name} AT (VERSION => {self._since:d})), "
                f"(SELECT count(*) FROM {name} AT (VERSION => {self._until:d}))"
            ).fetchall()
        except duckdb.Error:
            # A file that the feed needs is gone.
            return None
        # To the feed, a file that upkeep wrote again is all its rows deleted and inserted. Not left out in SQL: a
        # condition on snapshot_id makes it tell other rows than those deleted (DuckLake 1.0 of DuckDB 1.5.5).
        rows = [row for row in rows if row[0] in told]
        # It must account for every row: a change that it does not tell would never be published.
        if before + sum(change for *_, change in rows) != after:
            return None
        return frozenset((month, day) for _, month, day, _ in rows)


def month_of(moment: str) -> str:
    """SQL: the month of a date or timestamp as the marts write it: '2026-04', '0000-00' where there is none."""
    return f"coalesce(strftime({moment}, '%Y-%m'), '0000-00')"


def lake_references(connection: duckdb.DuckDBPyConnection, select: str) -> set[Name]:
    """Schema and name of what one SELECT names itself; in a view's text the lake is called `CATALOG`.

    Raises:
        LakeError: it is no single SELECT, does not parse, or names something outside the lake.
    """
    try:
        text, _ = only_statement(connection, select.replace(CATALOG, "lake"))
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


def relations(connection: duckdb.DuckDBPyConnection, snapshot: int) -> dict[Name, Relation]:
    """All tables and views at this snapshot, by schema and name in lower case."""
    at = f"{snapshot:d}"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"""
        SELECT s.schema_name, r.name, r.id, r.text, r.aliases
        FROM (
            SELECT table_id AS id, schema_id, table_name AS name, '' AS text, '' AS aliases,
                begin_snapshot, end_snapshot
            FROM __ducklake_metadata_lake.ducklake_table
            UNION ALL
            SELECT view_id, schema_id, view_name, sql, coalesce(column_aliases, ''), begin_snapshot, end_snapshot
            FROM __ducklake_metadata_lake.ducklake_view
        ) AS r
        JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)
        WHERE r.begin_snapshot <= {at} AND coalesce(r.end_snapshot > {at}, true)
          AND s.begin_snapshot <= {at} AND coalesce(s.end_snapshot > {at}, true)
        """
    ).fetchall()
    found = [Relation((schema.lower(), name.lower()), id, text, aliases) for schema, name, id, text, aliases in rows]
    return {relation.name: relation for relation in found}


def without(found: Mapping[Name, Relation], names: Collection[Name]) -> list[Relation]:
    """The relations but for these."""
    return [relation for name, relation in found.items() if name not in names]
