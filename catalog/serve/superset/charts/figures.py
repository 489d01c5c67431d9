"""Charts without axes: a number, a gauge, a funnel, a pie."""

from __future__ import annotations

import json

from catalog.serve.superset.charts import grading
from catalog.serve.superset.definition import Chart, Text
from catalog.serve.superset.scene import FONT_SIZE, TIME_FORMAT, Params, Scene, order

NOT_RECORDED = Text(zh="来源系统未记录", en="Not recorded by the source systems")


def number(chart: Chart, scene: Scene) -> Params:
    """One figure, as large as its place allows; below one that no source records stands so."""
    subtitle = chart.options.get("subtitle")
    metric = scene.model.metrics.get(chart.metrics[0])
    if metric is not None and not metric.is_recorded:
        subtitle = NOT_RECORDED.model_dump()
    return {
        "metric": chart.metrics[0],
        "header_font_size": 0.8,
        "subtitle": subtitle[scene.language] if subtitle else "",
        "subtitle_font_size": 0.15,
        "y_axis_format": scene.format_of(chart.metrics[0]),
        "time_format": TIME_FORMAT,
        "force_timestamp_formatting": False,
        "conditional_formatting": [],
    }


def gauge(chart: Chart, scene: Scene) -> Params:
    """A dial of scores with the grades as arcs."""
    return grading.dial() | {
        "metric": chart.metrics[0],
        "groupby": list(chart.dimensions),
        "min_val": 0,
        "max_val": grading.HIGHEST_SCORE,
        "number_format": scene.format_of(chart.metrics[0]),
        "value_formatter": "{value}",
        "show_pointer": True,
        "show_progress": False,
        "show_axis_tick": False,
        "show_split_line": False,
        "overlap": True,
        "round_cap": False,
        "start_angle": 215,
        "end_angle": -35,
        "split_number": 5,
        "font_size": FONT_SIZE,
        "animation": False,
        "row_limit": 10,
    }


def funnel(chart: Chart, scene: Scene) -> Params:
    """Steps from the largest to the smallest, each with its share of the first; equal ones in the order of `sort`."""
    label_of_value_and_share = 5
    by, is_descending = order(chart, scene) or (chart.metrics[0], True)
    return {
        "groupby": list(chart.dimensions),
        "metric": chart.metrics[0],
        "sort_by_metric": False,
        "order_by_cols": [json.dumps([by, not is_descending])],
        "percent_calculation_type": "first_step",
        "label_type": label_of_value_and_share,
        "tooltip_label_type": label_of_value_and_share,
        "number_format": scene.format_of(chart.metrics[0]),
        "show_labels": True,
        "show_tooltip_labels": True,
        "show_legend": False,
        "legendOrientation": "top",
    }


def pie(chart: Chart, scene: Scene) -> Params:
    """Shares of a whole, the largest first; the whole stands in the middle."""
    return {
        "groupby": list(chart.dimensions),
        "metric": chart.metrics[0],
        "sort_by_metric": True,
        "donut": True,
        "innerRadius": 42,
        "outerRadius": 70,
        "label_type": "key_percent",
        "show_labels": True,
        "labels_outside": True,
        "label_line": True,
        "show_labels_threshold": 3,
        "show_total": True,
        "show_legend": False,
        "legendType": "scroll",
        "legendOrientation": "right",
        "number_format": scene.format_of(chart.metrics[0]),
        "row_limit": chart.limit or 12,
    }
