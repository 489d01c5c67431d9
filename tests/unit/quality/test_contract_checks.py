from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from catalog.contract import Contract
from quality.contract_checks import contract_checks
from quality.refusals import Refused, settle
from quality.results import CheckResult, record
from tests.unit.catalog.samples import contract as make_contract
from tests.unit.quality.lakes import LANDED, Lake, Row, opened
from warehouse.settings import Settings

GOOD: list[Row] = [(f"A{n:04}", None, 1, "2026-02-01", None) for n in range(8)]
NOW = LANDED + timedelta(hours=2)


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return make_contract(tmp_path / "contracts")


@pytest.fixture
def lake(sqlite_settings: Settings, contract: Contract) -> Iterator[Lake]:
    with opened(sqlite_settings) as lake:
        lake.make_tables(contract)
        yield lake


def checks(lake: Lake, contract: Contract) -> list[CheckResult]:
    return contract_checks(lake.settings, [contract], connection=lake.session, now=NOW)


def results(lake: Lake, *contracts: Contract, now: datetime = NOW) -> dict[str, CheckResult]:
    return {
        result.rule: result for result in contract_checks(lake.settings, contracts, connection=lake.session, now=now)
    }


def test_a_clean_delivery_passes_every_check(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", GOOD)
    found = results(lake, contract)
    assert set(found) == {
        "freshness:clock",
        "freshness:horizon",
        "freshness:data",
        "refused_whole",
        "quarantine",
        "quarantine_share",
        "rule:in_the_city",
        "unknown_columns",
        "balance",
    }
    assert all(result.is_passed for result in found.values())
    assert {result.data_position for result in found.values()} == {1}


def test_refused_rows_are_told_by_rule_with_their_place_and_nothing_of_their_content(
    lake: Lake, contract: Contract
) -> None:
    delivery = lake.land("hotline_case", GOOD, [["type:urgency", "pattern:phone"], ["type:urgency"]])
    found = results(lake, contract)
    by_type = found["type:urgency"]
    assert (by_type.checked_count, by_type.failed_count) == (10, 2)
    assert by_type.failed_keys == (f"delivery={delivery}, row=9", f"delivery={delivery}, row=10")
    assert found["pattern:phone"].failed_count == 1
    assert not found["quarantine"].is_passed
    assert found["quarantine"].severity == "warning"
    assert found["quarantine_share"].is_passed, "of ten rows no share is judged"


def test_a_rule_that_is_no_longer_broken_passes_with_the_next_delivery(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", GOOD, [["type:urgency"]])
    record(lake.settings, checks(lake, contract), connection=lake.session)
    lake.land("hotline_case", [("B0001", None, 1, None, None)], seq=2)
    found = results(lake, contract)
    assert found["type:urgency"].is_passed
    assert found["type:urgency"].data_position == 2


def test_every_delivery_since_the_last_recorded_one_is_judged(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", GOOD, [["type:urgency"]], seq=1)
    lake.land("hotline_case", GOOD, seq=2)
    lake.land("hotline_case", GOOD, seq=3)
    found = [r for r in checks(lake, contract) if r.rule == "quarantine"]
    assert [(r.data_position, r.is_passed) for r in found] == [(1, False), (2, True), (3, True)]
    record(lake.settings, checks(lake, contract), connection=lake.session)
    rows = lake.count("ops.quality_result")
    assert record(lake.settings, checks(lake, contract), connection=lake.session) == 0
    assert lake.count("ops.quality_result") == rows


def test_warnings_and_unknown_columns_are_counted(lake: Lake, contract: Contract) -> None:
    delivery = lake.land("hotline_case", GOOD, warnings={"rule:in_the_city": 3}, unknown=["weather"])
    found = results(lake, contract)
    assert (found["rule:in_the_city"].failed_count, found["rule:in_the_city"].failed_keys) == (
        3,
        (f"delivery={delivery}",),
    )
    assert found["unknown_columns"].failed_keys == ("column=weather",)
    assert {found[rule].severity for rule in ("rule:in_the_city", "unknown_columns")} == {"warning"}


def test_a_delivery_that_lost_a_row_does_not_balance(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", GOOD, seq=1)
    delivery = lake.land("hotline_case", GOOD, seq=2, miscounted=1)
    balance = results(lake, contract)["balance"]
    assert (balance.is_passed, balance.failed_keys, balance.checked_count) == (False, (f"delivery={delivery}",), 2)


def test_rows_that_vanished_from_raw_do_not_balance_and_tombstones_do(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", GOOD)

    lake.write("INSERT INTO lake.raw.hotline_case BY NAME SELECT 'A1' AS order_no, true AS _is_deleted")
    lake.write("UPDATE lake.raw.hotline_case SET _delivery_id = 'hotline_case-1'")
    assert not results(lake, contract)["balance"].is_passed
    lake.write("UPDATE lake.ops.load SET deleted_count = 1")
    assert results(lake, contract)["balance"].is_passed
    lake.write("DELETE FROM lake.raw.hotline_case WHERE order_no = 'A0003'")
    assert not results(lake, contract)["balance"].is_passed


def test_by_the_clock_a_late_data_set_is_a_warning(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", GOOD)
    assert results(lake, contract, now=LANDED + timedelta(hours=27))["freshness:clock"].is_passed
    late = results(lake, contract, now=LANDED + timedelta(hours=29))
    assert (late["freshness:clock"].is_passed, late["freshness:clock"].severity) == (False, "warning")
    assert late["freshness:horizon"].is_passed


def test_a_data_set_that_stays_behind_the_others_is_an_error(lake: Lake, contract: Contract) -> None:
    other = replace(contract, name="permit")
    lake.make_tables(other)
    lake.land("hotline_case", GOOD, cursor_to="2026-02-01 00:00:00")
    lake.land("permit", GOOD, seq=2, cursor_to="2026-02-20 00:00:00")
    behind = results(lake, contract)["freshness:horizon"]
    assert (behind.is_passed, behind.severity) == (False, "error")
    assert "456.0 h behind" in behind.message
    assert results(lake, other)["freshness:horizon"].is_passed


def test_a_data_set_that_never_came_is_late(lake: Lake, contract: Contract) -> None:
    (only,) = [result for rule, result in results(lake, contract).items() if rule != "refused_whole"]
    assert (only.rule, only.is_passed, only.severity) == ("freshness:clock", False, "warning")


MANY: list[Row] = [(f"M{n:04}", None, 1, "2026-02-01", None) for n in range(50)]
BAD = [["type:urgency"]]


def shares(lake: Lake, contract: Contract) -> CheckResult:
    return results(lake, contract)["quarantine_share"]


def test_the_share_is_that_of_all_that_a_run_landed(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", MANY, seq=1)
    lake.land("hotline_case", [], BAD * 2, seq=2)  # alone it would be wholly bad
    share = shares(lake, contract)
    assert (share.is_passed, share.checked_count, share.data_position) == (True, 52, 2)
    record(lake.settings, checks(lake, contract), connection=lake.session)
    worst = lake.land("hotline_case", MANY, BAD * 5, seq=3)
    lake.land("hotline_case", MANY[:1], seq=4)
    share = shares(lake, contract)
    assert (share.is_passed, share.severity, share.checked_count, share.failed_count) == (False, "error", 56, 5)
    assert share.failed_keys == (f"delivery={worst}",)
    assert worst in share.message
    record(lake.settings, checks(lake, contract), connection=lake.session)
    assert not shares(lake, contract).is_passed, "the same run is judged again, not its last delivery"


def test_the_share_is_judged_again_when_the_contract_allows_more(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", MANY, BAD * 5)
    record(lake.settings, checks(lake, contract), connection=lake.session)
    assert not shares(lake, contract).is_passed
    assert shares(lake, replace(contract, quarantine_share_allowed=0.2)).is_passed


def test_a_delivery_that_was_refused_whole_fails_the_check_until_it_is_mended(lake: Lake, contract: Contract) -> None:
    refused = Refused("hotline_case", "2026-04.csv", "hash", "the file is cut off. Fix: deliver it again")

    def found(*these: Refused) -> None:
        settle(lake.session, lake.settings, "office", "hotline_case", these, lambda uri: True)

    found(refused)
    told = results(lake, contract)["refused_whole"]
    assert (told.is_passed, told.severity) == (False, "error")
    assert told.message.startswith("2026-04.csv was refused whole: the file is cut off")
    lake.land("hotline_case", MANY)
    assert not results(lake, contract)["refused_whole"].is_passed
    found()
    assert results(lake, contract)["refused_whole"].is_passed


def test_only_what_is_new_is_counted_unless_the_totals_differ(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", MANY, BAD, seq=1)
    record(lake.settings, checks(lake, contract), connection=lake.session)
    second = lake.land("hotline_case", GOOD, seq=2, miscounted=1)
    balance = results(lake, contract)["balance"]
    assert (balance.failed_keys, balance.checked_count) == ((f"delivery={second}",), 2)
    lake.write("DELETE FROM lake.quarantine.hotline_case")
    assert "delivery=hotline_case-1" in results(lake, contract)["balance"].failed_keys


def test_a_source_that_lands_in_time_but_tells_nothing_new_is_silent(lake: Lake, contract: Contract) -> None:
    other = replace(contract, name="patrol_case")
    lake.make_tables(other)
    lake.land("hotline_case", [("A1", None, 1, "2026-01-01", None)], seq=1)
    lake.land("patrol_case", [("B1", None, 1, "2026-02-27", None), ("B2", None, 1, "2062-01-01", None)], seq=2)
    found = contract_checks(lake.settings, [contract, other], connection=lake.session, now=NOW)
    silent = {r.dataset: (r.is_passed, r.severity) for r in found if r.rule == "freshness:data"}
    assert silent == {"hotline_case": (False, "warning"), "patrol_case": (True, "warning")}


def test_a_delivery_of_a_lake_that_did_not_count_deletions_balances(lake: Lake, contract: Contract) -> None:
    lake.land("hotline_case", MANY)
    lake.write("UPDATE lake.ops.load SET deleted_count = NULL")
    assert results(lake, contract)["balance"].is_passed


def test_a_clock_that_was_ahead_for_two_days_makes_nobody_late(lake: Lake, contract: Contract) -> None:
    other = replace(contract, name="other_case")
    lake.make_tables(other)
    lake.land("other_case", GOOD, seq=1, loaded_at=LANDED + timedelta(days=2))
    lake.land("hotline_case", GOOD, seq=2)
    found = results(lake, contract)
    assert found["freshness:horizon"].is_passed
    assert results(lake, other)["freshness:clock"].is_passed
    assert not results(lake, other, now=LANDED + timedelta(days=2))["freshness:clock"].is_passed


def test_a_register_that_shrank_to_less_than_half_is_an_error_until_a_next_snapshot(
    lake: Lake, contract: Contract
) -> None:
    def snapshot(seq: int, rows: list[Row]) -> CheckResult:
        lake.land("hotline_case", rows, seq=seq)
        lake.write(f"UPDATE lake.ops.load SET snapshot_group = '', source = 'x', uri = '{seq}' WHERE load_seq = {seq}")
        return results(lake, contract)["snapshot_collapse"]

    assert snapshot(1, GOOD).is_passed
    assert snapshot(2, GOOD[:4]).is_passed
    collapsed = snapshot(3, GOOD[:1])
    assert (collapsed.is_passed, collapsed.severity, collapsed.failed_keys) == (
        False,
        "error",
        ("register=hotline_case",),
    )
    assert snapshot(4, GOOD[:1]).is_passed
