"""A serving file opened for reading: its tables can be read, and nothing else be reached or changed through it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.unit.warehouse.helpers import ROOT, write
from warehouse.serving.partitions import Partitioned
from warehouse.serving.publish import parts_folder, publish
from warehouse.serving.reading import open_version, refuse_unless_reading
from warehouse.settings import load_settings


@pytest.fixture(scope="module")
def version() -> Iterator[Path]:
    """A published version with a copied table and one in two parts."""
    folder = Path(tempfile.mkdtemp(prefix="gridlake-serving-"))
    settings = load_settings(home=folder / "home", memory="600MB")
    write(
        settings,
        "CREATE TABLE lake.core.t AS SELECT n, TIMESTAMP '2026-01-30' + to_days(n::INT) AS seen_at FROM range(4) r(n)",
        "CREATE VIEW lake.mart.v AS SELECT *, strftime(seen_at, '%Y-%m') AS month FROM lake.core.t",
    )
    by_month = Partitioned("by_month", "mart.v", base="core.t", moment="seen_at")
    yield publish(settings, "city", {"t": "core.t"}, partitioned=[by_month]).path
    shutil.rmtree(folder)


@pytest.fixture
def opened(version: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_version(version, threads=1, memory="300MB", spill=tmp_path) as connection:
        yield connection


def part_of(version: Path) -> Path:
    return next(version.parent.glob("city.parts/*/*/*.parquet"))


def test_cursors_read_the_tables_in_each_language(opened: duckdb.DuckDBPyConnection) -> None:
    for table in ("main.t", "main.by_month", "zh.by_month", "en.t"):
        assert opened.cursor().execute(f"SELECT sum(n) FROM {table}").fetchall() == [(6,)]
    months = opened.cursor().execute("SELECT DISTINCT month FROM zh.by_month ORDER BY 1").fetchall()
    assert months == [("2026-01",), ("2026-02",)]


def test_limits_hold_for_all_cursors_and_large_sorts_go_to_the_spill_folder(version: Path, tmp_path: Path) -> None:
    sort = "SELECT count(*) FROM (SELECT range, hash(range)::VARCHAR AS h FROM range(1500000) ORDER BY h OFFSET 1)"
    with open_version(version, threads=1, memory="60MB", spill=tmp_path / "spill") as connection:
        shown = "SELECT current_setting('threads'), current_setting('TimeZone'), current_setting('memory_limit')"
        assert connection.cursor().execute(shown).fetchall() == [(1, "UTC", "57.2 MiB")]
        assert connection.cursor().execute(sort).fetchall() == [(1499999,)]
    assert list((tmp_path / "spill").glob("*/*")) == []
    with open_version(version, threads=1, memory="60MB") as connection, pytest.raises(duckdb.OutOfMemoryException):
        connection.cursor().execute(sort)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_blob('{folder}/secret.txt')",
        "SELECT * FROM read_csv('{folder}/secret.txt')",
        "SELECT * FROM '{folder}/secret.parquet'",
        "SELECT * FROM read_parquet('{folder}/*.parquet')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_duckdb('{folder}/secret.duckdb', table_name = 't')",
        "ATTACH '{folder}/secret.duckdb' AS other",
        "ATTACH ':memory:' AS other",
        "ATTACH '{folder}/new.duckdb' AS other",
        "COPY t TO '{folder}/out.csv'",
        "COPY (SELECT 1) TO '{folder}/out.parquet' (USE_TMP_FILE false)",
        "EXPORT DATABASE '{folder}/out'",
        "INSTALL httpfs",
        "LOAD '{folder}/some.duckdb_extension'",
        "SET enable_external_access = true",
        "SET allowed_paths = []",
        "SET allowed_directories = ['/']",
        "SET memory_limit = '100GB'",
        "SET threads = 64",
        "RESET lock_configuration",
        "SET lock_configuration = false",
        "PRAGMA disable_verification; SET temp_directory = '/tmp'",
        "CREATE TABLE main.mine AS SELECT 1",
        "CREATE OR REPLACE VIEW zh.t AS SELECT 1",
        "DROP VIEW zh.t",
        "INSERT INTO main.t VALUES (1, now())",
        "UPDATE main.t SET n = 0",
        "DELETE FROM main._part",
        "CREATE SECRET s (TYPE s3)",
        "SELECT * FROM variable_of_the_calling_code",
    ],
)
def test_files_settings_and_tables_cannot_be_reached(
    opened: duckdb.DuckDBPyConnection, tmp_path: Path, statement: str
) -> None:
    variable_of_the_calling_code = duckdb.sql("SELECT 'secret' AS s").arrow()
    assert variable_of_the_calling_code is not None
    (tmp_path / "secret.txt").write_text("secret")
    duckdb.execute(f"COPY (SELECT 'secret' AS s) TO '{tmp_path}/secret.parquet'")
    with duckdb.connect(str(tmp_path / "secret.duckdb")) as other:
        other.execute("CREATE TABLE t AS SELECT 'secret' AS s")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(duckdb.Error):
        opened.cursor().execute(statement.format(folder=tmp_path)).fetchall()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_parquet('{part}')",
        "SELECT * FROM '{part}'",
        "SELECT size FROM read_blob('{file}')",
        "SELECT * FROM parquet_metadata('{part}')",
        "SELECT * FROM enable_logging(storage = 'file', storage_path = '{file}')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT (SELECT count(*) FROM read_blob('{file}'))",
        "WITH x AS (SELECT * FROM read_blob('{file}')) SELECT 1 FROM t WHERE n IN (SELECT size FROM x)",
        "SELECT write_log('x')",
        "COPY (SELECT 1) TO '{part}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{part}' (USE_TMP_FILE false)",
        "CALL enable_logging()",
        "CHECKPOINT",
        "SET VARIABLE x = 1",
        "CREATE TEMP TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_what_users_write_may_only_read_tables(
    opened: duckdb.DuckDBPyConnection, version: Path, statement: str
) -> None:
    """DuckDB itself would let these pass, files of the version being its own."""
    with pytest.raises(duckdb.PermissionException):
        refuse_unless_reading(opened, statement.format(part=part_of(version), file=version))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM zh.by_month WHERE month = '2026-01'",
        "WITH x AS (SELECT n FROM t) SELECT x.n, r.range FROM x, range(3) AS r ORDER BY ALL",
        "FROM main.t SELECT list_transform([n], lambda e: e + 1)",
        "SELECT * FROM information_schema.tables",
        "SELECT table_name FROM duckdb_tables()",
        "DESCRIBE main.t",
        "SELECT n, sum(n) OVER (ORDER BY seen_at) FROM t UNION ALL SELECT 1, 2;",
    ],
)
def test_reading_passes(opened: duckdb.DuckDBPyConnection, statement: str) -> None:
    refuse_unless_reading(opened, statement)
    opened.cursor().execute(statement).fetchall()


def test_files_of_a_version_are_not_for_writing(version: Path) -> None:
    assert (version.stat().st_mode & 0o222, part_of(version).stat().st_mode & 0o222) == (0, 0)


def test_a_version_that_is_gone_or_lacks_a_part_is_told(version: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not kept any more"):
        open_version(tmp_path / "city-1.duckdb", threads=1, memory="300MB")
    shutil.copy(version, tmp_path / version.name)
    with pytest.raises(FileNotFoundError, match=r"a part of .* is gone"):
        open_version(tmp_path / version.name, threads=1, memory="300MB")


def test_opening_needs_duckdb_only() -> None:
    """Superset's environment has DuckDB, not the project's other requirements."""
    code = (
        "import sys, warehouse.serving.reading, catalog.serve.superset.ids, warehouse.secret_files; "
        "print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    # -S: no `site`, which would read what other packages leave for the start of every process.
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["__main__", "_duckdb", "catalog", "duckdb", "warehouse"]


def test_parts_lie_beside_the_serving_file(version: Path) -> None:
    settings = load_settings(home=version.parent.parent)
    assert part_of(version).is_relative_to(parts_folder(settings, "city"))
