"""What sources declare under `records` is compared with their rows: the two tests of dbt, with wrong declarations."""

from __future__ import annotations

from lakes import BuiltLake

from pipelines.build import target_path

DECLARED = '"lake"."staging"."source_record"'


def found(lake: BuiltLake, test: str, declared: str) -> set[tuple[str, str]]:
    """Source and record of each row that a test of dbt finds where the query `declared` gives the declarations."""
    compiled = target_path(lake.settings) / "compiled" / "gridlake" / "tests" / f"{test}.sql"
    sql = compiled.read_text(encoding="utf-8")
    assert DECLARED in sql
    return {(source, record) for source, record, *_ in lake.query(sql.replace(DECLARED, f"({declared})"))}


def test_the_made_up_city_declares_what_its_rows_show(demo_lake: BuiltLake) -> None:
    as_declared = f"SELECT * FROM {DECLARED}"
    for test in ("sources_record_what_they_declare", "sources_declare_what_they_record"):
        assert found(demo_lake, test, as_declared) == set()


def test_a_source_that_declares_limits_and_delivers_none_is_told(demo_lake: BuiltLake) -> None:
    """The hotline gives no time by which a case is to be filed."""
    declared = f"SELECT * FROM {DECLARED} UNION ALL SELECT 'demo', 'hotline_12345', 'filing_due', NULL"
    assert found(demo_lake, "sources_record_what_they_declare", declared) == {("hotline_12345", "filing_due")}


def test_what_is_declared_for_a_time_to_come_is_not_missed_yet(demo_lake: BuiltLake) -> None:
    declared = f"SELECT * FROM {DECLARED} UNION ALL SELECT 'demo', 'hotline_12345', 'filing_due', DATE '2027-01-01'"
    assert found(demo_lake, "sources_record_what_they_declare", declared) == set()


def test_a_source_that_delivers_what_it_does_not_declare_is_told(demo_lake: BuiltLake) -> None:
    declared = (
        f"SELECT * FROM {DECLARED} WHERE NOT (source_system = 'patrol_yunhe' AND record IN ('closing', 'rework'))"
    )
    told = found(demo_lake, "sources_declare_what_they_record", declared)
    assert told == {("patrol_yunhe", "closing"), ("patrol_yunhe", "rework")}
