"""A small real lake with one landed data set, as landing would leave it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from catalog.contract import Contract
from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings

LANDED = datetime(2026, 3, 1, 8)
Row = tuple[str | None, str | None, int | None, str | None, str | None]

_STAMPS = (
    "_extra VARCHAR, _delivery_id VARCHAR, _source_row BIGINT, _load_seq BIGINT, _delivery_no INTEGER,"
    " _loaded_at TIMESTAMP"
)
_REFUSED = "original VARCHAR, broken_rules VARCHAR[], _delivery_id VARCHAR, _source_row BIGINT, _load_seq BIGINT"


@dataclass(frozen=True)
class Lake:
    """A lake and one open session of it: opening one costs half a second."""

    settings: Settings
    session: duckdb.DuckDBPyConnection

    def write(self, work: Callable[[Any], Any] | str) -> None:
        run = (lambda lake: lake.execute(work)) if isinstance(work, str) else work
        transact(self.session, self.settings, run, message="test")

    def count(self, table: str) -> int:
        ((number,),) = self.session.execute(f"SELECT count(*) FROM lake.{table}").fetchall()
        return int(number)

    def make_tables(self, contract: Contract) -> None:
        fields = ", ".join(f'"{f.name}" {f.physical_type}' for f in contract.fields)
        self.write(f"CREATE TABLE lake.raw.{contract.name} ({fields}, {_STAMPS}, _is_deleted BOOLEAN)")
        self.write(f"CREATE TABLE lake.quarantine.{contract.name} ({_REFUSED}, _loaded_at TIMESTAMP)")

    def land(
        self,
        dataset: str,
        rows: Sequence[Row] = (),
        refused: Sequence[Sequence[str]] = (),
        *,
        seq: int = 1,
        loaded_at: datetime = LANDED,
        cursor_to: str | None = None,
        warnings: dict[str, int] | None = None,
        unknown: Sequence[str] = (),
        miscounted: int = 0,
    ) -> str:
        """Land rows (order_no, phone, urgency, reported_at, closed_at) and refused rows (their broken rules)."""
        delivery = f"{dataset}-{seq}"
        columns = ("order_no", "phone", "urgency", "reported_at", "closed_at")

        def work(lake: Any) -> None:
            table = pa.table(
                {name: pa.array([row[n] for row in rows]) for n, name in enumerate(columns)}
                | {"n": pa.array(range(1, len(rows) + 1), pa.int64())}
            )
            lake.register("landed", table)
            lake.execute(
                f"INSERT INTO lake.raw.{dataset} ({', '.join(columns)}, _delivery_id, _source_row, _load_seq,"
                f" _loaded_at, _is_deleted) SELECT {', '.join(columns)}, ?, n, ?, ?, false FROM landed",
                [delivery, seq, loaded_at],
            )
            lake.unregister("landed")
            for number, rules in enumerate(refused, start=len(rows) + 1):
                lake.execute(
                    f"INSERT INTO lake.quarantine.{dataset} VALUES ('{{}}', ?, ?, ?, ?, ?)",
                    [list(rules), delivery, number, seq, loaded_at],
                )
            read = len(rows) + len(refused) + miscounted
            lake.execute(
                "INSERT INTO lake.ops.load BY NAME SELECT ? AS delivery_id, ? AS dataset, 'demo' AS city,"
                " ? AS read_count, ? AS fetched_count, 0 AS repeated_count, ? AS accepted_count,"
                " ? AS quarantined_count, 0 AS deleted_count, ? AS warning_counts,"
                " ?::VARCHAR[] AS unknown_columns, ? AS cursor_to, ? AS load_seq, ? AS loaded_at",
                [
                    delivery,
                    dataset,
                    read,
                    read,
                    len(rows),
                    len(refused),
                    json.dumps(warnings or {}),
                    list(unknown),
                    cursor_to,
                    seq,
                    loaded_at,
                ],
            )

        self.write(work)
        return delivery


@contextmanager
def opened(settings: Settings) -> Iterator[Lake]:
    with open_lake(settings) as session:
        yield Lake(settings, session)
