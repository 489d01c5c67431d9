"""What the parts of a chart become in Superset."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.serve.superset.charts.kinds import KINDS, params
from catalog.serve.superset.charts.legend import legend_style, with_legends
from catalog.serve.superset.definition import Chart, Dashboard
from catalog.serve.superset.ids import chart_id
from catalog.serve.superset.marts import read_marts
from catalog.serve.superset.scene import Scene
from catalog.serve.superset.seeds import grades
from tests.unit.catalog.superset.samples import dashboard, manifest, with_chart

NAMES = {"zh": "图", "en": "Chart"}


def compiled(**parts: Any) -> dict[str, Any]:
    chart = Chart.model_validate({"key": "sample", "title": NAMES, "dataset": "mart_score"} | parts)
    return params(chart, Scene(read_marts(manifest())["mart_score"], "zh", "sample"))


def smallest(kind: str) -> dict[str, Any]:
    """The least that a chart of a kind needs."""
    needs = KINDS[kind]
    columns = ["area_name", "level_name", "month"]
    return {
        "kind": kind,
        "metrics": ["score"] * needs.metrics[0],
        "dimensions": columns[: needs.dimensions[0]],
        "x": "month" if needs.has_x else None,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_compiles_from_what_it_needs(kind: str) -> None:
    found = compiled(**smallest(kind))
    assert found["viz_type"] == KINDS[kind].viz_type
    json.dumps(found)


@pytest.mark.parametrize(
    ("condition", "operator", "comparator"),
    [
        ("city", "==", "city"),
        (["city", "street"], "IN", ["city", "street"]),
        (None, "IS NULL", None),
        (True, "IS TRUE", None),
        (False, "IS FALSE", None),
        ({"not": "city"}, "!=", "city"),
        ({"not": ["city", "street"]}, "NOT IN", ["city", "street"]),
        ({"not": None}, "IS NOT NULL", None),
        ({"from": 3}, ">=", 3),
        ({"below": "2026-04"}, "<", "2026-04"),
        ({"known": True}, "IS NOT NULL", None),
        ({"known": False}, "IS NULL", None),
    ],
)
def test_a_condition_becomes_a_simple_filter(condition: Any, operator: str, comparator: Any) -> None:
    [found] = compiled(**smallest("table"), where={"area_level": condition})["adhoc_filters"]
    assert (found["subject"], found["operator"], found["comparator"]) == ("area_level", operator, comparator)
    assert found["expressionType"] == "SIMPLE"


def test_a_span_becomes_two_filters() -> None:
    found = compiled(**smallest("table"), where={"level_no": {"from": 2, "below": 4}})["adhoc_filters"]
    assert [(each["operator"], each["comparator"]) for each in found] == [(">=", 2), ("<", 4)]


def test_rows_are_sorted_by_a_column_that_is_not_shown() -> None:
    found = compiled(**smallest("table"), sort="level_no")
    assert found["timeseries_limit_metric"]["aggregate"] == "MIN"
    assert found["timeseries_limit_metric"]["column"]["column_name"] == "level_no"
    assert found["order_desc"] is False


def test_rows_are_sorted_by_a_metric_downwards() -> None:
    found = compiled(**smallest("table"), sort="-score")
    assert (found["timeseries_limit_metric"], found["order_desc"]) == ("score", True)


def test_equal_steps_of_a_funnel_stand_in_their_order() -> None:
    found = compiled(kind="funnel", dimensions=["level_name"], metrics=["score"], sort="level_no")
    [order] = found["order_by_cols"]
    by, is_ascending = json.loads(order)
    assert (by["aggregate"], by["column"]["column_name"], is_ascending) == ("MIN", "level_no", True)
    assert found["sort_by_metric"] is False


def test_a_list_is_sorted_by_its_column() -> None:
    assert compiled(kind="list", dimensions=["month"], sort="-month")["order_by_cols"] == ['["month", false]']


def test_months_are_names_on_the_axis() -> None:
    assert compiled(**smallest("bar"))["xAxisForceCategorical"] is True


def test_the_rows_of_a_heat_map_are_put_in_order_by_their_numbers() -> None:
    found = compiled(
        kind="heatmap", x="month", dimensions=["level_name"], metrics=["score"], options={"numbered": "level_no"}
    )
    import duckdb

    expression = found["groupby"]["sqlExpression"]
    rows = "(VALUES (2, '甲'), (1, '丙'), (0, '乙')) AS t(level_no, level_name)"
    shown = [text for (text,) in duckdb.sql(f"SELECT {expression} AS shown FROM {rows} ORDER BY shown").fetchall()]
    assert [text.strip() for text in shown] == ["乙", "丙", "甲"]


def test_lines_of_a_combined_chart_are_not_bars_too() -> None:
    found = compiled(kind="combined", x="month", metrics=["score", "other"], options={"lines": ["other"]})
    assert (found["metrics"], found["metrics_b"]) == (["score"], ["other"])


def test_every_score_has_the_colour_of_its_grade_in_a_table() -> None:
    rules = compiled(**smallest("table"), options={"graded": ["score"]})["conditional_formatting"]
    for score in (0, 59.9, 60, 70, 79.99, 80, 89.99, 90, 100):
        expected = max((grade for grade in grades() if score >= grade.from_score), key=lambda grade: grade.from_score)
        assert [rule["colorScheme"] for rule in rules if _holds(rule, score)] == [expected.colour], score


def test_a_gauge_has_the_grades_as_arcs() -> None:
    found = compiled(**smallest("gauge"))
    assert found["intervals"] == "60,70,80,90,100"
    assert len(found["interval_color_indices"].split(",")) == len(grades())


def test_a_heat_map_of_scores_is_drawn_on_the_scale_of_scores() -> None:
    found = compiled(**smallest("heatmap"), options={"graded": True})
    assert (found["value_bounds"], found["linear_color_scheme"]) == ([0, 100.0], "gridlake_grades")
    assert compiled(**smallest("heatmap"))["linear_color_scheme"] == "gridlake_more"


def _holds(rule: dict[str, Any], score: float) -> bool:
    if rule["operator"] == "≥":
        return score >= float(rule["targetValue"])
    return float(rule["targetValueLeft"]) <= score < float(rule["targetValueRight"])


def map_of_layers() -> Dashboard:
    sample = with_chart("count", kind="map", metrics=[], options={"layers": ["ranking", "trend"]})
    charts = [chart.model_dump(by_alias=True, exclude_unset=True) for chart in sample.charts]
    charts[0] |= {
        "kind": "points",
        "x": None,
        "metrics": [],
        "dimensions": ["score", "score"],
        "options": {"colour": "pink"},
    }
    charts[1] |= {"kind": "areas", "options": {"graded": True}}
    return dashboard(charts=charts, rows=[{"height": 5, "show": {"count_legend": 12}}])


def test_layers_of_a_map_are_named_by_their_ids() -> None:
    chart = map_of_layers().chart("count")
    assert chart is not None
    found = params(chart, Scene(read_marts(manifest())["mart_thing"], "en", "sample"))
    assert found["gridlake_layers"] == [chart_id("sample", "ranking", "en"), chart_id("sample", "trend", "en")]
    assert found["deck_slices"] == []


def test_a_map_has_a_legend_of_its_layers() -> None:
    found = with_legends(map_of_layers())
    lines = found.notes["count_legend"].en.splitlines()
    assert lines == [
        *("- A excellent ≥ 90", "- B good ≥ 80", "- C fair ≥ 70", "- D poor ≥ 60", "- E bad < 60"),
        "- Trend",
    ]
    style = legend_style(found).splitlines()
    assert len(style) == len(lines)
    assert style[-1] == ("#MARKDOWN-count_legend li:nth-child(6)::before { background: #CC79A7; border-radius: 50%; }")


def test_maps_ask_for_no_tiles() -> None:
    for kind in ("areas", "points", "map"):
        assert compiled(**smallest(kind))["mapbox_style"] == "none"
