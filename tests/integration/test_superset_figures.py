"""What the pages say twice they say alike: the figures of two charts that state the same thing, as a reader gets them.

The list is written by hand: whoever adds a figure that another chart shows too adds the pair. What differs on purpose
is told on the page (a note or a line below the figure) and is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from superset_client import RunningCity, Superset

_MONTH_COLUMN = "month"


@dataclass(frozen=True)
class Figure:
    """A metric of a chart by its page and Chinese title, of the rows with these values."""

    page: str
    chart: str
    metric: str
    of: Mapping[str, Any] = field(default_factory=dict)


class Reader:
    """An account that reads figures of charts for one month."""

    def __init__(self, session: Superset, month: str) -> None:
        self._session = session
        self._month = month
        self._charts: dict[str, dict[str, dict[str, Any]]] = {}

    def value(self, figure: Figure) -> float:
        """The figure over all rows of the chart that it is of."""
        form = self._form(figure)
        named = {item if isinstance(item, str) else item["label"] for item in _metrics(form)}
        assert figure.metric in named, f"{figure.chart} of {figure.page} does not show {figure.metric}, but {named}"
        filters = [*_own_filters(form), *self._chosen(figure)]
        found = self._session.rows(int(form["datasource"].split("__")[0]), [], [figure.metric], filters=filters)
        value = found[0][figure.metric]
        assert value is not None, f"nothing is told by {figure}"
        return float(value)

    def values(self, figure: Figure, by: str) -> dict[str, float]:
        """The figure for each value of a column of the chart."""
        form = self._form(figure)
        filters = [*_own_filters(form), *self._chosen(figure)]
        rows = self._session.rows(int(form["datasource"].split("__")[0]), [by], [figure.metric], filters=filters)
        return {row[by]: row[figure.metric] for row in rows if row[figure.metric] is not None}

    def _form(self, figure: Figure) -> dict[str, Any]:
        charts = self._charts.setdefault(
            figure.page,
            {found["slice_name"]: found["form_data"] for found in self._session.dashboard_charts(figure.page)},
        )
        assert figure.chart in charts, f"{figure.page} has no chart {figure.chart}, but {sorted(charts)}"
        return charts[figure.chart]

    def _chosen(self, figure: Figure) -> list[dict[str, Any]]:
        chosen = {_MONTH_COLUMN: self._month, **figure.of}
        return [{"col": column, "op": "==", "val": value} for column, value in chosen.items() if value is not None]


def _metrics(form: dict[str, Any]) -> list[Any]:
    return [
        *(form.get("metrics") or []),
        *(form.get("metrics_b") or []),
        *([form["metric"]] if "metric" in form else []),
    ]


def _own_filters(form: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"col": each["subject"], "op": each["operator"], "val": each.get("comparator")}
        for each in form.get("adhoc_filters") or []
        if each["expressionType"] == "SIMPLE" and each["operator"] != "TEMPORAL_RANGE"
    ]


ANY = {_MONTH_COLUMN: None}  # charts that stand for all months, or for a moment
CASES, HEALTH, SOURCE, UNITS, PERMITS = "cases", "city-health", "index-to-cases", "departments", "permits"
OVERALL = {"node": "overall"}

SAME = [
    (Figure(CASES, "上报", "reported_count"), Figure(CASES, "闭环漏斗", "case_count", {"stage": "reported"})),
    (Figure(CASES, "上报", "reported_count"), Figure(CASES, "问题来源", "case_count")),
    (Figure(CASES, "上报", "reported_count"), Figure(CASES, "上报时段热点", "case_count")),
    (Figure(CASES, "立案", "filed_count"), Figure(CASES, "闭环漏斗", "case_count", {"stage": "filed"})),
    (Figure(CASES, "未结案", "open_count", ANY), Figure(CASES, "未结案案龄", "open_count", ANY)),
    (Figure(CASES, "超期未结案", "overdue_count", ANY), Figure(CASES, "未结案案龄", "overdue_count", ANY)),
    (Figure(CASES, "未结案", "open_count", ANY), Figure(UNITS, "未结案", "open_count", ANY)),
    (Figure(CASES, "超期未结案", "overdue_count", ANY), Figure(UNITS, "未结案", "overdue_count", ANY)),
    (
        Figure(CASES, "各环节按期率", "due_count", {"stage": "close"}),
        Figure(CASES, "应结案数与按期率", "due_count"),
    ),
    (
        Figure(CASES, "各环节按期率", "on_time_rate", {"stage": "close"}),
        Figure(CASES, "应结案数与按期率", "on_time_rate"),
    ),
    (
        Figure(CASES, "各环节按期率", "due_count", {"stage": "handle"}),
        Figure(SOURCE, "② 指标", "denominator", {"indicator_code": "inTimeDisposeRate"}),
    ),
    (
        Figure(CASES, "各环节按期率", "due_count", {"stage": "handle"}),
        Figure(UNITS, "按期处置", "due_count"),
    ),
    (
        Figure(HEALTH, "案件办理指数", "score", {"dept_id": "*"}),
        Figure(HEALTH, "案件办理指数月度走势", "score_final", {"dept_id": "*"}),
    ),
    (Figure(HEALTH, "案件办理指数", "score", {"dept_id": "*"}), Figure(SOURCE, "① 分项", "score", OVERALL)),
    (Figure(HEALTH, "案件办理指数", "score", {"dept_id": "*"}), Figure("public-index", "全市案件办理指数", "score")),
    (Figure(HEALTH, "覆盖率", "coverage", {"dept_id": "*"}), Figure(SOURCE, "① 分项", "coverage", OVERALL)),
    (
        Figure(HEALTH, "各分项", "score", {"dept_id": "*", "node": "timeliness"}),
        Figure(HEALTH, "各分项月度走势", "score", {"dept_id": "*", "node": "timeliness"}),
    ),
    (
        Figure(HEALTH, "立案数", "case_count", {"dept_id": "*"}),
        Figure(SOURCE, "② 指标", "numerator", {"indicator_code": "register"}),
    ),
    (
        Figure(SOURCE, "② 指标", "denominator", {"indicator_code": "inTimeDisposeRate"}),
        Figure(SOURCE, "计入的案件", "case_count", {"indicator_code": "inTimeDisposeRate"}),
    ),
    (
        Figure(SOURCE, "② 指标", "denominator", {"indicator_code": "repeatRate"}),
        Figure(SOURCE, "计入的案件", "case_count", {"indicator_code": "repeatRate"}),
    ),
    (Figure(PERMITS, "申请", "permit_count"), Figure(PERMITS, "各类审批事项", "permit_count")),
    (Figure(PERMITS, "申请", "permit_count"), Figure(PERMITS, "办理结果", "permit_count")),
    (Figure(PERMITS, "申请", "permit_count"), Figure(PERMITS, "审批部门", "permit_count")),
    (Figure(PERMITS, "申请", "permit_count"), Figure(PERMITS, "申请与按期办结率月度走势", "permit_count")),
    (Figure(PERMITS, "按期办结", "on_time_rate"), Figure(PERMITS, "申请与按期办结率月度走势", "on_time_rate")),
    (Figure(PERMITS, "已办结", "decided_count"), Figure(PERMITS, "各类审批事项", "decided_count")),
    (Figure(PERMITS, "有效许可", "in_force_count", ANY), Figure(PERMITS, "各类有效许可", "in_force_count", ANY)),
    (
        Figure("data-health", "各数据集新鲜度", "quarantined_count", ANY),
        Figure("data-health", "逐日入湖行数", "quarantined_count", ANY),
    ),
    (
        Figure("data-health", "隔离率", "quarantined_share", ANY),
        Figure("data-health", "各数据集新鲜度", "quarantined_share", ANY),
    ),
]


TREND = [
    Figure(HEALTH, "案件办理指数月度走势", metric, {"dept_id": "*"}) for metric in ("score_final", "score_provisional")
]


@pytest.fixture(scope="module")
def reader(running_city: RunningCity) -> Reader:
    """The first account, for the newest month that is over."""
    session = running_city.sign_in("admin")
    state = session.rows(session.datasets()["zh.mart_state"], ["newest_full_month"])
    return Reader(session, state[0]["newest_full_month"])


@pytest.mark.parametrize(("first", "second"), SAME, ids=lambda figure: f"{figure.page}/{figure.chart}/{figure.metric}")
def test_what_is_shown_twice_is_equal(reader: Reader, first: Figure, second: Figure) -> None:
    assert reader.value(first) == pytest.approx(reader.value(second), rel=1e-9, abs=1e-9)


def test_the_change_is_the_difference_of_two_months_of_the_trend(reader: Reader) -> None:
    """As they are written on its bars, with one decimal; beside the first month there is nothing, and not 0."""
    months = {month: round(score, 1) for bar in TREND for month, score in _all_months(reader, bar).items()}
    changes = _all_months(reader, Figure(HEALTH, "较上月", "change", {"dept_id": "*"}))
    first, *later = sorted(months)
    assert len(later) >= 1
    assert first not in changes
    assert {month: changes[month] for month in later} == pytest.approx(
        {month: months[month] - months[before] for before, month in zip([first, *later], later, strict=False)}
    )


def _all_months(reader: Reader, figure: Figure) -> dict[str, float]:
    return reader.values(Figure(figure.page, figure.chart, figure.metric, {**figure.of, **ANY}), "month")


def test_closed_of_filed_is_the_funnels_closed_by_its_filed(reader: Reader) -> None:
    closed, filed = (
        reader.value(Figure(CASES, "闭环漏斗", "case_count", {"stage": stage})) for stage in ("closed", "filed")
    )
    assert reader.value(Figure(CASES, "结案占立案比", "closed_share")) == pytest.approx(closed / filed)


def test_a_units_rate_is_the_same_in_both_tables_of_units(reader: Reader) -> None:
    handled = reader.values(Figure(UNITS, "按期处置", "on_time_rate"), "dept_name")
    judged = reader.values(Figure(UNITS, "各部门指标", "value", {"indicator_code": "inTimeDisposeRate"}), "dept_name")
    assert len(judged) > 5
    assert judged == pytest.approx({name: 100 * handled[name] for name in judged})


def test_a_district_has_one_score_on_the_map_and_in_the_ranking(reader: Reader) -> None:
    level = {"area_level": "district"}
    mapped = reader.values(Figure("city-map", "得分最低的区域", "score", level), "area_name")
    ranked = reader.values(Figure(HEALTH, "区域排名", "score", level | {"dept_id": "*"}), "area_name")
    assert len(mapped) == 2
    assert mapped == pytest.approx(ranked)
