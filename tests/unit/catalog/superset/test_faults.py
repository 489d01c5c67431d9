"""Every kind of fault between a dashboard and the models is found, with the names it concerns."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from catalog.serve.superset.definition import Dashboard
from catalog.serve.superset.faults import faults
from tests.unit.catalog.superset.samples import DASHBOARD, dashboard, manifest, node, with_chart


def told(*dashboards: Dashboard, of: dict[str, Any] | None = None) -> list[str]:
    return [str(fault) for fault in faults(dashboards, of or manifest())]


def with_filter(key: str, **changes: Any) -> Dashboard:
    filters = [each | changes if each["key"] == key else each for each in copy.deepcopy(DASHBOARD["filters"])]
    return dashboard(filters=filters)


def test_the_sample_has_none() -> None:
    assert told(dashboard()) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": "lines"}, "sample > trend: there is no kind lines. Fix: use line"),
        ({"dataset": "mart_scores"}, "sample > trend: there is no data set mart_scores. Fix: use mart_score"),
        ({"metrics": ["scor"]}, "sample > trend > mart_score: has no metric scor. Fix: use score"),
        ({"dimensions": ["area_nam"]}, "sample > trend > mart_score: has no column area_nam. Fix: use area_name"),
        (
            {"dimensions": ["area_name_zh"]},
            "sample > trend > mart_score: has no column area_name_zh. Fix: use area_name",
        ),
        ({"x": "mnth"}, "sample > trend > mart_score: has no column mnth. Fix: use month"),
        ({"where": {"dept": "*"}}, "sample > trend > mart_score: has no column dept. Fix: use dept_id"),
        (
            {"sort": "-scores"},
            "sample > trend > mart_score: is sorted by scores, which it does not have. Fix: use score",
        ),
        ({"x": None}, "sample > trend: has 0 x. Fix: give a line 1"),
        ({"metrics": []}, "sample > trend: has 0 metrics. Fix: give a line 1 to 9"),
        (
            {"dimensions": ["month", "dept_id", "area_name"]},
            "sample > trend: has 3 dimensions. Fix: give a line 0 to 2",
        ),
        ({"options": {"bound": [0, 1]}}, "sample > trend: a line has no option bound. Fix: use bounds"),
        ({"options": {"bounds": 100}}, "sample > trend: option bounds is 100. Fix: make it [from, to]"),
        ({"options": {"values": "yes"}}, "sample > trend: option values is 'yes'. Fix: make it true or false"),
        (
            {"options": {"colours": {"scre": "pale"}}},
            "sample > trend > mart_score: option colours names scre, which it does not have. Fix: use score",
        ),
    ],
)
def test_a_fault_of_a_chart_is_told_with_its_names(changes: dict[str, Any], fault: str) -> None:
    assert told(with_chart("trend", **changes)) == [fault]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"dataset": "mart_scores"}, "sample > filter area: there is no data set mart_scores. Fix: use mart_score"),
        ({"column": "areaname"}, "sample > filter area > mart_score: has no column areaname. Fix: use area_name"),
        ({"where": {"level": 1}}, "sample > filter area > mart_score: has no column level. Fix: use level_no"),
        ({"within": ["moth"]}, "sample > filter area: there is no other filter moth. Fix: use month"),
        ({"only": ["trnd"]}, "sample > filter area: there is no chart trnd. Fix: use trend"),
        ({"start": {"of": "area_lvl", "codes": ["city"]}}, "sample > filter area: there is no code list area_lvl"),
        (
            {"start": {"of": "area_level", "codes": ["streat"]}},
            "sample > filter area: area_level has no code streat. Fix: use street",
        ),
        (
            {"first": "newest", "start": {"of": "area_level", "codes": ["street"]}},
            "sample > filter area: has both first and start. Fix: keep one of them",
        ),
        (
            {"only": ["trend"], "except": ["count"]},
            "sample > filter area: has both only and except. Fix: keep one of them",
        ),
        ({"only": ["count"]}, "sample > filter area: narrows no chart: none has area_name."),
    ],
)
def test_a_fault_of_a_filter_is_told_with_its_names(changes: dict[str, Any], fault: str) -> None:
    found = told(with_filter("area", **changes))
    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([{"trend": 6, "ranking": 7}, {"count": 4, "about": 8}], "sample > row 2: is 13 wide. Fix: make it 12 or less"),
        ([{"trend": 6, "ranking": 6}, {"count": 4}], "sample > about: is in no row. Fix: show it or remove it"),
        ([{"trend": 6, "ranking": 6}, {"about": 4}], "sample > count: is in no row. Fix: show it or remove it"),
        (
            [{"trend": 6, "ranking": 6}, {"count": 4, "about": 4, "cuont": 4}],
            "sample > rows: there is no chart or note cuont. Fix: use count",
        ),
        (
            [{"trend": 6, "ranking": 6}, {"count": 4, "about": 4, "trend": 4}],
            "sample > trend: is shown 2 times. Fix: show it once",
        ),
    ],
)
def test_a_fault_of_the_rows_is_told_with_its_names(rows: list[dict[str, int]], fault: str) -> None:
    assert told(dashboard(rows=[{"height": 20, "show": show} for show in rows])) == [fault]


def test_what_is_named_twice_is_told() -> None:
    charts = copy.deepcopy(DASHBOARD["charts"])
    assert told(dashboard(charts=[*charts, charts[0]])) == [
        "sample > trend: 2 charts have this key. Fix: give each its own"
    ]
    filters = copy.deepcopy(DASHBOARD["filters"])
    assert told(dashboard(filters=[*filters, filters[0]]))[0] == (
        "sample > filter month: 2 filters have this key. Fix: give each its own"
    )
    assert told(dashboard(), dashboard())[0] == "sample: 2 dashboards have this slug. Fix: give each its own"


def test_a_cross_filter_of_an_unknown_chart_is_told() -> None:
    assert told(dashboard(cross_filters={"rankng": ["trend"]})) == [
        "sample > cross_filters: there is no chart rankng. Fix: use ranking"
    ]


def test_a_layer_that_is_no_chart_is_told() -> None:
    charts = copy.deepcopy(DASHBOARD["charts"])
    charts[2] = charts[2] | {"kind": "map", "metrics": [], "options": {"layers": ["trnd"]}}
    assert told(dashboard(charts=charts)) == ["sample > layers: there is no chart trnd. Fix: use trend"]


def test_a_public_dashboard_shows_nothing_but_what_is_published() -> None:
    found = told(dashboard(public=True))
    assert (
        "sample > count: a public dashboard shows mart_thing. Fix: use one of mart_public_index, publication" in found
    )
    assert "sample > filter month: a public dashboard asks mart_score. Fix: use mart_public_index" in found


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("sum(thing_cont)", "thing_cont"),
        ("sum(thing_count", "syntax error"),
        ("sum(seen_at)", "sum(TIMESTAMP)"),
        ("max(only)", "only"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_told_with_its_model(sql: str, reason: str) -> None:
    document = manifest()
    node(document, "mart_thing")["config"]["meta"]["metrics"][0]["sql"] = sql
    [found] = told(dashboard(), of=document)
    assert found.startswith("mart_thing > thing_count: its sql cannot be computed")
    assert reason in found


def test_a_metric_over_one_language_of_a_pair_is_told() -> None:
    document = manifest()
    node(document, "mart_score")["config"]["meta"]["metrics"][0]["sql"] = "max(area_name_zh)"
    [found] = told(dashboard(), of=document)
    assert found.startswith("mart_score > score: its sql cannot be computed")


def test_a_time_column_that_is_not_there_is_told() -> None:
    document = manifest()
    node(document, "mart_thing")["config"]["meta"]["time_column"] = "sen_at"
    assert told(dashboard(), of=document) == ["mart_thing > time_column: has no column sen_at. Fix: use seen_at"]


def test_a_type_that_duckdb_does_not_know_is_told_with_its_model() -> None:
    document = manifest()
    node(document, "mart_thing")["columns"]["seen_at"]["data_type"] = "timestmp"
    [found] = told(dashboard(), of=document)
    assert found.startswith("mart_thing: its columns cannot be those of a view")


def test_all_faults_are_told_at_once() -> None:
    broken = with_chart("trend", metrics=["a"], dimensions=["b"], options={"c": 1})
    assert len(told(broken)) == 3
