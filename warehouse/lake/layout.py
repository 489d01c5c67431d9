"""The schemas of a lake, the `ops` tables that every lake has, and how an earlier release's lake is brought up to them.

The tables of the other schemas come from the contracts (`raw`, `quarantine`, `withdrawn`) and from dbt.

To change the layout, change `_OPS_TABLES`: a table or column that a lake lacks is added when it is next opened for
writing, empty for the rows that are there. Put new columns at the end, and name the columns in every INSERT, because in
a lake that was upgraded they stand last. What rows of earlier releases need besides goes into `_UPGRADES` under the
layout's number, which rises by one with the first such change after a release. A column never changes its type or
meaning and never goes: give the changed thing a new name.
"""

from __future__ import annotations

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import literal, quoted

SCHEMAS = ("raw", "quarantine", "withdrawn", "staging", "core", "indicator", "mart", "share", "ops")
LAYOUT_VERSION = 2

_LOAD_COLUMNS = """
        delivery_id VARCHAR, city VARCHAR, source VARCHAR, dataset VARCHAR, contract_version VARCHAR,
        uri VARCHAR, content_hash VARCHAR, size_bytes BIGINT, modified_ns BIGINT,
        fetched_count BIGINT, repeated_count BIGINT, read_count BIGINT, accepted_count BIGINT,
        quarantined_count BIGINT, deleted_count BIGINT, fix_counts VARCHAR, warning_counts VARCHAR,
        unknown_columns VARCHAR[], missing_columns VARCHAR[], cursor_from VARCHAR, cursor_to VARCHAR,
        load_seq BIGINT, started_at TIMESTAMP, loaded_at TIMESTAMP,
        snapshot_group VARCHAR, snapshot_order VARCHAR, is_superseded BOOLEAN, withdrawn_count BIGINT,
        has_gap_marks BOOLEAN"""
_OPS_TABLES = {
    "lake": """
        city VARCHAR, layout_version INTEGER, created_at TIMESTAMP""",
    # One row is one landed delivery: a file by its content, or one pull from a service or database. Of its accepted
    # rows `withdrawn_count` were taken back since.
    "load": _LOAD_COLUMNS,
    # One row is one delivery that was taken back whole, as it stood in `load`.
    "withdrawn_load": f"{_LOAD_COLUMNS}, withdrawal_seq BIGINT",
    # One row is one withdrawal: of a delivery, or of some of its rows (`source_rows`). Its number and that of its
    # undoing are of the sequence that landings have theirs from; the rows stand in `withdrawn.<data set>` meanwhile.
    "withdrawal": """
        withdrawal_seq BIGINT, source VARCHAR, dataset VARCHAR, delivery_id VARCHAR, uri VARCHAR, is_pull BOOLEAN,
        source_rows BIGINT[], reason VARCHAR, withdrawn_by VARCHAR, withdrawn_at TIMESTAMP, row_count BIGINT,
        refused_count BIGINT, deletion_count BIGINT, undone_seq BIGINT, undo_reason VARCHAR, undone_by VARCHAR,
        undone_at TIMESTAMP""",
    # The one row holds the number of the last landing transaction. Its own table, because it changes all the time.
    "sequence": """
        load_seq BIGINT""",
    # One row is the position up to which one data set of a source has been pulled.
    "watermark": """
        source VARCHAR, dataset VARCHAR, cursor_value VARCHAR, delivery_id VARCHAR, updated_at TIMESTAMP""",
    # The one row tells from which landing and from which models `core` and `indicator` were last built.
    "build": """
        load_seq BIGINT, models_hash VARCHAR, built_at TIMESTAMP""",
    # One row is one result of one check; written when the result or the data it looked at changed. The newest is
    # the one with the greatest result_seq: a clock may be wrong for days. `is_closed`: there is no such check any more.
    "quality_result": """
        check_id VARCHAR, kind VARCHAR, layer VARCHAR, dataset VARCHAR, rule VARCHAR, severity VARCHAR,
        is_passed BOOLEAN, checked_count BIGINT, failed_count BIGINT, failed_keys VARCHAR,
        text_code VARCHAR, text_values VARCHAR[], data_position BIGINT, checked_at TIMESTAMP, result_seq BIGINT,
        is_closed BOOLEAN""",
    # One row is one delivery that was refused whole: open until its place gives one that lands, or it is accepted.
    "refusal": """
        refusal_id VARCHAR, source VARCHAR, dataset VARCHAR, uri VARCHAR, content_hash VARCHAR, problem VARCHAR,
        first_seq BIGINT, seen_at TIMESTAMP, closed_at TIMESTAMP, outcome VARCHAR, reason VARCHAR""",
}
# Statements that fill what a layout brought, by its number: run once, in the transaction that adds its columns. A new
# lake takes them too, over empty tables.
_UPGRADES: dict[int, tuple[str, ...]] = {
    2: (
        "INSERT INTO lake.ops.sequence SELECT coalesce(max(load_seq), 0) FROM lake.ops.load",
        "UPDATE lake.ops.quality_result AS r SET result_seq = o.place FROM (SELECT rowid AS row, row_number() OVER"
        " (ORDER BY checked_at, data_position) AS place FROM lake.ops.quality_result) AS o WHERE r.rowid = o.row",
    ),
}


