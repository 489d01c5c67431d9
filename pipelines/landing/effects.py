"""What a withdrawal changes, counted for people: rows, keys and months, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from catalog.contract import Contract
from pipelines.landing.changes import newest_rows, same_key
from pipelines.landing.deliveries import Delivered
from warehouse.identifiers import literal, quoted

_BEFORE, _MONTHS = "withdrawal_before", "withdrawal_month"


@dataclass(frozen=True)
class Effect:
    """Keys by what becomes of them, months of the times in the rows, and the watermark where it moved (was, is).

    `kept` keys have another state in the lake, which counts now or counted already. `vanished` ones have none, or are
    gone by what other deliveries say. `revived` ones were gone and are there again.
    """

    kept: int
    vanished: int
    revived: int
    months: tuple[str, ...]
    watermark: tuple[str, str | None] | None


def remember(lake: duckdb.DuckDBPyConnection, contract: Contract, named: Delivered, which: str) -> None:
    """Keep what the lake holds of the keys that a withdrawal of these rows of `raw` can touch, and their months."""
    keys = ", ".join(quoted(k) for k in contract.key)
    table = f"lake.raw.{contract.name}"
    touched = f"SELECT {keys} FROM {table} WHERE {which}"
    if named.snapshot_group is not None:
        register = (
            "SELECT delivery_id FROM lake.ops.load"
            f" WHERE source = {literal(named.source)} AND dataset = {literal(named.dataset)}"
            f" AND coalesce(snapshot_group, '') = {literal(named.snapshot_group)}"
        )
        touched += f" UNION ALL SELECT {keys} FROM {table} WHERE _delivery_id IN ({register})"
    lake.execute(
        f"CREATE OR REPLACE TEMP TABLE {_BEFORE} AS"
        " SELECT DISTINCT t.*, coalesce(NOT h._is_deleted, false) AS _is_there,"
        f" EXISTS (SELECT 1 FROM (SELECT {keys} FROM {table} WHERE ({which}) AND NOT _is_deleted) h"
        f" WHERE {same_key(contract, 't')}) AS _is_withdrawn"
        f" FROM (SELECT DISTINCT {keys} FROM ({touched})) t"
        f" LEFT JOIN ({newest_rows(f'SELECT * FROM {table}', keys)}) h ON {same_key(contract, 't')}"
    )
    times = [f.name for f in contract.fields if f.physical_type.upper() in ("DATE", "TIMESTAMP")]
    months = ", ".join(f"strftime({quoted(name)}, '%Y-%m')" for name in times)
    lake.execute(
        f"CREATE OR REPLACE TEMP TABLE {_MONTHS} AS SELECT DISTINCT unnest(CAST([{months}] AS VARCHAR[])) AS month"
        f" FROM {table} WHERE ({which}) AND NOT _is_deleted"
    )


def effect_of(lake: duckdb.DuckDBPyConnection, contract: Contract, watermark: tuple[str, str | None] | None) -> Effect:
    """What has become of the keys that were remembered."""
    keys = ", ".join(quoted(k) for k in contract.key)
    newest = newest_rows(f"SELECT * FROM lake.raw.{contract.name}", keys)
    ((kept, vanished, revived),) = lake.execute(
        "SELECT count(*) FILTER (t._is_withdrawn AND t._is_there AND h._is_there),"
        " count(*) FILTER (t._is_there AND NOT coalesce(h._is_there, false)),"
        " count(*) FILTER (NOT t._is_there AND h._is_there)"
        f" FROM {_BEFORE} t LEFT JOIN (SELECT *, NOT _is_deleted AS _is_there FROM ({newest})) h"
        f" ON {same_key(contract, 't')}"
    ).fetchall()
    months = lake.execute(f"SELECT month FROM {_MONTHS} WHERE month IS NOT NULL ORDER BY month").fetchall()
    return Effect(int(kept), int(vanished), int(revived), tuple(month for (month,) in months), watermark)
