"""Ways to serve the case table to dashboards, on one made-up city: what each costs to publish and to ask.

Run as a script. The ways:

- `copy`: the whole table copied into one DuckDB file at each publish;
- `native parts`: one DuckDB file for each month, attached, behind a UNION ALL;
- `Parquet parts`: one Parquet file for each month, behind one view: the way that the project takes;
- `lake`: nothing is written; the mart over the lake's own tables, at a pinned snapshot.

`one month` is what a changed day costs where nothing smaller can be written. Each query runs RUNS times after one that
is not counted, in turns of all ways; the median is shown. There is no bar: the choice was made from this table.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "integration")]

import duckdb  # noqa: E402
import serving_city  # noqa: E402
from bench_serving import MEMORY, THREADS, settings_of  # noqa: E402

from warehouse.lake.session import open_lake, pin_snapshot  # noqa: E402

RUNS = 10
_QUERIES = {
    "cases of one unit in a month": "SELECT case_id, class_name_zh, closed_at FROM mart_case "
    "WHERE month = '{month}' AND dept_id = '990100_unit3' ORDER BY reported_at DESC LIMIT 50",
    "hours of a month": "SELECT isodow(reported_at), hour(reported_at), count(*) FROM mart_case "
    "WHERE month = '{month}' GROUP BY ALL",
    "channels of a month": "SELECT channel_name_zh, count(*) FROM mart_case WHERE month = '{month}' GROUP BY ALL",
    "one class, all time": "SELECT count(*) FROM mart_case WHERE class_name_zh = '{name}'",
    "every month": "SELECT month, count(*), avg(rework_count) FROM mart_case GROUP BY month",
    "planning only": "EXPLAIN SELECT count(*) FROM mart_case WHERE month = '{month}' AND dept_id = '990100_unit3'",
}


def write_native(lake: duckdb.DuckDBPyConnection, path: Path, where: str = "true") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    lake.execute(f"ATTACH '{path}' AS part (STORAGE_VERSION 'latest')")
    lake.execute(f"CREATE TABLE part.main.mart_case AS SELECT * FROM lake.mart.mart_case WHERE {where}")
    lake.execute("CHECKPOINT part")
    lake.execute("DETACH part")


def write_parquet(lake: duckdb.DuckDBPyConnection, path: Path, where: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lake.execute(
        f"COPY (SELECT * FROM lake.mart.mart_case WHERE {where}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
    )


def opened_native(files: list[Path]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY})
    for number, file in enumerate(files):
        connection.execute(f"ATTACH '{file}' AS part{number} (READ_ONLY)")
    tables = " UNION ALL ".join(f"SELECT * FROM part{number}.main.mart_case" for number in range(len(files)))
    connection.execute(f"CREATE VIEW mart_case AS {tables}")
    return connection


def opened_parquet(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY})
    connection.execute("SET parquet_metadata_cache = true")
    files = f"read_parquet('{folder}/*/*.parquet', hive_partitioning = true)"
    connection.execute(f"CREATE VIEW mart_case AS SELECT * FROM {files}")
    return connection


def took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def asked(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    return took(lambda: connection.execute(sql).fetchall())


def of_month(month: str) -> str:
    return f"month = '{month}'"


def line(title: str, figures: list[float], digits: int = 0) -> None:
    print(f"| {title} | " + " | ".join(f"{figure:.{digits}f}" for figure in figures) + " |", flush=True)


def compare(lake: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write the table in each way, ask it in each way, and print."""
    months = [
        str(month)
        for (month,) in lake.execute(
            "SELECT DISTINCT strftime(reported_at, '%Y-%m') FROM lake.core.fct_case ORDER BY 1"
        ).fetchall()
    ]
    ((name,),) = lake.execute("SELECT class_name_zh FROM lake.mart.mart_case LIMIT 1").fetchall()
    full_month = months[-2]
    whole, native, parquet = folder / "whole" / "copy.duckdb", folder / "native", folder / "parquet"

    def all_native() -> None:
        for month in months:
            write_native(lake, native / f"{month}.duckdb", of_month(month))

    def all_parquet() -> None:
        for month in months:
            write_parquet(lake, parquet / f"month={month}" / "1.parquet", of_month(month))

    copied = took(lambda: write_native(lake, whole))
    first = [copied, took(all_native), took(all_parquet), 0.0]
    again = [
        copied,
        took(lambda: write_native(lake, folder / "again.duckdb", of_month(full_month))),
        took(lambda: write_parquet(lake, folder / "again.parquet", of_month(full_month))),
        0.0,
    ]
    bytes_of = [sum(file.stat().st_size for file in of.rglob("*.*")) for of in (whole.parent, native)]
    bytes_of += [sum(file.stat().st_size for file in parquet.rglob("*.parquet")), 0]
    lake.execute("CREATE TEMP VIEW mart_case AS SELECT * FROM lake.mart.mart_case")
    ways = [opened_native([whole]), opened_native(sorted(native.iterdir())), opened_parquet(parquet), lake]
    print("| | copy | native parts | Parquet parts | lake |\n|---|---:|---:|---:|---:|")
    line("first publish, s", first)
    line("one month, s", again, 1)
    line("disk, GB", [size / (1 << 30) for size in bytes_of], 2)
    for title, text in _QUERIES.items():
        sql = text.format(month=full_month, name=name.replace("'", "''"))
        turns = [[asked(way, sql) for way in ways] for _ in range(RUNS + 1)]
        line(f"{title}, ms", [1000 * statistics.median(times) for times in zip(*turns[1:], strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000_000, help="number of cases")
    parser.add_argument("--home", type=Path, help="a lake that `bench_serving.py --keep` made, instead of a new one")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gridlake-ways-")))
        settings = settings_of(options.home or folder / "home")
        if not options.home:
            print(f"making {options.size:,} cases", flush=True)
            serving_city.build(settings, options.size)
        lake = stack.enter_context(open_lake(settings, read_only=True))
        ((snapshot,),) = lake.execute("SELECT id FROM lake.current_snapshot()").fetchall()
        pin_snapshot(lake, settings, int(snapshot))
        compare(lake, folder)


if __name__ == "__main__":
    main()
