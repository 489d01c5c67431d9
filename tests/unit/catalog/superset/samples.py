"""A manifest of two small marts and a dashboard over them, for tests to bend."""

from __future__ import annotations

import copy
from typing import Any

from catalog.serve.superset.definition import Dashboard

DASHBOARD: dict[str, Any] = {
    "slug": "sample",
    "title": {"zh": "样例", "en": "Sample"},
    "about": {"zh": "样例看板", "en": "A sample dashboard"},
    "filters": [
        {"key": "month", "dataset": "mart_score", "column": "month", "first": "newest", "except": ["trend"]},
        {"key": "area", "dataset": "mart_score", "column": "area_name", "many": True, "within": ["month"]},
        {
            "key": "level",
            "dataset": "mart_score",
            "column": "level_name",
            "start": {"of": "area_level", "codes": ["street"]},
        },
    ],
    "notes": {"about": {"zh": "**说明**", "en": "**About**"}},
    "cross_filters": {"ranking": ["trend"]},
    "charts": [
        {
            "key": "trend",
            "kind": "line",
            "title": {"zh": "趋势", "en": "Trend"},
            "dataset": "mart_score",
            "x": "month",
            "dimensions": ["area_name"],
            "metrics": ["score"],
            "where": {"dept_id": "*", "area_level": {"not": ["city", "grid"]}},
        },
        {
            "key": "ranking",
            "kind": "table",
            "title": {"zh": "排名", "en": "Ranking"},
            "dataset": "mart_score",
            "dimensions": ["area_name"],
            "metrics": ["score"],
            "sort": "level_no",
            "options": {"graded": ["score"]},
        },
        {
            "key": "count",
            "kind": "number",
            "title": {"zh": "件数", "en": "Cases"},
            "dataset": "mart_thing",
            "metrics": ["thing_count"],
        },
    ],
    "rows": [
        {"height": 30, "show": {"trend": 6, "ranking": 6}},
        {"height": 20, "show": {"count": 4, "about": 8}},
    ],
}

_COLUMNS = {
    "mart_score": {
        "month": "varchar",
        "area_level": "varchar",
        "level_no": "integer",
        "level_name_zh": "varchar",
        "level_name_en": "varchar",
        "area_id": "varchar",
        "area_name_zh": "varchar",
        "area_name_en": "varchar",
        "dept_id": "varchar",
        "score": "double",
    },
    "mart_thing": {"thing_id": "varchar", "seen_at": "timestamp", "only_zh": "varchar", "thing_count": "bigint"},
    "mart_public_index": {"month": "varchar", "score": "double"},
    "mart_state": {
        "city_name_zh": "varchar",
        "city_name_en": "varchar",
        "as_of": "timestamp",
    },
}
_METRICS = {
    "mart_score": [
        {
            "name": "score",
            "zh": "得分",
            "en": "score",
            "sql": "max(score)",
            "format": ".1f",
            "caveat_zh": "一次一行",
            "caveat_en": "One row at a time",
        }
    ],
    "mart_thing": [{"name": "thing_count", "zh": "件数", "en": "things", "sql": "sum(thing_count)", "format": ",d"}],
    "mart_public_index": [{"name": "score", "zh": "得分", "en": "score", "sql": "max(score)"}],
}


def manifest() -> dict[str, Any]:
    """A manifest as dbt writes it, as far as it is read."""
    return {"nodes": {f"model.gridlake.{name}": _node(name) for name in _COLUMNS}}


def node(of: dict[str, Any], name: str) -> dict[str, Any]:
    """A model's part of the manifest."""
    found: dict[str, Any] = of["nodes"][f"model.gridlake.{name}"]
    return found


def dashboard(**changes: Any) -> Dashboard:
    """The sample, with whole parts of it changed."""
    return Dashboard.model_validate(copy.deepcopy(DASHBOARD) | changes)


def with_chart(key: str, **changes: Any) -> Dashboard:
    """The sample, with one chart changed."""
    charts = [chart | changes if chart["key"] == key else chart for chart in copy.deepcopy(DASHBOARD["charts"])]
    return dashboard(charts=charts)


def _node(name: str) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "name": name,
        "description": f"One row is one {name}.",
        "config": {
            "meta": {
                "zh": f"{name} 中文",
                "en": f"{name} English",
                "caveat_zh": "注意",
                "caveat_en": "Careful",
                "metrics": copy.deepcopy(_METRICS.get(name, [])),
            }
        },
        "columns": {
            column: {
                "name": column,
                "data_type": kind,
                "description": f"What {column} is.",
                "config": {"meta": {"zh": f"{column} 列", "en": f"{column} column"}},
            }
            for column, kind in _COLUMNS[name].items()
        },
    }
