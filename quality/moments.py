"""Moments: how a source tells the times of a field, and how they become times of the city.

`raw` holds plain times of the city's own clock. What carries an offset, or is counted from the Unix epoch, names an
instant and is turned into that clock; what is local stays as it is. Does not belong here: which texts are a time at
all (`rules`), and what a source file may say (`pipelines.sources.parts`).

Around a change of clocks: a local time that the clock skipped moves on by the hour that was skipped, if it has to be
turned; one that came twice counts as the second time. Both are counted (`clock_change`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from warehouse.identifiers import literal

Tells = Literal["auto", "local", "offset", "utc", "epoch_s", "epoch_ms", "excel"]
COUNTED = frozenset({"epoch_s", "epoch_ms", "excel"})
"""Ways that count from a day on, so that the source's value is a number."""
_MICROSECONDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "excel": 86_400_000_000}
_OFFSET = r":[0-9]{2}(\.[0-9]+)? ?([Zz]|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)\s*$|[0-9][Zz]\s*$"
# Nothing but a time of the clock to the second, or a day, has these forms and is read as a time.
_LOCAL_FORMS = {"TIMESTAMP": "????-??-?????:??:?[0-9]", "DATE": "????-??-?[0-9]"}
# No zone is further than 14 hours away; beyond, the hours are empty and so is the time.
_SHIFT = r"([+-](?:0[0-9]|1[0-4])):?([0-5][0-9])?\s*$"
_YEARS = range(1970, 2100)
_SLOT = timedelta(minutes=30)


@dataclass(frozen=True)
class Telling:
    """How the source tells the times of one field.

    Args:
        tells: `auto` (an offset counts where there is one), `local`, `offset` (each has one), `utc`, seconds or
            milliseconds since 1970, or days of a workbook.
        zone: clock of local times; None for the city's.
        ignores_offset: the source writes an offset that is known to be wrong.
    """

    tells: Tells = "auto"
    zone: str | None = None
    ignores_offset: bool = False


@dataclass(frozen=True)
class Moments:
    """How all fields of a data set tell time.

    Args:
        city: the zone of the city's clock.
        tellings: by field; `auto` where a field is not in it.
        latest: expression of the last time that a row can know of, as its delivery was made then; None for no limit.
    """

    city: str = "UTC"
    tellings: Mapping[str, Telling] = field(default_factory=dict)
    latest: str | None = None

    def of(self, name: str) -> Telling:
        """How one field tells time."""
        return self.tellings.get(name, Telling())


def has_local_form(source: str, kind: str = "TIMESTAMP") -> str:
    """A condition: what is read as a time is written as most sources write it, without offset and blank ends."""
    return f"{source} GLOB {literal(_LOCAL_FORMS[kind])}"


def has_offset(source: str, plain: str | None = None) -> str:
    """A condition: the text ends in an offset. Of most texts their form tells that they do not.

    `plain` is a column that knows it already (`plain.is_plain`).
    """
    may_have = f"NOT {plain or f'({has_local_form(source)})'} AND strlen({source}) > 14"
    return f"({may_have} AND regexp_matches({source}, {literal(_OFFSET)}))"


def from_reading(reading: str, source: str, telling: Telling, city: str, plain: str | None = None) -> str:
    """A time of the city out of what the clock of the text `source` reads, with whatever offset the text carries.

    `plain` as for `has_offset`.
    """
    zone = telling.zone or city
    local = reading if zone == city else _turned(reading, zone, city)
    if telling.tells == "local":
        return local
    without = {"utc": _turned(reading, "UTC", city), "offset": "CAST(NULL AS TIMESTAMP)"}.get(telling.tells, local)
    hours = f"TRY_CAST(regexp_extract({source}, {literal(_SHIFT)}, 1) AS INTEGER)"
    minutes = f"TRY_CAST(regexp_extract({source}, {literal(_SHIFT)}, 2) AS INTEGER)"
    sign = f"CASE WHEN regexp_matches({source}, '(Z|z|UTC|GMT)\\s*$') THEN 0"
    shift = (
        f"{sign} WHEN regexp_extract({source}, {literal(_SHIFT)}, 1)[1] = '-' THEN"
        f" {hours} * 60 - coalesce({minutes}, 0) ELSE {hours} * 60 + coalesce({minutes}, 0) END"
    )
    instant = f"{reading} - to_minutes(CAST({shift} AS INTEGER))"
    return f"CASE WHEN {has_offset(source, plain)} THEN {_turned(instant, 'UTC', city)} ELSE {without} END"


