from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from quality.results import CheckResult, key_texts, latest, record, without_values
from quality.texts import CheckText
from tests.unit.quality.lakes import opened
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

PASSED = CheckResult(
    check_id="gx.raw.hotline_case.required:order_no",
    kind="gx",
    layer="raw",
    dataset="hotline_case",
    rule="required:order_no",
    severity="error",
    is_passed=True,
    checked_count=10,
    failed_count=0,
    failed_keys=(),
    text=CheckText.of("rows_break_rule", 0, 10),
    data_position=1,
)
FAILED = replace(PASSED, is_passed=False, failed_count=2, failed_keys=("order_no=甲1", 'order_no="2"'))


def rows(settings: Settings) -> int:
    with opened(settings) as lake:
        return lake.count("ops.quality_result")


def test_a_result_comes_back_as_it_was_recorded(settings: Settings) -> None:
    other = replace(PASSED, check_id="dbt.x", kind="dbt", checked_count=None)
    assert record(settings, [FAILED, other]) == 2
    assert latest(settings) == [other, FAILED]


def test_a_repeated_run_over_the_same_data_adds_no_row_and_no_snapshot(sqlite_settings: Settings) -> None:
    def snapshots() -> int:
        with open_lake(sqlite_settings, read_only=True) as connection:
            ((number,),) = connection.execute("SELECT count(*) FROM lake.snapshots()").fetchall()
        return int(number)

    assert record(sqlite_settings, [PASSED]) == 1
    before = snapshots()
    assert record(sqlite_settings, [replace(PASSED, text=CheckText.of("test_passed"))]) == 0
    assert rows(sqlite_settings) == 1
    assert snapshots() == before


def test_a_changed_outcome_or_newer_data_adds_a_row(sqlite_settings: Settings) -> None:
    record(sqlite_settings, [PASSED], checked_at=datetime(2026, 1, 1))
    assert record(sqlite_settings, [FAILED], checked_at=datetime(2026, 1, 2)) == 1
    newer = replace(FAILED, data_position=2)
    assert record(sqlite_settings, [newer], checked_at=datetime(2026, 1, 3)) == 1
    assert record(sqlite_settings, [PASSED], checked_at=datetime(2026, 1, 4)) == 1
    assert latest(sqlite_settings) == [PASSED]
    assert rows(sqlite_settings) == 4


def test_a_clock_that_was_ahead_does_not_keep_its_verdict(settings: Settings) -> None:
    record(settings, [FAILED], checked_at=datetime(2026, 1, 4))
    assert record(settings, [PASSED], checked_at=datetime(2026, 1, 2)) == 1
    assert latest(settings) == [PASSED]
    assert record(settings, [PASSED], checked_at=datetime(2026, 1, 2)) == 0
    assert record(settings, [FAILED], checked_at=datetime(2026, 1, 2)) == 1
    assert latest(settings) == [FAILED]


def test_several_results_of_one_check_are_compared_one_after_another(sqlite_settings: Settings) -> None:
    second = replace(PASSED, data_position=2)
    assert record(sqlite_settings, [PASSED, PASSED, second]) == 2
    assert record(sqlite_settings, [second]) == 0
    assert latest(sqlite_settings) == [second]


def test_a_lake_without_results_has_none(sqlite_settings: Settings) -> None:
    assert latest(sqlite_settings) == []
    assert record(sqlite_settings, []) == 0


def test_only_twenty_keys_are_kept(sqlite_settings: Settings) -> None:
    many = replace(FAILED, failed_keys=tuple(f"order_no={n}" for n in range(50)))
    record(sqlite_settings, [many])
    (kept,) = latest(sqlite_settings)
    assert len(kept.failed_keys) == 20
    assert len(key_texts({"n": n} for n in range(50))) == 20


def test_a_database_message_loses_the_values_it_repeats() -> None:
    message = "Conversion Error: Could not convert string '13812345678' to INT32 in \"phone\"\nLINE 1: 13812345678"
    assert without_values(message) == "Conversion Error: Could not convert string … to INT32 in …"


def test_a_check_that_no_longer_exists_is_closed_and_opens_again_when_it_is_made(settings: Settings) -> None:
    gone = replace(FAILED, check_id="gx.raw.hotline_case.range:old", rule="range:old")
    other = replace(gone, check_id="gx.raw.other.range:old", dataset="other")
    record(settings, [PASSED, gone, other])
    assert latest(settings) == [gone, PASSED, other]

    def of_this(result: CheckResult) -> bool:
        return result.dataset == "hotline_case"

    assert record(settings, [PASSED], covering=of_this) == 0
    assert latest(settings) == [PASSED, other]
    before = rows(settings)
    assert record(settings, [PASSED], covering=of_this) == 0
    assert record(settings, [], covering=lambda result: result.dataset == "nothing") == 0
    assert rows(settings) == before
    record(settings, [gone])
    assert latest(settings) == [gone, PASSED, other]
