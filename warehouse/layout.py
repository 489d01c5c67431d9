"""The schemas of a lake and the `ops` tables that every lake has.

The tables of the other schemas come from the contracts (`raw`, `quarantine`) and from dbt.
"""

from __future__ import annotations

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import literal

SCHEMAS = ("raw", "quarantine", "staging", "core", "indicator", "mart", "share", "ops")
LAYOUT_VERSION = 2

_OPS_TABLES = {
    "lake": """
        city VARCHAR, layout_version INTEGER, created_at TIMESTAMP""",
    # One row is one landed delivery: a file by its content, or one pull from a service or database.
    "load": """
        delivery_id VARCHAR, city VARCHAR, source VARCHAR, dataset VARCHAR, contract_version VARCHAR,
        uri VARCHAR, content_hash VARCHAR, size_bytes BIGINT, modified_ns BIGINT,
        fetched_count BIGINT, repeated_count BIGINT, read_count BIGINT, accepted_count BIGINT,
        quarantined_count BIGINT, deleted_count BIGINT, fix_counts VARCHAR, warning_counts VARCHAR,
        unknown_columns VARCHAR[], missing_columns VARCHAR[], cursor_from VARCHAR, cursor_to VARCHAR,
        load_seq BIGINT, started_at TIMESTAMP, loaded_at TIMESTAMP""",
    # One row is the position up to which one data set of a source has been pulled.
    "watermark": """
        source VARCHAR, dataset VARCHAR, cursor_value VARCHAR, delivery_id VARCHAR, updated_at TIMESTAMP""",
    # The one row tells from which landing and from which models `core` and `indicator` were last built.
    "build": """
        load_seq BIGINT, models_hash VARCHAR, built_at TIMESTAMP""",
    # One row is one result of one check; written when the result or the data it looked at changed.
    "quality_result": """
        check_id VARCHAR, kind VARCHAR, layer VARCHAR, dataset VARCHAR, rule VARCHAR, severity VARCHAR,
        is_passed BOOLEAN, checked_count BIGINT, failed_count BIGINT, failed_keys VARCHAR,
        text_code VARCHAR, text_values VARCHAR[], data_position BIGINT, checked_at TIMESTAMP""",
    # One row is one delivery that was refused whole: open until its place gives one that lands, or it is accepted.
    "refusal": """
        refusal_id VARCHAR, source VARCHAR, dataset VARCHAR, uri VARCHAR, content_hash VARCHAR, problem VARCHAR,
        first_seq BIGINT, seen_at TIMESTAMP, closed_at TIMESTAMP, outcome VARCHAR, reason VARCHAR""",
}


def has_layout(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether every `ops` table is there."""
    return tables(connection) >= {("ops", table) for table in _OPS_TABLES}


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


def ensure_layout(connection: duckdb.DuckDBPyConnection, city: str) -> None:
    """Create what is missing of the layout, inside the caller's transaction. Idempotent."""
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS lake.{schema}")
    for table, columns in _OPS_TABLES.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS lake.ops.{table} ({columns})")
    if connection.execute("SELECT count(*) FROM lake.ops.lake").fetchall() == [(0,)]:
        connection.execute(
            f"INSERT INTO lake.ops.lake VALUES ({literal(city)}, {LAYOUT_VERSION}, now() AT TIME ZONE 'UTC')"
        )


def check_city(connection: duckdb.DuckDBPyConnection, city: str) -> None:
    """Refuse a lake of another city: one lake holds one city."""
    try:
        row = connection.execute("SELECT city, layout_version FROM lake.ops.lake").fetchone()
    except duckdb.CatalogException:
        # The catalogue is there, but nothing was ever committed to it.
        raise LakeError("there is no lake yet", where="ops.lake", fix="run `gridlake run` first") from None
    if row is None:
        raise LakeError("has no owner recorded", where="ops.lake", fix="use an empty GRIDLAKE_HOME")
    if row[0] != city:
        raise LakeError(
            f"this lake holds the city {row[0]!r}",
            where="GRIDLAKE_CITY",
            value=city,
            fix="set GRIDLAKE_CITY to the lake's city, or GRIDLAKE_HOME to another folder",
        )
    if row[1] != LAYOUT_VERSION:
        raise LakeError(f"layout {row[1]} is not {LAYOUT_VERSION}", where="ops.lake", fix="use the matching release")
