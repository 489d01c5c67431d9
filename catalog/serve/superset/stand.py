"""The strip that tells on every dashboard which version of the data is shown, and up to when the data reach.

It stands above everything; `dashboards/style.css` takes its title away and makes it one line high.
"""

from __future__ import annotations

from catalog.serve.superset.definition import Chart, Dashboard, Row, Text
from catalog.serve.superset.marts import PUBLICATION

KEY = "data_version"
_STRIP = Chart(
    key=KEY,
    kind="list",
    title=Text(zh="数据版本", en="Data version"),
    dataset=PUBLICATION,
    dimensions=("city_name", "as_of", "published_at", "edition"),
    limit=10,
)
_ROW = Row(height=10, show={KEY: 12})


def with_stand(dashboard: Dashboard) -> Dashboard:
    """The dashboard with the strip on top; a click on the strip narrows nothing."""
    return dashboard.model_copy(
        update={
            "charts": (*dashboard.charts, _STRIP),
            "rows": (_ROW, *dashboard.rows),
            "cross_filters": {**dashboard.cross_filters, KEY: ()},
        },
    )
