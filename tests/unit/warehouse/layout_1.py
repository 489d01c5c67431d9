"""A lake as release 0.1 laid it out, in that release's own SQL."""

from __future__ import annotations

from warehouse.lake.extensions import connect
from warehouse.lake.session import attachment
from warehouse.settings import Settings

SCHEMAS = ("raw", "quarantine", "staging", "core", "indicator", "mart", "share", "ops")
# What it wrote for every lake, kept as it was.
LAYOUT_1 = """
CREATE TABLE lake.ops.lake (city VARCHAR, layout_version INTEGER, created_at TIMESTAMP);
CREATE TABLE lake.ops.load (
    delivery_id VARCHAR, city VARCHAR, source VARCHAR, dataset VARCHAR, contract_version VARCHAR,
    uri VARCHAR, content_hash VARCHAR, size_bytes BIGINT, modified_ns BIGINT,
    fetched_count BIGINT, repeated_count BIGINT, read_count BIGINT, accepted_count BIGINT,
    quarantined_count BIGINT, fix_counts VARCHAR, warning_counts VARCHAR,
    unknown_columns VARCHAR[], missing_columns VARCHAR[], cursor_from VARCHAR, cursor_to VARCHAR,
    load_seq BIGINT, started_at TIMESTAMP, loaded_at TIMESTAMP);
CREATE TABLE lake.ops.watermark (
    source VARCHAR, dataset VARCHAR, cursor_value VARCHAR, delivery_id VARCHAR, updated_at TIMESTAMP);
CREATE TABLE lake.ops.build (load_seq BIGINT, models_hash VARCHAR, built_at TIMESTAMP);
CREATE TABLE lake.ops.quality_result (
    check_id VARCHAR, kind VARCHAR, layer VARCHAR, dataset VARCHAR, rule VARCHAR, severity VARCHAR,
    is_passed BOOLEAN, checked_count BIGINT, failed_count BIGINT, failed_keys VARCHAR,
    message VARCHAR, data_position BIGINT, checked_at TIMESTAMP);
INSERT INTO lake.ops.lake VALUES ('demo', 1, TIMESTAMP '2026-01-01 08:00:00');
"""


def lay_out(settings: Settings, statements: str) -> None:
    """A new lake with that release's schemas, and what the statements make in it."""
    settings.home_path.mkdir(parents=True, exist_ok=True)
    connection = connect(extensions=("ducklake", "sqlite_scanner", "postgres_scanner"))
    try:
        connection.execute(attachment(settings).sql(read_only=False))
        for schema in SCHEMAS:
            connection.execute(f"CREATE SCHEMA lake.{schema}")
        connection.execute(statements)
    finally:
        connection.close()
