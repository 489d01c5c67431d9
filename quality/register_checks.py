"""Checks of registers that are delivered whole: whether the newest snapshot is what the one before lets expect.

What each delivery brought stands in `ops.load`; no table is read.
"""

from __future__ import annotations

import duckdb

from catalog.contract import Contract
from quality.results import MAX_FAILED_KEYS, CheckResult
from quality.texts import CheckText


def collapse(connection: duckdb.DuckDBPyConnection, contract: Contract, position: int) -> list[CheckResult]:
    """Whether the newest snapshot of a register has fewer than half of the rows of the one before. Counts registers."""
    rows = connection.execute(
        """
        WITH delivered AS (
            SELECT snapshot_group, coalesce(snapshot_order, format('{:020d}', load_seq)) AS place, accepted_count
            FROM lake.ops.load WHERE dataset = ? AND snapshot_group IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY source, snapshot_group, place, uri ORDER BY load_seq DESC) = 1
        ), snapshots AS (
            SELECT snapshot_group, sum(accepted_count) AS row_count,
                   lag(sum(accepted_count)) OVER (PARTITION BY snapshot_group ORDER BY place) AS row_count_before,
                   row_number() OVER (PARTITION BY snapshot_group ORDER BY place DESC) AS age
            FROM delivered GROUP BY snapshot_group, place
        )
        SELECT snapshot_group, coalesce(2 * row_count < row_count_before, false) FROM snapshots WHERE age = 1
        ORDER BY snapshot_group""",
        [contract.name],
    ).fetchall()
    if not rows:
        return []
    collapsed = [group for group, is_collapsed in rows if is_collapsed]
    return [
        CheckResult(
            check_id=f"delivery.raw.{contract.name}.snapshot_collapse",
            kind="delivery",
            layer="raw",
            dataset=contract.name,
            rule="snapshot_collapse",
            severity="error",
            is_passed=not collapsed,
            checked_count=len(rows),
            failed_count=len(collapsed),
            failed_keys=tuple(f"register={group or contract.name}" for group in collapsed[:MAX_FAILED_KEYS]),
            text=CheckText.of("register_collapsed", len(collapsed), len(rows)),
            data_position=position,
        )
    ]
