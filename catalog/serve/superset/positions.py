"""Where charts and notes stand: Superset's position tree from rows and tabs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.serve.superset.definition import Dashboard, Language, Row
from catalog.serve.superset.seeds import filled

COLUMNS = 12
Position = dict[str, Any]


def position(dashboard: Dashboard, language: Language, charts: Mapping[str, tuple[int, str]]) -> Position:
    """The position tree of a dashboard.

    Args:
        dashboard: its rows and tabs; widths must not be more than `COLUMNS` in a row (`faults` tells).
        language: of titles and notes.
        charts: chart key -> (number within the bundle, uuid).
    """
    tree: Position = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": {"id": "GRID_ID", "type": "GRID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"id": "HEADER_ID", "type": "HEADER", "meta": {"text": dashboard.title.in_(language)}},
    }
    parents = ["ROOT_ID", "GRID_ID"]
    for number, row in enumerate(dashboard.rows):
        _add_row(tree, dashboard, language, charts, row, f"ROW-{number}", parents)
    if dashboard.tabs:
        tabs = _add(tree, "TABS", "TABS-0", parents)
        for number, tab in enumerate(dashboard.tabs):
            name = f"TAB-{number}"
            _add(tree, "TAB", name, tabs, {"text": tab.title.in_(language)})
            for at, row in enumerate(tab.rows):
                _add_row(tree, dashboard, language, charts, row, f"ROW-{number}-{at}", [*tabs, name])
    return tree


def _add_row(
    tree: Position,
    dashboard: Dashboard,
    language: Language,
    charts: Mapping[str, tuple[int, str]],
    row: Row,
    name: str,
    parents: list[str],
) -> None:
    inside = _add(tree, "ROW", name, parents, {"background": "BACKGROUND_TRANSPARENT"})
    for key, width in row.show.items():
        size: Position = {"width": width, "height": row.height}
        if key in charts:
            number, uuid = charts[key]
            chart = dashboard.chart(key)
            title = chart.title.in_(language) if chart else key
            _add(tree, "CHART", f"CHART-{key}", inside, {"chartId": number, "uuid": uuid, "sliceName": title} | size)
        else:
            _add(tree, "MARKDOWN", f"MARKDOWN-{key}", inside, {"code": filled(dashboard.notes[key], language)} | size)


def _add(tree: Position, kind: str, name: str, parents: list[str], meta: Position | None = None) -> list[str]:
    tree[name] = {"id": name, "type": kind, "children": [], "parents": parents} | ({"meta": meta} if meta else {})
    tree[parents[-1]]["children"].append(name)
    return [*parents, name]
