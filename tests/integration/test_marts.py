"""The marts over the made-up city's lake: each figure is worked out from core, indicator or ops a second time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from lakes import BuiltLake
from shapely import from_wkb
from shapely.geometry import Polygon
from shapely.ops import unary_union

from catalog.contract import load_contracts
from pipelines.sources.declared import load_sources
from tests.conventions.test_mart_labels import MARTS, in_one_language
from warehouse.lake.session import open_lake

# A ring is drawn without the holes of an area and without details below 1 m.
DRAWN_EXACTLY = 0.01
GRAINS = {
    "mart_case_stage": "month, district_id, street_id, dept_id, channel_code, stage",
    "mart_case_hour": "month, iso_weekday, hour, district_id, dept_id",
    "mart_case_due": "month, district_id, street_id, dept_id, stage",
    "mart_public_index": "month, area_id, node",
}


@pytest.fixture(scope="module")
def lake(demo_lake: BuiltLake) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_lake(demo_lake.settings, read_only=True) as connection:
        connection.execute("USE lake")
        yield connection


def ask(lake: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return lake.execute(sql).fetchall()


@pytest.mark.parametrize(("name", "columns"), GRAINS.items())
def test_a_sum_has_one_row_for_each_of_its_keys(lake: duckdb.DuckDBPyConnection, name: str, columns: str) -> None:
    ((rows, keys),) = ask(lake, f"SELECT count(*), count(DISTINCT ({columns})) FROM mart.{name}")
    assert rows == keys
    assert rows > 0


def test_the_funnel_counts_the_cases_of_each_month(lake: duckdb.DuckDBPyConnection) -> None:
    counted = ask(
        lake,
        """
        WITH c AS (
            SELECT strftime(reported_at, '%Y-%m') AS month, is_filed,
                   NOT is_cancelled AND status_code <> 'not_accepted' AS goes_on,
                   closed_at IS NOT NULL OR status_code IN ('closed', 'forced_close') AS is_closed,
                   coalesce(handled_at, checked_at) IS NOT NULL
                   OR status_code IN ('handle_finish', 'pending_check', 'checking', 'check_pass', 'pending_close')
                   AS is_handled
            FROM core.fct_case)
        SELECT month, count(*), count(*) FILTER (goes_on AND is_filed),
               count(*) FILTER (goes_on AND (is_handled OR is_closed)), count(*) FILTER (goes_on AND is_closed)
        FROM c GROUP BY month ORDER BY month""",
    )
    shown = ask(
        lake,
        """
        SELECT month, sum(case_count) FILTER (stage = 'reported'), sum(case_count) FILTER (stage = 'filed'),
               sum(case_count) FILTER (stage = 'handled'), sum(case_count) FILTER (stage = 'closed')
        FROM mart.mart_case_stage GROUP BY month ORDER BY month""",
    )
    assert len(shown) >= 3
    assert shown == counted


def test_every_report_stands_at_its_hour(lake: duckdb.DuckDBPyConnection) -> None:
    counted = ask(
        lake,
        "SELECT isodow(reported_at), hour(reported_at), count(*) FROM core.fct_case GROUP BY ALL ORDER BY ALL",
    )
    shown = ask(lake, "SELECT iso_weekday, hour, sum(case_count) FROM mart.mart_case_hour GROUP BY ALL ORDER BY ALL")
    assert shown == counted


def test_open_cases_are_the_stock_of_each_unit(lake: duckdb.DuckDBPyConnection) -> None:
    shown = ask(
        lake,
        """
        SELECT dept_id, count(*), sum(age_days) FROM mart.mart_case_open GROUP BY ALL
        UNION ALL SELECT '*', count(*), sum(age_days) FROM mart.mart_case_open ORDER BY dept_id""",
    )
    stock = ask(
        lake,
        """
        SELECT dept_id, denominator, numerator FROM indicator.indicator_value
        WHERE indicator_code = 'avgOpenAge' AND area_level = 'city' AND period_kind = 'month' AND denominator > 0
          AND period_start = (SELECT date_trunc('month', as_of) FROM mart.mart_state) ORDER BY dept_id""",
    )
    assert len(shown) > 5
    assert shown == stock


def test_what_fell_due_is_what_the_indicators_judge(lake: duckdb.DuckDBPyConnection) -> None:
    codes = {
        "file": "inTimeRegisterRate",
        "dispatch": "inTimeDispatchRate",
        "handle": "inTimeDisposeRate",
        "close": "inTimeArchiveRate",
    }
    for stage, code in codes.items():
        shown = ask(
            lake,
            "SELECT month, sum(on_time_count), sum(due_count) FROM mart.mart_case_due"
            f" WHERE stage = '{stage}' GROUP BY month ORDER BY month",
        )
        judged = ask(
            lake,
            f"""
            SELECT month, numerator, denominator FROM mart.mart_indicator
            WHERE indicator_code = '{code}' AND area_level = 'city' AND dept_id = '*' AND period_kind = 'month'
              AND denominator > 0 ORDER BY month""",
        )
        assert len(shown) >= 3
        assert shown == judged


def test_the_cases_behind_each_indicator_make_its_value(lake: duckdb.DuckDBPyConnection) -> None:
    """Over the view itself and all months; the check of each build takes the newest two and leaves the labels out."""
    stocks = {"openCount", "avgOpenAge"}
    for code in (
        *("report", "validReportRate", "registerRate", "avgRegisterTime", "returnRate", "reworkRate", "avgHandleTime"),
        *("archive", "inTimeRegisterRate", "disposeRate", "x_supervisedOnTime", "repeatRate", "caseDensity", *stocks),
    ):
        shown = ask(
            lake,
            "SELECT month, sum(numerator_amount), sum(denominator_amount), count(DISTINCT case_id) = count(*)"
            f" FROM mart.mart_indicator_case WHERE indicator_code = '{code}' GROUP BY month ORDER BY month",
        )
        expected = ask(
            lake,
            f"""
            SELECT month, numerator, denominator, true FROM mart.mart_indicator
            WHERE indicator_code = '{code}' AND area_level = 'city' AND dept_id = '*' AND period_kind = 'month'
              AND coalesce(denominator, numerator) > 0
              AND (month = (SELECT newest_month FROM mart.mart_state) OR NOT {code in stocks}) ORDER BY month""",
        )
        if code == "repeatRate":
            expected = [(month, None, denominator, is_one) for month, _, denominator, is_one in expected]
        if code == "caseDensity":
            expected = [(month, numerator, None, is_one) for month, numerator, _, is_one in expected]
        assert shown == expected, code


def test_an_area_is_drawn_as_it_is(lake: duckdb.DuckDBPyConnection) -> None:
    rows = ask(
        lake,
        """
        SELECT m.area_id, any_value(a.geometry), list(DISTINCT m.ring)
        FROM mart.mart_map m JOIN core.dim_area a USING (area_id) GROUP BY m.area_id""",
    )
    areas = ask(lake, "SELECT area_id FROM core.dim_area WHERE geometry IS NOT NULL AND valid_to IS NULL")
    assert sorted(area for area, _, _ in rows) == sorted(area for (area,) in areas)
    for area, geometry, rings in rows:
        lines = [json.loads(ring) for ring in rings]
        assert all(line[0] == line[-1] and len(line) > 3 for line in lines)
        shape = from_wkb(bytes(geometry))
        drawn = unary_union([Polygon(line) for line in lines])
        assert drawn.symmetric_difference(shape).area < DRAWN_EXACTLY * shape.area, area


def test_every_area_month_and_measure_is_on_the_map_once(lake: duckdb.DuckDBPyConnection) -> None:
    ((rows, areas, months, valued),) = ask(
        lake,
        "SELECT count(DISTINCT (area_id, month, measure)), count(DISTINCT area_id), count(DISTINCT month), count(value)"
        " FROM mart.mart_map",
    )
    assert rows == areas * months * 2
    assert valued > rows / 2
    ((differing, compared),) = ask(
        lake,
        """
        SELECT count(*) FILTER (m.value IS DISTINCT FROM i.score), count(*)
        FROM mart.mart_map m JOIN mart.mart_index i USING (area_id, month)
        WHERE m.measure = 'score' AND i.node = 'overall' AND i.dept_id = '*' AND i.period_kind = 'month'""",
    )
    assert differing == 0
    assert compared > 50


def test_filters_offer_the_months_that_have_cases_or_permits(lake: duckdb.DuckDBPyConnection) -> None:
    assert ask(lake, "SELECT topic, month FROM mart.mart_month ORDER BY ALL") == ask(
        lake,
        "SELECT DISTINCT 'case', month FROM mart.mart_case_stage WHERE stage = 'reported' AND month <> '0000-00' UNION"
        " SELECT DISTINCT 'permit', month FROM mart.mart_permit WHERE month <> '0000-00' ORDER BY ALL",
    )


def test_only_months_that_are_over_are_public(lake: duckdb.DuckDBPyConnection) -> None:
    ((newest, levels),) = ask(
        lake, "SELECT max(month), list_sort(list(DISTINCT area_level)) FROM mart.mart_public_index"
    )
    ((full,),) = ask(lake, "SELECT newest_full_month FROM mart.mart_state")
    assert newest == full
    assert levels == ["city", "district"]
    assert ask(lake, f"SELECT count(*) FROM mart.mart_index WHERE is_provisional AND month <= '{full}'") == [(0,)]


def test_a_label_is_there_where_its_code_is(lake: duckdb.DuckDBPyConnection) -> None:
    for name, model in MARTS.items():
        if name == "mart_indicator_case":
            continue  # carried from mart_case
        own = {column["name"] for column in model["columns"]}
        bare = {}
        for label in (column for column in in_one_language(model) if column not in own):
            stem = label.removesuffix("_name")
            code = next((c for c in (f"{stem}_id", f"{stem}_code", stem) if c in own), None)
            if code is not None:
                half = f"({label}_zh IS NULL OR {label}_en IS NULL)"
                bare[label] = f'count(*) FILTER ("{code}" IS NOT NULL AND {half})'
        if bare:
            (counts,) = ask(lake, f"SELECT {', '.join(bare.values())} FROM mart.{name}")
            assert dict(zip(bare, counts, strict=True)) == dict.fromkeys(bare, 0), name


def test_no_code_of_a_closed_list_is_left_without_words(lake: duckdb.DuckDBPyConnection) -> None:
    """A label that falls back to the code says that a list lacks it."""
    for name, label, code in (
        ("mart_case", "channel_name", "channel_code"),
        ("mart_case", "status_name", "status_code"),
        ("mart_case", "urgency_name", "urgency_code"),
        ("mart_index", "node_name", "node"),
        ("mart_index", "dept_name", "dept_id"),
        ("mart_indicator", "unit_name", "unit"),
        ("mart_indicator", "status_name", "status"),
        ("mart_permit", "permit_type_name", "permit_type_code"),
        ("mart_permit", "decision_name", "decision_code"),
        ("mart_component", "status_name", "status_code"),
        ("mart_check", "kind_name", "kind"),
        ("mart_check", "state_name", "state"),
    ):
        bare = ask(
            lake,
            f"SELECT DISTINCT {code} FROM mart.{name} WHERE {label}_zh = {code}",
        )
        assert bare == [], f"{name}.{label}"


def test_every_metric_can_be_asked_and_no_share_is_beyond_its_whole(lake: duckdb.DuckDBPyConnection) -> None:
    for name, model in MARTS.items():
        kinds = in_one_language(model)
        own = {column["name"] for column in model["columns"]}
        shown = ", ".join(f'"{c}"' if c in own else f'"{c}_zh" AS "{c}"' for c in kinds)
        only = " WHERE indicator_code = 'archiveRate'" if name == "mart_indicator_case" else ""
        metrics = model["config"]["meta"]["metrics"]
        asked = ", ".join(f"{metric['sql']} AS m{number}" for number, metric in enumerate(metrics))
        (values,) = ask(lake, f"SELECT {asked} FROM (SELECT {shown} FROM mart.{name}{only})")
        for metric, value in zip(metrics, values, strict=True):
            if metric.get("format", "").endswith("%") and metric["name"] != "rework_rate" and value is not None:
                assert 0 <= value <= 1, f"{name}.{metric['name']}"


def test_a_rate_of_several_months_is_a_sum_over_a_sum(lake: duckdb.DuckDBPyConnection) -> None:
    value = next(m["sql"] for m in MARTS["mart_indicator"]["config"]["meta"]["metrics"] if m["name"] == "value")
    condition = "dept_id = '*' AND area_level = 'district' AND period_kind = 'month'"

    def over(codes: str) -> Any:
        ((found,),) = ask(
            lake, f"SELECT {value} FROM mart.mart_indicator WHERE {condition} AND indicator_code IN ({codes})"
        )
        return found

    ((expected,),) = ask(
        lake,
        f"SELECT 100.0 * sum(numerator) / sum(denominator) FROM mart.mart_indicator WHERE {condition}"
        " AND indicator_code = 'archiveRate'",
    )
    assert over("'archiveRate'") == pytest.approx(expected)
    assert over("'archiveRate', 'disposeRate'") is None
    assert over("'openCount'") is None, "a stock of three months is no stock"


def test_data_sets_are_told_with_what_their_contracts_allow(lake: duckdb.DuckDBPyConnection) -> None:
    shown = {
        dataset: (zh, en, hours, read)
        for dataset, zh, en, hours, read in ask(
            lake, "SELECT dataset, dataset_name_zh, dataset_name_en, allowed_hours, read_count FROM mart.mart_dataset"
        )
    }
    loaded = dict(ask(lake, "SELECT dataset, sum(read_count) FROM ops.load GROUP BY dataset"))
    assert shown == {
        c.name: (
            c.title_zh,
            c.title_en,
            c.frequency.hours + c.lateness.hours if c.frequency and c.lateness else None,
            loaded.get(c.name, 0),
        )
        for c in load_contracts("demo").values()
    }


def test_deliveries_and_checks_are_those_of_ops(lake: duckdb.DuckDBPyConnection) -> None:
    assert ask(lake, "SELECT count(*), sum(quarantined_count) FROM mart.mart_delivery") == ask(
        lake, "SELECT count(*), sum(quarantined_count) FROM ops.load"
    )
    assert ask(lake, "SELECT count(*) FROM mart.mart_check") == ask(
        lake, "SELECT count(DISTINCT check_id) FROM ops.quality_result"
    )
    names = {column[0] for column in ask(lake, "DESCRIBE mart.mart_check")}
    assert "failed_keys" not in names


def test_what_the_lake_tells_of_itself_is_in_the_citys_time_and_by_names(lake: duckdb.DuckDBPyConnection) -> None:
    """Shanghai is eight hours before UTC all the year."""
    titles = {system.system: (system.title_zh, system.title_en) for system in load_sources("demo")}
    landed = "loaded_at + INTERVAL 8 HOURS"
    assert ask(
        lake,
        "SELECT delivery_id, loaded_at, day, source_system_name_zh, source_system_name_en"
        " FROM mart.mart_delivery ORDER BY ALL",
    ) == [
        (delivery, at, at.date(), *titles[source])
        for delivery, at, source in ask(lake, f"SELECT delivery_id, {landed}, source FROM ops.load ORDER BY ALL")
    ]
    assert ask(lake, "SELECT dataset, last_loaded_at, last_loaded_seconds FROM mart.mart_dataset ORDER BY ALL") == ask(
        lake,
        f"SELECT dataset, max({landed}), floor(max(epoch(loaded_at)))::BIGINT"
        " FROM ops.load GROUP BY dataset ORDER BY ALL",
    )
    assert ask(lake, "SELECT max(checked_at) FROM mart.mart_check") == ask(
        lake, "SELECT max(checked_at) + INTERVAL 8 HOURS FROM ops.quality_result"
    )


def test_unmapped_codes_are_those_of_the_cases(lake: duckdb.DuckDBPyConnection) -> None:
    shown = ask(
        lake, "SELECT source_system, source_code, row_count FROM mart.mart_unmapped WHERE list = 'class' ORDER BY ALL"
    )
    assert shown
    assert shown == ask(
        lake,
        "SELECT source_system, source_class_code, count(*) FROM core.fct_case_report WHERE class_code = 'unmapped'"
        " GROUP BY ALL ORDER BY ALL",
    )


def scan_filters(lake: duckdb.DuckDBPyConnection, sql: str) -> str:
    """What the scan of fct_case is told to leave out."""
    ((_, text),) = ask(lake, f"EXPLAIN (FORMAT json) {sql}")
    found: list[str] = []

    def walk(node: dict[str, Any]) -> None:
        told = node.get("extra_info") or {}
        if "SCAN" in node["name"].upper() and "fct_case" in json.dumps(told):
            found.append(str(told.get("Filters", "")))
        for child in node.get("children", []):
            walk(child)

    for root in json.loads(text):
        walk(root)
    assert len(found) == 1, text
    return found[0]


@pytest.mark.parametrize("name", ["mart_case", "mart_case_stage", "mart_case_hour"])
def test_a_month_reaches_the_scan_of_the_cases(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    """At a hundred million cases one month must not read all the others."""
    assert "'2026-02'" in scan_filters(lake, f"SELECT * FROM mart.{name} WHERE month = '2026-02'")


def test_a_range_of_time_reaches_the_scan_of_the_cases(lake: duckdb.DuckDBPyConnection) -> None:
    filters = scan_filters(
        lake,
        "SELECT * FROM mart.mart_case WHERE month = '2026-02'"
        " AND reported_at >= TIMESTAMP '2026-02-01' AND reported_at < TIMESTAMP '2026-03-01'",
    )
    assert "reported_at>=" in filters.replace(" ", "")
    assert "2026-03-01" in filters
