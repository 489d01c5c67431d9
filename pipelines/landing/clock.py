"""When a delivery was made: what its rows tell of later times is not known yet, but wrong.

A pull is made when it begins. A file is made when it was last changed, but not later than it lands: so its rows are
judged alike whenever the same file is landed again. A source of replayed or made-up data names a moment of its own
(`as_of`), before which none of its deliveries counts as made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from catalog.contract import Contract
from pipelines.connectors.batch import Delivery
from pipelines.sources.declared import DatasetSource
from quality.moments import Moments
from warehouse.identifiers import literal

# Archives and file systems without a clock write 1970 or 1980.
_NO_CLOCK = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Clock:
    """The city's time zone, when the landing began (with its zone), and what the source says of its own (city time)."""

    city: str
    now: datetime
    as_of: datetime | None = None

    def made_at(self, delivery: Delivery) -> datetime:
        """When a delivery was made, as time of the city."""
        modified = datetime.fromtimestamp(delivery.modified_ns // 1_000_000_000, UTC)
        at = min(modified, self.now) if modified >= _NO_CLOCK else self.now
        local = at.astimezone(ZoneInfo(self.city)).replace(tzinfo=None)
        return local if self.as_of is None else max(local, self.as_of)


def latest(clock: Clock, entry: DatasetSource, deliveries: tuple[Delivery, ...]) -> tuple[datetime, ...]:
    """The last times of which the rows of each delivery can know."""
    return tuple(clock.made_at(delivery) + entry.future_tolerance for delivery in deliveries)


def moments(clock: Clock, entry: DatasetSource, contract: Contract, limits: tuple[datetime, ...]) -> Moments:
    """How all fields tell time; the limit is a literal, or the column `_latest` where deliveries differ."""
    tellings = {f.name: entry.telling(f.name) for f in contract.fields}
    limit = _literal(limits[0]) if len(set(limits)) == 1 else "_latest"
    return Moments(clock.city, tellings, limit)


def latest_column(limits: tuple[datetime, ...]) -> str | None:
    """Expression of `_latest` by the number of a row's delivery; None where all have one limit."""
    if len(set(limits)) == 1:
        return None
    return f"[{', '.join(_literal(limit) for limit in limits)}][CAST(_file AS BIGINT) + 1]"


def _literal(at: datetime) -> str:
    return f"TIMESTAMP {literal(at.isoformat(sep=' '))}"
