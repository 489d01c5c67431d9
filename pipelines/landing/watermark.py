"""Where an incremental pull begins."""

from __future__ import annotations

from datetime import datetime

import duckdb

from pipelines.source import Cursor


def window_start(
    connection: duckdb.DuckDBPyConnection, source: str, dataset: str, cursor: Cursor, since: str | None = None
) -> str | None:
    """The cursor value from which to pull: `since`, or the watermark less the overlap, or the declared start, or None.

    The overlap catches rows that the source committed late with an earlier time. A cursor that is not a
    time (a growing number) has no overlap and is taken as it is.
    """
    if since is not None:
        return since
    row = connection.execute(
        "SELECT cursor_value FROM lake.ops.watermark WHERE source = ? AND dataset = ?", [source, dataset]
    ).fetchone()
    if row is None:
        return cursor.start
    value = str(row[0])
    if not cursor.overlap:
        return value
    return (datetime.fromisoformat(value) - cursor.overlap).isoformat(sep=" ")
