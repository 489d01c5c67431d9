"""Drilling shows figures as the charts do: by their labels and in their formats.

Of a data set Superset tells the page that drills only the columns to drill by, so all others would be shown by their
technical names, and metrics in Superset's own short form (1.73k).
"""

from __future__ import annotations

import json
import re

from flask import Flask, Response, request

_INFO = re.compile(r"/api/v1/dataset/(?P<id>\d+)/drill_info/?")


def install(app: Flask) -> None:
    """Add labels and formats to what a page is told of a data set that it may drill."""
    app.after_request(_with_labels)


def _with_labels(response: Response) -> Response:
    match = _INFO.fullmatch(request.path)
    if match is None or response.status_code != 200:
        return response
    from superset import db
    from superset.connectors.sqla.models import SqlaTable

    dataset = db.session.get(SqlaTable, int(match["id"]))
    answer = json.loads(response.get_data(as_text=True))
    # The page reads labels from two lists: `columns`, which it also offers to drill by, and `metrics`.
    labels = {column.column_name: column.verbose_name for column in dataset.columns if not column.groupby}
    labels |= {metric.metric_name: metric.verbose_name for metric in dataset.metrics}
    answer["result"]["metrics"] = [{"metric_name": name, "verbose_name": label} for name, label in labels.items()]
    answer["result"]["column_formats"] = {
        metric.metric_name: metric.d3format for metric in dataset.metrics if metric.d3format
    }
    response.set_data(json.dumps(answer, ensure_ascii=False))
    return response
