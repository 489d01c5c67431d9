"""Legends of maps: Superset draws none for a map of several layers, so one is written from what the layers are.

The legend of a map `m` is the note `m_legend`, which a row may show: the grades if areas are coloured by them, and
the title and colour of each layer of points.
"""

from __future__ import annotations

from catalog.serve.superset.charts import colours
from catalog.serve.superset.definition import Chart, Dashboard, Text
from catalog.serve.superset.seeds import spans_in_words

_SUFFIX = "_legend"


def with_legends(dashboard: Dashboard) -> Dashboard:
    """The dashboard with a note for the legend of each map that a row shows one of."""
    shown = {key for row in dashboard.all_rows for key in row.show}
    maps = [chart for chart in dashboard.charts if f"{chart.key}{_SUFFIX}" in shown]
    if not maps:
        return dashboard
    legends = {f"{chart.key}{_SUFFIX}": _text(_entries(dashboard, chart)) for chart in maps}
    return dashboard.model_copy(update={"notes": dashboard.notes | legends})


def legend_style(dashboard: Dashboard) -> str:
    """CSS that puts the colours before the lines of the legends."""
    rules = []
    for chart in dashboard.charts:
        key = f"{chart.key}{_SUFFIX}"
        if key not in dashboard.notes:
            continue
        for number, (_, colour, is_point) in enumerate(_entries(dashboard, chart), start=1):
            corner = " border-radius: 50%;" if is_point else ""
            rules.append(f"#MARKDOWN-{key} li:nth-child({number})::before {{ background: {colour};{corner} }}")
    return "\n".join(rules)


def _entries(dashboard: Dashboard, chart: Chart) -> list[tuple[Text, str, bool]]:
    found: list[tuple[Text, str, bool]] = []
    for key in chart.layers:
        layer = dashboard.chart(key)
        if layer is None:
            continue
        if layer.kind == "points":
            found.append((layer.title, colours.BY_WORD[layer.options.get("colour", "red")], True))
        elif not layer.metrics:
            found.append((layer.title, colours.BY_WORD[layer.options.get("colour", "empty")], False))
        elif layer.options.get("graded"):
            found += [(words, grade.colour, False) for grade, words in spans_in_words()]
    return found


def _text(entries: list[tuple[Text, str, bool]]) -> Text:
    return Text(
        zh="\n".join(f"- {text.zh}" for text, _, _ in entries),
        en="\n".join(f"- {text.en}" for text, _, _ in entries),
    )
