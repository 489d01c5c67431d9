"""Chart kinds of the short form, and Superset's parameters for a chart.

A kind says which parts of a chart it takes (x, dimensions, metrics), which options it knows and in which form, and
what they become in Superset. A new kind is a function in a module of its family and a line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from catalog.serve.superset.charts import colours, figures, maps, series
from catalog.serve.superset.charts import lists as tables
from catalog.serve.superset.charts.forms import COLOUR, COLOURS, FLAG, KEYS, NAME, NAMES, NUMBER, SPAN, TEXT, Form
from catalog.serve.superset.definition import Chart
from catalog.serve.superset.scene import Params, Scene
from catalog.serve.superset.where import adhoc_filters

_ROWS = 10_000


@dataclass(frozen=True)
class Kind:
    """A kind of chart: Superset's type of it, how many metrics and dimensions it takes (at least, at most), whether
    it has an x axis, and its options."""

    viz_type: str
    build: Callable[[Chart, Scene], Params]
    metrics: tuple[int, int]
    dimensions: tuple[int, int] = (0, 0)
    has_x: bool = False
    options: Mapping[str, Form] = field(default_factory=dict)


_AXES = {"bounds": SPAN, "values": FLAG, "colours": COLOURS}
_CELLS = {"page": NUMBER, "search": FLAG, "graded": NAMES, "alarm": NAMES}
KINDS: Mapping[str, Kind] = {
    "number": Kind("big_number_total", figures.number, (1, 1), options={"subtitle": TEXT}),
    "gauge": Kind("gauge_chart", figures.gauge, (1, 1), (0, 1)),
    "funnel": Kind("funnel", figures.funnel, (1, 1), (1, 1)),
    "pie": Kind("pie", figures.pie, (1, 1), (1, 1)),
    "line": Kind("echarts_timeseries_line", series.line, (1, 9), (0, 2), has_x=True, options=_AXES),
    "bar": Kind(
        "echarts_timeseries_bar",
        series.bar,
        (1, 9),
        (0, 2),
        has_x=True,
        options=_AXES | {"lying": FLAG, "stacked": FLAG, "graded": FLAG},
    ),
    "combined": Kind("mixed_timeseries", series.combined, (2, 9), has_x=True, options=_AXES | {"lines": NAMES}),
    "heatmap": Kind(
        "heatmap_v2",
        series.heatmap,
        (1, 1),
        (1, 1),
        has_x=True,
        options={"values": FLAG, "graded": FLAG, "numbered": NAME},
    ),
    "table": Kind("table", tables.table, (1, 12), (0, 8), options=_CELLS | {"bars": NAMES}),
    "list": Kind("table", tables.rows, (0, 0), (1, 24), options=_CELLS),
    "areas": Kind("deck_polygon", maps.areas, (0, 1), (1, 8), options={"graded": FLAG, "colour": COLOUR}),
    "points": Kind(
        "deck_scatter", maps.points, (0, 0), (2, 9), options={"colour": COLOUR, "radius": NUMBER, "pixels": NUMBER}
    ),
    "map": Kind("deck_multi", maps.layers, (0, 0), options={"layers": KEYS}),
}


def params(chart: Chart, scene: Scene) -> Params:
    """Superset's parameters of a chart."""
    kind = KINDS[chart.kind]
    common: Params = {
        "viz_type": kind.viz_type,
        "datasource": "0__table",  # Superset puts the data set's number in when it imports
        "adhoc_filters": adhoc_filters(chart.where, scene.model),
        "row_limit": chart.limit or _ROWS,
        "color_scheme": colours.SCHEME,
    }
    return common | kind.build(chart, scene)


def named_by_options(chart: Chart) -> list[tuple[str, str]]:
    """Columns and metrics that a chart's options name: (option, name). Options of a wrong form name nothing."""
    forms = KINDS[chart.kind].options
    return [
        (option, name)
        for option, value in chart.options.items()
        if option in forms and forms[option].fits(value)
        for name in forms[option].names(value)
    ]
