"""What the pages of the dashboards really ask Superset for, recorded in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from browser import WALL, Watched, chromium, sign_in
from superset_client import RunningCity

from catalog.serve.superset.access import read_access

CHART_DATA = "/api/v1/chart/data"
# Layers of a map come by Superset's older address, as a form.
LAYER = "/superset/explore_json/"
_FORM_DATA = re.compile(r'name="form_data"\r\n\r\n(.*?)\r\n--', re.DOTALL)


@dataclass(frozen=True)
class Asked:
    """One request of a dashboard's page.

    Attributes:
        dashboard: its slug.
        address: CHART_DATA or LAYER.
        body: what was sent; of a layer, its form data.
    """

    dashboard: str
    address: str
    body: dict[str, Any]

    @property
    def chart_id(self) -> int | None:
        """Superset's number of the chart; None for the list of a filter's values."""
        form_data = self.body if self.address == LAYER else self.body.get("form_data", {})
        return None if form_data.get("native_filter_id") else form_data.get("slice_id")


def record(city: RunningCity, slugs: Sequence[str] = ()) -> list[Asked]:
    """Open the dashboards (all, in Chinese) as the first account; gives what their pages asked for, in their order."""
    found: list[Asked] = []
    with chromium() as browser:
        watched = Watched(browser.new_page(viewport=WALL), city.address)
        sign_in(watched.page, city, "admin", "zh")
        opened = ""

        def note(request: Any) -> None:
            body = request.post_data if request.method == "POST" else None
            if body and CHART_DATA in request.url:
                found.append(Asked(opened, CHART_DATA, json.loads(body)))
            elif body and LAYER in request.url and (form := _FORM_DATA.search(body)):
                found.append(Asked(opened, LAYER, json.loads(form[1])))

        watched.page.on("request", note)
        for opened in slugs or read_access().dashboards:
            watched.open_dashboard(opened)
    return found
