"""Comparing what a reader brought with what its delivery holds, counted without that reader."""

from __future__ import annotations

import duckdb

from pipelines.connectors.batch import Batch, UnreadableDelivery
from pipelines.landing.stage import STAGED, UNREADABLE


def compare_with_source(connection: duckdb.DuckDBPyConnection, batch: Batch) -> list[dict[str, int]]:
    """What is to be told of each delivery, once the rows were compared.

    A quick count that differs from the reader is counted again exactly before anything is refused.

    Raises:
        UnreadableDelivery: a delivery holds another number of rows than its reader brought.
    """
    if not batch.held:
        return [{} for _ in batch.deliveries]
    brought = dict(
        connection.execute(
            f"SELECT _file, CAST(sum(n) AS BIGINT) FROM (SELECT _file, count(*) AS n FROM {STAGED} GROUP BY _file"
            f" UNION ALL SELECT _file, count(*) FROM {UNREADABLE} GROUP BY _file) GROUP BY _file"
        ).fetchall()
    )
    told: list[dict[str, int]] = []
    for number, held in enumerate(batch.held):
        if held is None:
            told.append({})
            continue
        count, counts = held.row_count, dict(held.told)
        if count != brought.get(number, 0) and held.recount is not None:
            count, counts = held.recount()
        if count != brought.get(number, 0):
            raise UnreadableDelivery(
                f"holds {count} rows, but {brought.get(number, 0)} were read. Nothing of it is taken. Fix: ask the"
                " provider to deliver it again, with one kind of line end and values quoted as in RFC 4180"
            )
        told.append(counts)
    return told
