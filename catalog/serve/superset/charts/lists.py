"""Tables: aggregated ones, and lists of rows as they are."""

from __future__ import annotations

import json

from catalog.serve.superset.charts import grading
from catalog.serve.superset.definition import Chart
from catalog.serve.superset.scene import TIME_FORMAT, Params, Scene, order

_ROWS_OF_A_LIST = 1_000


def table(chart: Chart, scene: Scene) -> Params:
    """Metrics by dimensions; `bars` draws some of them as bars too."""
    bars: list[str] = chart.options.get("bars", [])
    by, is_descending = order(chart, scene) or (None, True)
    return _common(chart) | {
        "query_mode": "aggregate",
        "groupby": list(chart.dimensions),
        "metrics": list(chart.metrics),
        "timeseries_limit_metric": by,
        "order_desc": is_descending,
        "all_columns": [],
        "order_by_cols": [],
        "show_cell_bars": bool(bars),
        "column_config": {name: {"showCellBars": name in bars} for name in chart.metrics} if bars else {},
    }


def rows(chart: Chart, scene: Scene) -> Params:
    """Rows of the data set, its columns being the chart's dimensions."""
    sorting = [json.dumps([chart.sort.removeprefix("-"), not chart.sort.startswith("-")])] if chart.sort else []
    return _common(chart) | {
        "query_mode": "raw",
        "all_columns": list(chart.dimensions),
        "groupby": [],
        "metrics": [],
        "order_by_cols": sorting,
        "order_desc": False,
        "column_config": {
            name: {"d3NumberFormat": ",.1f"}
            for name in chart.dimensions
            if scene.model.columns[name].data_type == "DOUBLE"
        },
        "row_limit": chart.limit or _ROWS_OF_A_LIST,
    }


def _common(chart: Chart) -> Params:
    options = chart.options
    return {
        "server_pagination": False,
        "page_length": options.get("page", 0),
        "include_search": options.get("search", False),
        "table_timestamp_format": TIME_FORMAT,
        "allow_render_html": False,
        "allow_rearrange_columns": False,
        "show_totals": False,
        "color_pn": False,
        "align_pn": False,
        "show_cell_bars": False,
        "percent_metrics": [],
        "conditional_formatting": [
            *(rule for name in options.get("graded", []) for rule in grading.cell_rules(name)),
            *(grading.alarm_rule(name) for name in options.get("alarm", [])),
        ],
    }
