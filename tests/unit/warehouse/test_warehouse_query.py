"""People may read the lake's tables with SQL and reach nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.unit.warehouse.helpers import write
from warehouse.errors import LakeError, ReadOnlyViolation
from warehouse.lake.query import IS_CUT, _checked_statement, _lock, query
from warehouse.lake.session import open_lake
from warehouse.settings import Settings, load_settings


@pytest.fixture(scope="module")
def lake_settings() -> Iterator[Settings]:
    folder = Path(tempfile.mkdtemp(prefix="gridlake-query-"))
    settings = load_settings(home=folder / "home", memory="600MB")
    write(
        settings,
        "CREATE TABLE lake.core.t AS SELECT n, '案件' || n AS name FROM range(100) AS r(n)",
        "CREATE VIEW lake.core.v AS SELECT n FROM lake.core.t",
    )
    yield settings
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def session(lake_settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session as `query` sets it up."""
    with open_lake(lake_settings, read_only=True) as connection:
        _lock(connection, lake_settings)
        yield connection


READING = [
    "SELECT count(*) FROM core.t",
    "FROM lake.core.t",
    "WITH own AS (FROM core.v) SELECT sum(n) FROM own",
    "WITH RECURSIVE up AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM up WHERE n < 3) FROM up",
    "DESCRIBE core.t",
    "SHOW ALL TABLES",
    "SHOW TABLES FROM core",
    "SUMMARIZE core.t",
    "EXPLAIN SELECT 1",
    "/* 说明 */ EXPLAIN  ANALYZE SELECT '案件' FROM core.t",
    "VALUES (1), (2)",
    "PIVOT (FROM core.t LIMIT 5) ON n IN (1, 2) USING count(*)",
    "FROM lake.snapshots()",
    "FROM core.t AT (VERSION => 2)",
    "SELECT * FROM range(3)",
    "SELECT unnest([1, 2])",
    "SELECT table_name FROM information_schema.tables",
    "SELECT 1;",
]


