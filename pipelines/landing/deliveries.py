"""What has been delivered, for people: deliveries by the number of their landing, and the one that somebody names.

Does not belong here: what is done with one (`withdraw`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from warehouse.errors import GridLakeError
from warehouse.identifiers import literal
from warehouse.lake.layout import row_count


class DeliveryError(GridLakeError):
    """A delivery, or a row of one, that somebody names is not there, or the name fits several."""


@dataclass(frozen=True)
class Delivered:
    """One delivery as the lake has it on record.

    `load_seq` is the number of its landing, `loaded_at` its time in UTC. `withdrawn_count` are rows that were taken
    back one by one; `withdrawal_seq` is the number of its withdrawal where it was taken back whole. `is_superseded`:
    a newer snapshot of its register stands in its place.
    """

    delivery_id: str
    source: str
    dataset: str
    uri: str
    load_seq: int
    loaded_at: datetime
    accepted_count: int
    quarantined_count: int
    deleted_count: int
    withdrawn_count: int
    is_superseded: bool
    is_pull: bool
    snapshot_group: str | None
    withdrawal_seq: int | None

    @property
    def state(self) -> str:
        """In a word, for people."""
        if self.withdrawal_seq is not None:
            return f"withdrawn ({self.withdrawal_seq})"
        rows = f", {self.withdrawn_count:,} rows withdrawn" if self.withdrawn_count else ""
        return ("superseded" if self.is_superseded else "landed") + rows


def deliveries(
    connection: duckdb.DuckDBPyConnection, condition: str = "true", limit: int | None = None
) -> list[Delivered]:
    """Deliveries, also those that were withdrawn, newest landing first.

    Args:
        connection: a session of the lake.
        condition: SQL over the columns of `ops.load`.
        limit: at most so many.
    """
    columns = (
        "delivery_id, source, dataset, uri, load_seq, loaded_at, accepted_count, quarantined_count,"
        " coalesce(deleted_count, 0), coalesce(withdrawn_count, 0), coalesce(is_superseded, false),"
        " coalesce(modified_ns, 0) = 0, snapshot_group"
    )
    found = f"SELECT {columns}, NULL AS withdrawal_seq FROM lake.ops.load WHERE {condition}"
    if row_count(connection, "ops", "withdrawn_load"):
        found += f" UNION ALL SELECT {columns}, withdrawal_seq FROM lake.ops.withdrawn_load WHERE {condition}"
    end = "" if limit is None else f" LIMIT {limit:d}"
    rows = connection.execute(f"{found} ORDER BY load_seq DESC, uri, delivery_id{end}").fetchall()
    return [Delivered(*row) for row in rows]


def delivery_named(connection: duckdb.DuckDBPyConnection, name: str) -> Delivered:
    """The delivery with this id; its beginning is enough where it fits only one.

    Raises:
        DeliveryError: there is none, or several begin like this.
    """
    found = deliveries(connection, f"starts_with(delivery_id, {literal(name)})") if name else []
    exact = [one for one in found if one.delivery_id == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    several = f"{len(found)} deliveries have" if found else "no delivery has"
    raise DeliveryError(
        f"{several} this id", where="delivery", value=name, fix="take one of those that `gridlake deliveries` shows"
    )
