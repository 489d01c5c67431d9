"""Maps without tiles: areas as polygons, things as points, and both as layers of one map.

Nothing is fetched for them: the ground is empty, positions and rings come from the data set.
"""

from __future__ import annotations

from typing import Any

from catalog.serve.superset.charts import colours, grading
from catalog.serve.superset.definition import Chart
from catalog.serve.superset.marts import label
from catalog.serve.superset.scene import Params, Scene

# Where a map looks before its data are there; it zooms to them itself.
_VIEW = {"longitude": 0, "latitude": 0, "zoom": 1, "bearing": 0, "pitch": 0}


def areas(chart: Chart, scene: Scene) -> Params:
    """Polygons: the first dimension is a column of rings, the others are told by the tooltip.

    Without a metric all have one `colour`.
    """
    ring, *told = chart.dimensions
    shown: Params = {
        "line_column": ring,
        "line_type": "json",
        "metric": chart.metrics[0] if chart.metrics else None,
        "reverse_long_lat": False,
        "filter_nulls": True,
        "filled": True,
        "stroked": True,
        "extruded": False,
        "opacity": 85,
        "multiplier": 1,
        # Heights are not shown, but Superset fails without them when the chart is a layer.
        "point_radius_fixed": {"type": "fix", "value": 0},
        "line_width": 1,
        "line_width_unit": "pixels",
        "fill_color_picker": colours.rgb(colours.CATEGORIES[0]),
        "stroke_color_picker": colours.rgb("#FFFFFF"),
        "toggle_polygons": True,
        "legend_position": "tr",
        "legend_format": scene.format_of(chart.metrics[0]) if chart.metrics else None,
        "table_filter": True,
    }
    tooltip = _tooltip(told, scene)
    if not chart.metrics:
        return _ground() | shown | _one_colour(chart) | tooltip
    shown |= grading.breakpoints() if chart.options.get("graded") else _shades()
    told_value = {
        "item_type": "metric",
        "metric_name": chart.metrics[0],
        "verbose_name": chart.title.in_(scene.language),
    }
    tooltip["tooltip_contents"].append(told_value)
    return _ground() | shown | tooltip


def points(chart: Chart, scene: Scene) -> Params:
    """Points: the first two dimensions are longitude and latitude, the others are told by the tooltip."""
    longitude, latitude, *told = chart.dimensions
    colour = colours.BY_WORD[chart.options.get("colour", "red")]
    return (
        _ground()
        | {
            "spatial": {"type": "latlong", "lonCol": longitude, "latCol": latitude},
            "point_radius_fixed": {"type": "fix", "value": chart.options.get("radius", 20)},
            "point_unit": "radius_m",
            "min_radius": chart.options.get("pixels", 3),
            "max_radius": 4 * chart.options.get("pixels", 3),
            "multiplier": 1,
            "color_scheme_type": "fixed_color",
            "color_picker": colours.rgb(colour),
            "dimension": None,
            "filter_nulls": True,
            "legend_position": None,
        }
        | _tooltip(told, scene)
    )


def layers(chart: Chart, scene: Scene) -> Params:
    """One map of several charts. Superset names layers by numbers that differ from one installation to the next,
    so the bundle holds their uuids; whoever imports it puts in the numbers."""
    return _ground() | {"deck_slices": [], "gridlake_layers": [scene.chart_id(key) for key in chart.layers]}


def _ground() -> Params:
    return {
        "mapbox_style": "none",
        "map_style": "none",
        "viewport": dict(_VIEW),
        "autozoom": True,
        "js_columns": [],
        "js_data_mutator": "",
        "js_tooltip": "",
        "js_onclick_href": "",
    }


def _tooltip(columns: list[str], scene: Scene) -> dict[str, Any]:
    return {
        "tooltip_contents": [
            {
                "item_type": "column",
                "column_name": column,
                "verbose_name": label(scene.model, column, scene.language),
            }
            for column in columns
        ],
    }


def _one_colour(chart: Chart) -> Params:
    colour = colours.rgb(colours.BY_WORD[chart.options.get("colour", "empty")])
    return {"color_scheme_type": "fixed_color", "fill_color_picker": colour | {"a": 100}, "legend_position": None}


def _shades() -> Params:
    return {
        "color_scheme_type": "linear_palette",
        "linear_color_scheme": colours.SEQUENCE,
        "num_buckets": str(len(colours.SHADES)),
        "break_points": [],
    }