def from_native(reading: str, telling: Telling, city: str) -> str:
    """A time of the city out of a plain time of a typed source, which has no offset."""
    if telling.tells == "offset":
        return "CAST(NULL AS TIMESTAMP)"
    zone = "UTC" if telling.tells == "utc" else telling.zone or city
    return reading if zone == city else _turned(reading, zone, city)


def from_count(source: str, telling: Telling) -> str:
    """What the clock reads at a counted moment: UTC since 1970, or the local clock of a workbook."""
    number = f"CASE WHEN regexp_full_match({source}, '\\s*-?[0-9]+(\\.[0-9]*)?\\s*') THEN"
    number += f" TRY_CAST({source} AS DECIMAL(28, 12)) END"
    micros = f"CAST(round({number} * {_MICROSECONDS[telling.tells]}) AS BIGINT)"
    if telling.tells == "excel":
        # Days are fractions: a second is 0.0000115… of one, so what a workbook keeps is good to the millisecond.
        rounded = f"to_milliseconds(CAST(round({number} * 86400000) AS BIGINT))"
        return f"TIMESTAMP '1899-12-30' + {rounded}"
    return f"make_timestamp({micros})"


def of_count(reading: str, telling: Telling, city: str) -> str:
    """A time of the city out of the reading of `from_count`."""
    zone = (telling.zone or city) if telling.tells == "excel" else "UTC"
    return reading if zone == city else _turned(reading, zone, city)


def at_change(name: str, zone: str) -> str | None:
    """A condition: the time lies where the zone's clock skipped or repeated an hour; None for a zone that never did."""
    slots = _slots(zone)
    if not slots:
        return None
    first, last = literal(slots[0].isoformat(sep=" ")), literal((slots[-1] + _SLOT).isoformat(sep=" "))
    hours = sorted({slot.hour for slot in slots})
    length = int(_SLOT.total_seconds() * 1e6)
    numbers = ", ".join(str(int((slot - datetime(1970, 1, 1)) / _SLOT)) for slot in slots)
    return (
        f"CASE WHEN {name} >= TIMESTAMP {first} AND {name} < TIMESTAMP {last}"
        f" AND list_contains([{', '.join(map(str, hours))}], hour({name}))"
        f" THEN list_contains([{numbers}], epoch_us({name}) // {length}) ELSE false END"
    )


@cache
def _slots(zone: str) -> tuple[datetime, ...]:
    """The half hours of the local clock that a change skipped or repeated, in order."""
    clock = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta:
        return at.replace(tzinfo=UTC).astimezone(clock).utcoffset() or timedelta(0)

    found: set[datetime] = set()
    at, step = datetime(_YEARS.start, 1, 1), timedelta(days=7)
    while at.year < _YEARS.stop:
        if offset(at) != offset(at + step):
            low, high = at, at + step
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if offset(middle) == offset(at) else (low, middle)
            change = high.replace(second=0, microsecond=0)
            before, after = change + offset(low), change + offset(high)
            slot = min(before, after)
            while slot < max(before, after):
                found.add(slot)
                slot += _SLOT
        at += step
    return tuple(sorted(found))


def in_source(at: datetime, telling: Telling, city: str) -> datetime:
    """A time of the city as the source tells it: with the zone in which it writes, UTC for what is counted.

    Of a time that came twice the first one: whoever asks from there on misses nothing.
    """
    instant = at.replace(tzinfo=ZoneInfo(city), fold=0).astimezone(UTC)
    if telling.tells in ("local", "auto", "excel"):
        return instant.astimezone(ZoneInfo(telling.zone or city))
    return instant


def _turned(reading: str, zone: str, city: str) -> str:
    return f"timezone({literal(city)}, timezone({literal(zone)}, {reading}))"
