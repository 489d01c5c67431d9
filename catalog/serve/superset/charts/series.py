"""Charts with axes: lines, bars, both together, and heat maps."""

from __future__ import annotations

import json
from typing import Any

from catalog.serve.superset.charts import colours, grading
from catalog.serve.superset.definition import Chart
from catalog.serve.superset.marts import label
from catalog.serve.superset.scene import FONT_SIZE, Params, Scene
from catalog.serve.superset.where import adhoc_filters
from warehouse.identifiers import quoted

# As many blanks in front as a number is below this: Superset's sorting puts more blanks before fewer.
_MOST = 9


def line(chart: Chart, scene: Scene) -> Params:
    """A line for each metric, or for each value of the dimensions."""
    return _axes(chart, scene) | {"seriesType": "line", "markerEnabled": True, "markerSize": 6}


def bar(chart: Chart, scene: Scene) -> Params:
    """Bars; `lying` ones are sorted by their length if `sort` names the metric."""
    options = chart.options
    return _axes(chart, scene) | {
        "orientation": "horizontal" if options.get("lying") else "vertical",
        "stack": "Stack" if options.get("stacked") else None,
        "only_total": True,
    }


def combined(chart: Chart, scene: Scene) -> Params:
    """Bars of all metrics but those under `lines`, which have an axis of their own."""
    lines: list[str] = chart.options.get("lines", [])
    return _axes(chart, scene) | {
        "metrics": [metric for metric in chart.metrics if metric not in lines],
        "metrics_b": lines,
        "groupby_b": [],
        "adhoc_filters_b": adhoc_filters(chart.where, scene.model),
        "seriesType": "bar",
        "seriesTypeB": "line",
        "markerEnabledB": True,
        "markerSizeB": 6,
        "stack": None,
        "yAxisIndex": 0,
        "yAxisIndexB": 1,
        "y_axis_format_secondary": scene.format_of(lines[0]) if lines else "SMART_NUMBER",
        "row_limit_b": 10_000,
        "order_desc_b": True,
        "truncate_metric_b": True,
    }


def heatmap(chart: Chart, scene: Scene) -> Params:
    """One metric over two columns; `numbered` names the column whose number puts the rows in order."""
    is_graded = chart.options.get("graded", False)
    bounds = [0, grading.HIGHEST_SCORE if is_graded else None]
    # Superset puts rows and columns in the order of their sums. Of scores the lowest stand first: at the top, and at
    # the left where the columns are not months. By day many have none: there, those with the most stand at the top.
    is_by_day = _is_time(chart, scene)
    is_in_time = chart.x == "month" or is_by_day
    down = "value_asc" if is_by_day else "value_desc"
    return {
        "x_axis": chart.x,
        "groupby": _down(chart, scene),
        "metric": chart.metrics[0],
        "normalize_across": "heatmap",
        "linear_color_scheme": colours.GRADED if is_graded else colours.SEQUENCE,
        "value_bounds": bounds,
        "legend_type": "continuous",
        "show_legend": True,
        "show_values": chart.options.get("values", False),
        "show_percentage": False,
        "sort_x_axis": "value_asc" if is_graded and not is_in_time else "alpha_asc",
        "sort_y_axis": down if is_graded and "numbered" not in chart.options else "alpha_desc",
        "xscale_interval": -1,
        "yscale_interval": 1,
        "left_margin": "auto",
        "bottom_margin": "auto",
        "border_color": colours.rgb("#FFFFFF"),
        "border_width": 1,
        "y_axis_format": scene.format_of(chart.metrics[0]),
        "x_axis_time_format": "%m-%d",
        "time_grain_sqla": _grain(chart, scene),
    }


def _down(chart: Chart, scene: Scene) -> str | Params:
    """The column of a heat map's rows. Superset sorts them by their labels only, so what has an order of its own
    (days of the week, stages) gets blanks in front, the more the smaller its number."""
    column, number = chart.dimensions[0], chart.options.get("numbered")
    if number is None:
        return column
    return {
        "expressionType": "SQL",
        "sqlExpression": f"repeat(' ', {_MOST} - {quoted(number)}) || {quoted(column)}",
        "label": label(scene.model, column, scene.language),
    }


def _axes(chart: Chart, scene: Scene) -> Params:
    options = chart.options
    sort = chart.sort or chart.x or ""
    return {
        "x_axis": chart.x,
        "metrics": list(chart.metrics),
        "groupby": list(chart.dimensions),
        "y_axis_format": scene.format_of(chart.metrics[0]),
        "xAxisForceCategorical": not _is_time(chart, scene),
        "x_axis_sort": sort.removeprefix("-"),
        "x_axis_sort_asc": not sort.startswith("-"),
        "x_axis_sort_series": "name",
        "x_axis_sort_series_ascending": True,
        "x_axis_time_format": "%m-%d",
        "tooltipTimeFormat": "%Y-%m-%d",
        "time_grain_sqla": _grain(chart, scene),
        "truncate_metric": True,
        "show_empty_columns": True,
        "truncateYAxis": "bounds" in options,
        "y_axis_bounds": options.get("bounds", [None, None]),
        "rich_tooltip": True,
        "tooltipSortByMetric": False,
        "show_legend": bool(chart.dimensions) or len(chart.metrics) > 1,
        "legendType": "scroll",
        "legendOrientation": "top",
        "show_value": options.get("values", False),
        "zoomable": False,
        "sort_series_type": "sum",
        "sort_series_ascending": False,
        "order_desc": True,
        "comparison_type": "values",
        "annotation_layers": [],
        "echart_options": json.dumps(_echart_options(chart), sort_keys=True),
    }


def _echart_options(chart: Chart) -> dict[str, Any]:
    """ECharts' own options, which Superset merges into its own: letters that can be read from afar, rounder steps
    where the scale is that of scores, and bars in the colours of grades."""
    is_lying = chart.options.get("lying", False)
    found: dict[str, Any] = {"legend": {"textStyle": {"fontSize": FONT_SIZE}}}
    if chart.kind != "combined":  # its two value axes are a list, which would be replaced, not merged
        found |= {axis: {"axisLabel": {"fontSize": FONT_SIZE}} for axis in ("xAxis", "yAxis")}
        if chart.options.get("bounds") == [0, grading.HIGHEST_SCORE]:
            found["xAxis" if is_lying else "yAxis"]["interval"] = 20
    if chart.options.get("graded"):
        found["visualMap"] = grading.pieces(0 if is_lying else 1)
    return found


def _is_time(chart: Chart, scene: Scene) -> bool:
    return chart.x is not None and scene.model.columns[chart.x].is_time


def _grain(chart: Chart, scene: Scene) -> str | None:
    return "P1D" if _is_time(chart, scene) else None
