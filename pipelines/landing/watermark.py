"""Where an incremental pull begins."""

from __future__ import annotations

from datetime import datetime

import duckdb

from pipelines.source import SourceError
from pipelines.source_parts import Cursor
from warehouse.identifiers import literal


def window_start(
    connection: duckdb.DuckDBPyConnection, source: str, dataset: str, cursor: Cursor, since: str | None = None
) -> str | None:
    """The cursor value from which to pull: the watermark less the overlap, or the declared start, or None for all.

    The overlap catches rows that the source committed late with an earlier time. A cursor that is not a
    time (a growing number) is taken as it is. `since` pulls again from there, whatever the watermark says.

    Raises:
        SourceError: an overlap is declared for a cursor that is not a time.
    """
    if since is not None:
        return since
    row = connection.execute(
        f"SELECT cursor_value FROM lake.ops.watermark WHERE source = {literal(source)} AND dataset = {literal(dataset)}"
    ).fetchone()
    if row is None:
        return cursor.start
    value = str(row[0])
    if not cursor.overlap:
        return value
    try:
        if value.isdigit():  # Python would read 20260101 as a date
            raise ValueError(value)
        return (datetime.fromisoformat(value) - cursor.overlap).isoformat(sep=" ")
    except ValueError:
        raise SourceError(
            "an overlap is a span of time, but the cursor is not a time",
            where=f"{source}/{dataset}",
            value=value,
            fix="take `overlap` out of the cursor, or name a field that is a time",
        ) from None
