"""The value from which a pull asks, as the source itself would write it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from quality.moments import Telling, in_source

_EXCEL_DAY_0 = datetime(1899, 12, 30)


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
