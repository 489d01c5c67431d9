"""Where charts stand: every chart once, in rows of twelve columns, with its parents."""

from __future__ import annotations

from typing import Any

from catalog.serve.superset.definition import Dashboard
from catalog.serve.superset.positions import COLUMNS, position
from tests.unit.catalog.superset.samples import DASHBOARD, dashboard

NUMBERS = {"trend": (1, "uuid-1"), "ranking": (2, "uuid-2"), "count": (3, "uuid-3")}
TABS = [
    {"title": {"zh": "一", "en": "One"}, "rows": [{"height": 30, "show": {"trend": 6, "ranking": 6}}]},
    {"title": {"zh": "二", "en": "Two"}, "rows": [{"height": 20, "show": {"count": 12}}]},
]


def placed(of: Dashboard) -> dict[str, Any]:
    return position(of, "en", NUMBERS)


def test_charts_and_notes_stand_in_their_rows() -> None:
    tree = placed(dashboard())
    assert tree["GRID_ID"]["children"] == ["ROW-0", "ROW-1"]
    assert tree["ROW-0"]["children"] == ["CHART-trend", "CHART-ranking"]
    assert tree["ROW-1"]["children"] == ["CHART-count", "MARKDOWN-about"]
    assert tree["CHART-trend"]["meta"] == {
        "chartId": 1,
        "uuid": "uuid-1",
        "sliceName": "Trend",
        "width": 6,
        "height": 30,
    }
    assert tree["MARKDOWN-about"]["meta"] == {"code": "**About**", "width": 8, "height": 20}
    assert tree["HEADER_ID"]["meta"]["text"] == "Sample"


def test_what_is_in_tabs_stands_below_them() -> None:
    tree = placed(dashboard(rows=DASHBOARD["rows"][1:], tabs=TABS))
    assert tree["GRID_ID"]["children"] == ["ROW-0", "TABS-0"]
    assert tree["TABS-0"]["children"] == ["TAB-0", "TAB-1"]
    assert tree["TAB-1"]["meta"]["text"] == "Two"
    assert tree["CHART-trend"]["parents"] == ["ROOT_ID", "GRID_ID", "TABS-0", "TAB-0", "ROW-0-0"]


def test_parents_are_the_way_down_from_the_root() -> None:
    tree = placed(dashboard(tabs=TABS))
    for name, item in tree.items():
        if not isinstance(item, dict) or name in ("ROOT_ID", "HEADER_ID"):
            continue
        assert name in tree[item["parents"][-1]]["children"]
        if item["parents"][-1] != "ROOT_ID":
            assert item["parents"][:-1] == tree[item["parents"][-1]]["parents"]


def test_no_row_is_wider_than_the_grid() -> None:
    tree = placed(dashboard())
    for item in tree.values():
        if isinstance(item, dict) and item["type"] == "ROW":
            assert sum(tree[child]["meta"]["width"] for child in item["children"]) <= COLUMNS
