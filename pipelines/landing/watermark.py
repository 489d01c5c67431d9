"""Where an incremental pull begins, and what that becomes when rows are taken back."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from catalog.contract import Contract
from pipelines.sources.declared import DatasetSource, SourceError, SourceSystem
from pipelines.sources.parts import Cursor
from warehouse.identifiers import literal, optional_literal, quoted
from warehouse.settings import Settings


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
        if value.isdigit():  # a number
            raise ValueError(value)
        return (datetime.fromisoformat(value) - cursor.overlap).isoformat(sep=" ")
    except ValueError:
        raise SourceError(
            "an overlap is a span of time, but the cursor is not a time",
            where=f"{source}/{dataset}",
            value=value,
            fix="take `overlap` out of the cursor, or name a field that is a time",
        ) from None


def settle_watermark(
    lake: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem | None,
    entry: DatasetSource | None,
    contract: Contract,
    *,
    may_rise: bool,
) -> tuple[str, str | None] | None:
    """Bring the watermark to what the rows in `raw` reach, after some of them were withdrawn or came back.

    It moves back where what had carried it on is gone, so that the next pull finds what lies between; and on only
    where it may. As with a pull, times beyond the delivery's own moment do not count.

    Returns:
        What it was and what it is (None: the next pull begins anew) where it moved.
    """
    if system is None or entry is None or entry.cursor is None:
        return None
    place = f"source = {literal(system.system)} AND dataset = {literal(contract.name)}"
    row = lake.execute(f"SELECT cursor_value FROM lake.ops.watermark WHERE {place}").fetchone()
    if row is None and not may_rise:
        return None
    name, kind = quoted(entry.cursor.field), contract.field_named(entry.cursor.field).physical_type.upper()
    within = ""
    if kind in ("DATE", "TIMESTAMP"):
        made = f"timezone({literal(settings.timezone)}, timezone('UTC', _loaded_at))"
        if system.as_of is not None:
            made = f"greatest({made}, TIMESTAMP {literal(system.as_of.isoformat(sep=' '))})"
        tolerance = f"to_microseconds({int(entry.future_tolerance.total_seconds() * 1_000_000):d})"
        within = f" AND {name} <= {made} + {tolerance}"
    ((reached, is_less, is_more),) = lake.execute(
        f"SELECT CAST(value AS VARCHAR), coalesce(value < was, true), coalesce(value > was, true) FROM (SELECT"
        f" max({name}) AS value, TRY_CAST({optional_literal(row[0] if row else None)} AS {kind}) AS was"
        f" FROM lake.raw.{contract.name} WHERE NOT _is_deleted{within} AND _delivery_id IN"
        f" (SELECT delivery_id FROM lake.ops.load WHERE {place}))"
    ).fetchall()
    if not (is_more and reached is not None if may_rise else is_less):
        return None
    lake.execute(f"DELETE FROM lake.ops.watermark WHERE {place}")
    if reached is not None:
        lake.execute(
            "INSERT INTO lake.ops.watermark (source, dataset, cursor_value, delivery_id, updated_at)"
            f" SELECT {literal(system.system)}, {literal(contract.name)}, {literal(reached)},"
            f" (SELECT arg_max(delivery_id, load_seq) FROM lake.ops.load WHERE {place}),"
            f" TIMESTAMP {literal(datetime.now(UTC).replace(tzinfo=None).isoformat(sep=' '))}"
        )
    return (str(row[0]) if row else "", reached)