@pytest.mark.parametrize("sql", READING)
def test_reading_statement_runs(session: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert session.execute(_checked_statement(session, sql)).fetchall()


REACHING_OUT = [
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')",
    "FROM read_csv('/etc/passwd')",
    "FROM '/etc/passwd'",
    "FROM 'data/core/t/*.parquet'",
    "FROM glob('/*')",
    "FROM read_parquet('{home}/data/core/t/*.parquet')",
    "FROM sqlite_scan('{home}/catalog.sqlite', 'ducklake_snapshot')",
    "FROM sqlite_query('__ducklake_metadata_lake', 'SELECT 1')",
    "FROM postgres_scan('host=localhost', 'public', 't')",
    "FROM postgres_query('__ducklake_metadata_lake', 'SELECT 1')",
    "FROM st_read('/etc/passwd')",
    "FROM __ducklake_metadata_lake.ducklake_snapshot",
    "FROM __ducklake_metadata_lake.main.ducklake_snapshot",
    "FROM duckdb_databases()",
    "FROM duckdb_databases",
    "FROM system.main.duckdb_databases",
    "WITH duckdb_databases AS (SELECT 1) FROM duckdb_databases",
    "FROM duckdb_settings()",
    "FROM duckdb_secrets()",
    "FROM query('FROM duckdb_databases()')",
    "FROM query_table('duckdb_databases')",
    "FROM histogram('duckdb_databases', 'path')",
    "FROM ducklake_list_files('lake', 't', schema => 'core')",
    "FROM ducklake_merge_adjacent_files('lake')",
    "FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)",
    "FROM enable_logging()",
    "FROM python_variable",
    "SELECT json_serialize_plan('FROM read_text(''/etc/passwd'')')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT 1 WHERE EXISTS (FROM read_text('/etc/passwd'))",
    "SELECT * FROM core.t, LATERAL (FROM glob('/*'))",
    "SELECT 1 UNION ALL FROM '/etc/passwd'",
    "WITH own AS MATERIALIZED (FROM read_text('/etc/passwd')) SELECT 1",
    "DESCRIBE '/etc/passwd'",
    "SUMMARIZE SELECT * FROM read_text('/etc/passwd')",
    "EXPLAIN ANALYZE FROM read_text('/etc/passwd')",
    "EXPLAIN (FROM read_text('/etc/passwd'))",
]
CHANGING = [
    "INSERT INTO core.t VALUES (1, 'x')",
    "UPDATE core.t SET n = 1",
    "DELETE FROM core.t",
    "MERGE INTO core.t USING core.v ON t.n = v.n WHEN MATCHED THEN DELETE",
    "TRUNCATE core.t",
    "CREATE TABLE core.x (n INT)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "DROP TABLE core.t",
    "ALTER TABLE core.t ADD COLUMN x INT",
    "COMMENT ON TABLE core.t IS 'x'",
    "COPY (SELECT 1) TO '{home}/data/x.csv'",
    "COPY core.t FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x.duckdb'",
    "ATTACH '{home}/catalog.sqlite' AS q (TYPE sqlite)",
    "DETACH lake",
    "USE memory",
    "INSTALL httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "PRAGMA database_list",
    "CALL lake.set_commit_message('a', 'b')",
    "SET threads = 1",
    "RESET threads",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN ANALYZE DELETE FROM core.t",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{home}/data/x.csv'",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE core.t",
    "",
]


@pytest.mark.parametrize("sql", REACHING_OUT + CHANGING)
def test_any_other_statement_is_refused_before_it_runs(
    session: duckdb.DuckDBPyConnection, lake_settings: Settings, sql: str
) -> None:
    with pytest.raises(ReadOnlyViolation, match=r"SQL: .* Fix: "):
        _checked_statement(session, sql.format(home=lake_settings.home_path))


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_text('/etc/passwd')",
        "FROM glob('/*')",
        "COPY (SELECT 1) TO '/tmp/gridlake_hole.csv'",
        "ATTACH '/tmp/gridlake_hole.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "DELETE FROM core.t",
        "FROM python_variable",
        "IMPORT DATABASE '/tmp'",
    ],
)
def test_session_itself_holds_where_the_check_is_passed(session: duckdb.DuckDBPyConnection, sql: str) -> None:
    python_variable = duckdb.sql("SELECT 1").to_arrow_table()
    assert python_variable.num_rows == 1
    with pytest.raises(duckdb.Error, match=r"disabled|locked|read-only|does not exist"):
        session.execute(sql).fetchall()


def test_hole_in_a_whole_query_is_refused(settings: Settings) -> None:
    write(settings, "CREATE TABLE lake.core.t AS SELECT n FROM range(50) AS r(n)")
    assert query(settings, "SELECT count(*) AS n FROM core.t").to_pylist() == [{"n": 50}]
    with pytest.raises(ReadOnlyViolation, match="__ducklake_metadata_lake"):
        query(settings, "FROM __ducklake_metadata_lake.ducklake_metadata")


def test_rows_beyond_the_limit_are_left_out_and_told(lake_settings: Settings) -> None:
    table = query(lake_settings, "SELECT n FROM core.t ORDER BY n", 7)
    assert table.column("n").to_pylist() == list(range(7))
    assert table.schema.metadata[IS_CUT] == b"true"
    whole = query(lake_settings, "SELECT n FROM core.t", 100)
    assert (whole.num_rows, whole.schema.metadata[IS_CUT]) == (100, b"false")
    assert query(lake_settings, "SELECT n FROM core.t", None).num_rows == 100


def test_failing_statement_says_why(lake_settings: Settings) -> None:
    with pytest.raises(LakeError, match="colour"):
        query(lake_settings, "SELECT colour FROM core.t")
    with pytest.raises(LakeError, match="syntax error"):
        query(lake_settings, "SELEKT 1")
