"""The made-up city from its source systems to scored indicators, after one run."""

from __future__ import annotations

from collections import Counter

from lakes import BuiltLake, differing, fingerprint, snapshot_id

from pipelines.build import run_dbt
from pipelines.demo_city.defects import expected_quarantine


def test_each_planted_defect_is_quarantined_and_nothing_else(demo_lake: BuiltLake) -> None:
    rows = demo_lake.query("SELECT dataset, sum(quarantined_count) FROM lake.ops.load GROUP BY dataset")
    assert {dataset: count for dataset, count in rows if count} == expected_quarantine()


def test_every_delivery_adds_up(demo_lake: BuiltLake) -> None:
    wrong = demo_lake.query(
        "SELECT delivery_id FROM lake.ops.load WHERE read_count <> accepted_count + quarantined_count"
        " OR fetched_count <> read_count + repeated_count"
    )
    assert wrong == []


def test_values_are_sums_of_numerators_over_sums_of_denominators(demo_lake: BuiltLake) -> None:
    ((wrong, checked),) = demo_lake.query("""
        WITH city AS (SELECT * FROM lake.indicator.indicator_value
                      WHERE area_level = 'city' AND dept_id = '*' AND period_kind = 'month'),
             days AS (SELECT indicator_code, date_trunc('month', period_start) AS month,
                             sum(numerator) AS numerator, sum(denominator) AS denominator
                      FROM lake.indicator.indicator_value
                      WHERE area_level = 'city' AND dept_id = '*' AND period_kind = 'day' GROUP BY ALL)
        SELECT count(*) FILTER (city.numerator IS DISTINCT FROM days.numerator
                                OR city.denominator IS DISTINCT FROM days.denominator), count(*)
        FROM city JOIN days ON days.indicator_code = city.indicator_code AND days.month = city.period_start
        WHERE city.indicator_code IN ('disposeRate', 'inTimeDisposeRate', 'archiveRate', 'inTimeArchiveRate')""")
    assert checked >= 12
    assert wrong == 0


def test_on_time_rate_is_that_of_the_cases(demo_lake: BuiltLake) -> None:
    """Counted again from the cases: of those falling due in March, which were handled in time."""
    ((numerator, denominator),) = demo_lake.query("""
        SELECT count(*) FILTER (handled_at <= handle_due_at), count(*) FROM lake.core.fct_case
        WHERE date_trunc('month', handle_due_at) = DATE '2026-03-01' AND is_filed AND NOT is_cancelled
          AND handle_due_at <= (SELECT max(horizon_at) FROM lake.core.build_position)""")
    rows = demo_lake.query("""
        SELECT numerator, denominator FROM lake.indicator.indicator_value
        WHERE indicator_code = 'inTimeDisposeRate' AND area_level = 'city' AND dept_id = '*'
          AND period_kind = 'month' AND period_start = DATE '2026-03-01'""")
    assert denominator > 1000
    assert rows == [(numerator, denominator)]


def test_a_second_run_changes_no_row_and_writes_no_snapshot(demo_lake: BuiltLake) -> None:
    schemas = ("raw", "quarantine", "core", "indicator", "mart", "ops")
    before, at = fingerprint(demo_lake.settings, schemas), snapshot_id(demo_lake.settings)
    assert "nothing new" in demo_lake.run("demo")
    assert differing(before, fingerprint(demo_lake.settings, schemas)) == []
    assert snapshot_id(demo_lake.settings) == at


def test_all_checks_have_a_result_and_none_fails_with_an_error(demo_lake: BuiltLake) -> None:
    kinds = Counter(
        kind for (kind,) in demo_lake.query("SELECT DISTINCT ON (check_id) kind FROM lake.ops.quality_result")
    )
    assert kinds.keys() == {"contract", "delivery", "dbt", "gx"} or kinds.keys() == {"contract", "dbt", "gx"}
    failing = demo_lake.query("""
        SELECT check_id, text_code, text_values FROM lake.ops.quality_result
        QUALIFY row_number() OVER (PARTITION BY check_id ORDER BY result_seq DESC) = 1
            AND NOT is_passed AND severity = 'error'""")
    assert failing == []


def test_the_models_do_what_their_unit_tests_say(demo_lake: BuiltLake) -> None:
    run_dbt(demo_lake.settings, ["test", "--select", "test_type:unit"])