def is_laid_out(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the lake has every table and column of this layout."""
    present = _columns(connection)
    return all(set(declared) <= present.get(table, set()) for table, declared in _declared().items())


def tables(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Schema and name of every committed table of the lake.

    Asked of the catalogue itself: `duckdb_tables()` also looks up the size of each, 40 times slower.
    """
    rows = connection.execute(
        "SELECT schema_name, table_name FROM __ducklake_metadata_lake.ducklake_table AS t "
        "JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id) "
        "WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL"
    ).fetchall()
    return set(rows)


def row_count(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """The committed rows of a table, asked of the catalogue: the table itself is not read. 0 where there is none."""
    ((count,),) = connection.execute(
        "SELECT coalesce(sum(f.record_count - coalesce(d.delete_count, 0)), 0)"
        " FROM __ducklake_metadata_lake.ducklake_data_file AS f"
        " JOIN __ducklake_metadata_lake.ducklake_table AS t USING (table_id)"
        " JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)"
        " LEFT JOIN __ducklake_metadata_lake.ducklake_delete_file AS d"
        "   ON d.data_file_id = f.data_file_id AND d.end_snapshot IS NULL"
        " WHERE f.end_snapshot IS NULL AND t.end_snapshot IS NULL AND s.end_snapshot IS NULL"
        f" AND schema_name = {literal(schema)} AND table_name = {literal(table)}"
    ).fetchall()
    return int(count)


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schemas and `ops` tables that are not there in the database `lake`, empty."""
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS lake.{schema}")
    for table, columns in _OPS_TABLES.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS lake.ops.{table} ({columns})")


def ensure_layout(connection: duckdb.DuckDBPyConnection, city: str) -> None:
    """Create what is missing of the layout, inside the caller's transaction. Idempotent.

    Raises:
        LakeError: the lake is of another city or of a later release.
    """
    owner = _owner(connection)
    if owner is not None:
        _refuse_other(owner, city)
    create_tables(connection)
    declared = _declared()
    for table, present in _columns(connection).items():
        for column, kind in declared.get(table, {}).items():
            if column not in present:
                connection.execute(f"ALTER TABLE lake.ops.{table} ADD COLUMN {quoted(column)} {kind}")
    before = owner[1] if owner else 0
    for version in range(before + 1, LAYOUT_VERSION + 1):
        for statement in _UPGRADES.get(version, ()):
            connection.execute(statement)
    if owner is None:
        connection.execute(
            "INSERT INTO lake.ops.lake (city, layout_version, created_at)"
            f" VALUES ({literal(city)}, {LAYOUT_VERSION}, now() AT TIME ZONE 'UTC')"
        )
    elif before < LAYOUT_VERSION:
        connection.execute(f"UPDATE lake.ops.lake SET layout_version = {LAYOUT_VERSION}")


def check_layout(connection: duckdb.DuckDBPyConnection, city: str) -> None:
    """Refuse a lake of another city (one lake holds one city), and one that another release laid out."""
    owner = _owner(connection)
    if owner is None:
        # The catalogue is there, but nothing was ever committed to it.
        raise LakeError("there is no lake yet", where="ops.lake", fix="run `gridlake run` first")
    _refuse_other(owner, city)
    if owner[1] < LAYOUT_VERSION:
        raise LakeError(
            f"an earlier release laid out this lake: layout {owner[1]}, not {LAYOUT_VERSION}",
            where="ops.lake",
            fix="back it up; then the first command that writes brings it up to date, for example `gridlake maintain`",
        )


def _refuse_other(owner: tuple[str, int], city: str) -> None:
    if owner[0] != city:
        raise LakeError(
            f"this lake holds the city {owner[0]!r}",
            where="GRIDLAKE_CITY",
            value=city,
            fix="set GRIDLAKE_CITY to the lake's city, or GRIDLAKE_HOME to another folder",
        )
    if owner[1] > LAYOUT_VERSION:
        raise LakeError(
            f"a later release laid out this lake: layout {owner[1]}, not {LAYOUT_VERSION}",
            where="ops.lake",
            fix="use that release, or restore a backup from before the upgrade",
        )


def _owner(connection: duckdb.DuckDBPyConnection) -> tuple[str, int] | None:
    """City and layout of the lake; None while it has no row about itself."""
    if ("ops", "lake") not in tables(connection):
        return None
    row = connection.execute("SELECT city, layout_version FROM lake.ops.lake").fetchone()
    return (str(row[0]), int(row[1])) if row else None


def _declared() -> dict[str, dict[str, str]]:
    """Type by column by `ops` table."""
    return {
        table: dict(column.split(maxsplit=1) for column in " ".join(columns.split()).split(", "))
        for table, columns in _OPS_TABLES.items()
    }


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Columns by `ops` table, as committed."""
    rows = connection.execute(
        "SELECT table_name, list(column_name) FROM __ducklake_metadata_lake.ducklake_column AS c "
        "JOIN __ducklake_metadata_lake.ducklake_table AS t USING (table_id) "
        "JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id) "
        "WHERE c.end_snapshot IS NULL AND t.end_snapshot IS NULL AND s.end_snapshot IS NULL "
        "AND c.parent_column IS NULL AND s.schema_name = 'ops' GROUP BY table_name"
    ).fetchall()
    return {table: set(columns) for table, columns in rows}
