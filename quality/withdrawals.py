"""Deliveries, and single rows of them, that were taken back: the record of it in `ops.withdrawal`.

Belongs here: reading the record, for checks, landing and people. What writes it: `pipelines.landing.withdraw`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from warehouse.lake.layout import row_count, tables

_COLUMNS = (
    "withdrawal_seq, source, dataset, delivery_id, uri, is_pull, source_rows, reason, withdrawn_by, withdrawn_at,"
    " row_count, refused_count, deletion_count, undone_seq, undo_reason, undone_by, undone_at"
)
IN_FORCE = "undone_seq IS NULL"


@dataclass(frozen=True)
class Withdrawal:
    """One withdrawal.

    `number` and `undone_seq` are numbers of the lake's own sequence, as landings have them. `source_rows` are the
    places of the rows in their delivery (from 1), None where it was withdrawn whole. Times are UTC. The counts are of
    rows taken out of `raw` and out of `quarantine`, and of marks that keys are gone.
    """

    number: int
    source: str
    dataset: str
    delivery_id: str
    uri: str
    is_pull: bool
    source_rows: tuple[int, ...] | None
    reason: str
    withdrawn_by: str
    withdrawn_at: datetime
    row_count: int
    refused_count: int
    deletion_count: int
    undone_seq: int | None
    undo_reason: str | None
    undone_by: str | None
    undone_at: datetime | None

    @property
    def what(self) -> str:
        """What was taken back, for people: the delivery, or the rows of it."""
        if self.source_rows is None:
            return self.delivery_id
        shown = ", ".join(str(row) for row in self.source_rows[:5]) + (", …" if len(self.source_rows) > 5 else "")
        return f"{self.delivery_id}, row {shown}"


def withdrawals(connection: duckdb.DuckDBPyConnection, condition: str = "true") -> list[Withdrawal]:
    """The withdrawals for which an SQL condition over `ops.withdrawal` holds, oldest first."""
    if ("ops", "withdrawal") not in tables(connection):
        return []
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM lake.ops.withdrawal WHERE {condition} ORDER BY withdrawal_seq"
    ).fetchall()
    return [_withdrawal(row) for row in rows]


def _withdrawal(row: tuple[Any, ...]) -> Withdrawal:
    values: Any = [tuple(value) if isinstance(value, list) else value for value in row]
    return Withdrawal(*values)


def last_changes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """By data set the number of its last withdrawal, or undoing of one."""
    if not row_count(connection, "ops", "withdrawal"):
        return {}
    rows = connection.execute(
        "SELECT dataset, max(greatest(withdrawal_seq, coalesce(undone_seq, 0)))"
        " FROM lake.ops.withdrawal GROUP BY dataset"
    ).fetchall()
    return {dataset: int(number) for dataset, number in rows}


def last_change(connection: duckdb.DuckDBPyConnection, dataset: str | None = None) -> int:
    """The number of the last withdrawal, or undoing of one (of one data set); 0 where there is none."""
    found = last_changes(connection)
    return max(found.values(), default=0) if dataset is None else found.get(dataset, 0)
