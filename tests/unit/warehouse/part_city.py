"""A small city whose cases are published in parts, and what its tests look at."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.unit.warehouse.helpers import read, write
from warehouse.serving.publish import Partitioned, Publication, parts_folder, publish
from warehouse.serving.reading import open_version
from warehouse.settings import Settings

CASES = Partitioned("mart_case", "mart.mart_case", base="core.fct_case", moment="reported_at", by_row=True)
COUNTS = Partitioned("mart_count", "mart.mart_count", base="core.fct_case", moment="reported_at")
LATE = Partitioned("mart_late", "mart.mart_late", "core.fct_case", "reported_at", horizon="core.horizon.as_of")
UNITS = Partitioned("unit", "core.unit")
TABLES = {"mart_state": "mart.mart_state"}
VIEWS = {"mart_handled": "mart.mart_handled"}
SHOWN = (*TABLES, "unit", "mart_case", "mart_count", "mart_late", "mart_handled")


def city(settings: Settings, *cases: str) -> None:
    """Cases (SQL: number, time and unit each), units with names, and the marts over them."""
    rows = ", ".join(cases) or "(0, TIMESTAMP '2026-01-01', 'a')"
    write(
        settings,
        f"CREATE TABLE lake.core.fct_case AS SELECT * FROM (VALUES {rows}) AS c (case_id, reported_at, unit_id)"
        + ("" if cases else " WHERE false"),
        "CREATE TABLE lake.core.unit AS SELECT * FROM (VALUES ('a', '城管', 'Enforcement'), ('b', NULL, 'Water')) "
        "AS u (unit_id, unit_name_zh, unit_name_en)",
        "CREATE TABLE lake.core.other AS SELECT 1 AS n",
        "CREATE TABLE lake.core.horizon AS SELECT TIMESTAMP '2025-09-20' AS as_of",
        *VIEW_TEXTS,
    )


VIEW_TEXTS = (
    "CREATE OR REPLACE VIEW lake.mart.mart_case AS SELECT c.case_id, "
    "coalesce(strftime(c.reported_at, '%Y-%m'), '0000-00') AS month, c.reported_at, c.unit_id, u.unit_name_zh, "
    "coalesce(u.unit_name_en, c.unit_id, '-') AS unit_name_en FROM lake.core.fct_case AS c "
    "LEFT JOIN lake.core.unit AS u ON c.unit_id = u.unit_id",
    "CREATE OR REPLACE VIEW lake.mart.mart_count AS SELECT month, unit_id, count(*) AS case_count "
    "FROM lake.mart.mart_case GROUP BY month, unit_id",
    "CREATE OR REPLACE VIEW lake.mart.mart_state AS SELECT max(reported_at) AS as_of, '云河' AS city_name_zh, "
    "'Yunhe' AS city_name_en FROM lake.core.fct_case",
    "CREATE OR REPLACE VIEW lake.mart.mart_late AS SELECT c.month, c.case_id, c.month >= strftime(h.as_of, '%Y-%m') "
    "AS is_provisional FROM lake.mart.mart_case AS c CROSS JOIN lake.core.horizon AS h",
    "CREATE OR REPLACE VIEW lake.mart.mart_handled AS SELECT c.*, s.as_of FROM lake.mart.mart_case AS c "
    "CROSS JOIN lake.mart.mart_state AS s WHERE c.unit_id IN (SELECT unit_id FROM lake.core.unit)",
)
A_YEAR = tuple(
    f"({number}, TIMESTAMP '2025-{1 + number % 12:02d}-{1 + number % 28:02d} 08:00:00', '{'abc'[number % 3]}')"
    for number in range(60)
)


def served(settings: Settings, *, grace: timedelta = timedelta(hours=1)) -> Publication:
    return publish(settings, "city", TABLES, partitioned=[CASES, COUNTS, LATE, UNITS], views=VIEWS, grace=grace)


def parts(settings: Settings) -> dict[str, int]:
    """Every part file on disk and its inode: a file that was written again has another."""
    folder = parts_folder(settings, "city")
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def months(changed: set[str]) -> set[str]:
    return {Path(path).parent.name.removeprefix("month=") for path in changed}


def written(settings: Settings, change: str) -> set[str]:
    """The months of the parts that a publish writes, or drops, after this change; `unit` for the part of the units."""
    served(settings, grace=timedelta(0))
    before = parts(settings)
    write(settings, change)
    new = served(settings, grace=timedelta(0))
    assert new.is_new
    check(settings, new)
    return months(set(before) ^ set(parts(settings)))


def check(settings: Settings, version: Publication) -> None:
    """The version shows exactly what the lake's tables and views show, and names exactly the parts on disk."""
    with open_version(version.path, threads=1, memory="300MB") as connection:
        for table in SHOWN:
            source = {**TABLES, **VIEWS, "unit": "core.unit"}.get(table, f"mart.{table}")
            mine = connection.execute(f"SELECT * FROM main.{table} ORDER BY ALL").fetchall()
            assert mine == read(settings, f"SELECT * FROM lake.{source} ORDER BY ALL"), table
        named = {path for (path,) in connection.execute("SELECT path FROM main._part").fetchall()}
        assert named <= {f"city.parts/{path}" for path in parts(settings)}
