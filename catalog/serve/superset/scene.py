"""What a chart is compiled in, and what all kinds of charts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.serve.superset import ids
from catalog.serve.superset.definition import Chart, Language
from catalog.serve.superset.marts import Model

Params = dict[str, Any]
# Of the letters around a chart, in pixels; a wall screen is read from afar.
FONT_SIZE = 14
TIME_FORMAT = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Scene:
    """A chart's data set, the language, and its dashboard's slug."""

    model: Model
    language: Language
    slug: str

    def format_of(self, metric: str) -> str:
        """The d3 format of a metric, or Superset's own choice."""
        found = self.model.metrics.get(metric)
        return found.format if found and found.format else "SMART_NUMBER"

    def chart_id(self, key: str) -> str:
        """The uuid of another chart of the dashboard."""
        return ids.chart_id(self.slug, key, self.language)


def order(chart: Chart, scene: Scene) -> tuple[str | Params, bool] | None:
    """What aggregated rows are sorted by, and whether downwards: a metric, or a column's smallest value."""
    if chart.sort is None:
        return None
    name, is_descending = chart.sort.removeprefix("-"), chart.sort.startswith("-")
    if name in scene.model.metrics:
        return name, is_descending
    smallest: Params = {
        "expressionType": "SIMPLE",
        "column": {"column_name": name, "type": scene.model.columns[name].data_type},
        "aggregate": "MIN",
        "label": name,
        "hasCustomLabel": True,
        "optionName": f"metric_{name}",
    }
    return smallest, is_descending
