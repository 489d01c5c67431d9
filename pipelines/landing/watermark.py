"""Where an incremental pull begins, in the city's time and as the source tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb

from catalog.contract import Contract
from pipelines.sources.declared import DatasetSource, SourceError, SourceSystem
from pipelines.sources.parts import Cursor
from quality.moments import Telling, in_source
from warehouse.identifiers import literal, optional_literal, quoted
from warehouse.settings import Settings

_EXCEL_DAY_0 = datetime(1899, 12, 30)


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


def as_the_source_tells(value: str, pattern: str | None, telling: Telling, city: str) -> str:
    """A cursor value (a time of the city, or a number) as the source itself would write it.

    A pattern that ends in Z asks in UTC, unless the source is said to tell local times.
    """
    at = time_of(value, city)
    if at is None:
        return value  # the cursor is a number
    here = in_source(at, telling, city)
    if telling.tells in ("epoch_s", "epoch_ms"):
        return str(int(here.timestamp() * (1000 if telling.tells == "epoch_ms" else 1)))
    if telling.tells == "excel":
        return str((here.replace(tzinfo=None) - _EXCEL_DAY_0).total_seconds() / 86400)
    if pattern is None:
        pattern = "%Y-%m-%dT%H:%M:%S" if telling.tells == "local" else "%Y-%m-%dT%H:%M:%SZ"
    if pattern.endswith("Z") and not pattern.endswith("%Z") and telling.tells != "local":
        here = here.astimezone(UTC)
    return here.strftime(pattern)


def time_of(value: str, city: str) -> datetime | None:
    """A cursor value as time of the city; None where it is a number. What carries an offset is turned."""
    if value.isdigit():  # Python would read 20260101 as a date
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is None else at.astimezone(ZoneInfo(city)).replace(tzinfo=None)
