"""Deliveries that hold a register whole: what is missing from the newest one is gone.

A source file declares that (`snapshot`). Each delivery is then on record with the register it is of (`snapshot_group`)
and the place it takes among its snapshots (`snapshot_order`); `is_superseded` tells that a newer one stands in its
place. Keys that the newest snapshot no longer brings get a tombstone in `raw`, in the same transaction. Where the
contract's key holds the snapshot's own date, each snapshot's rows are things of their own: nothing in `raw` is gone,
and core reads from `is_superseded` what still stands. `has_gap_marks` tells which of both a delivery is of: where
tombstones tell what is gone, a superseded row still holds until one comes, since what was refused is not missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from catalog.contract import Contract
from pipelines.connectors.batch import Delivery
from pipelines.landing.changes import newest_rows, same_key
from pipelines.landing.stage import STAGED
from pipelines.sources.declared import DatasetSource
from warehouse.identifiers import literal, optional_literal, quoted

# Delivery n stands in the place of delivery d of the same register. Without a declared order the later one is newer.
_TAKES_PLACE = """
    n.source = d.source AND n.dataset = d.dataset AND n.snapshot_group = d.snapshot_group
    AND CASE WHEN n.snapshot_order IS NULL OR d.snapshot_order IS NULL THEN n.load_seq > d.load_seq
             WHEN n.snapshot_order = d.snapshot_order THEN n.uri = d.uri AND n.load_seq > d.load_seq
             ELSE n.snapshot_order > d.snapshot_order END"""


@dataclass(frozen=True)
class Mark:
    """Of which register a delivery is a snapshot (or a part of one), and its place among them; later sort later."""

    group: str
    order: str | None


def mark_of(entry: DatasetSource, delivery: Delivery) -> Mark | None:
    """What the source file makes of a delivery; None where it declares no snapshots."""
    if entry.snapshot is None:
        return None
    captures = dict(delivery.captures)
    group = "/".join(captures.get(name, "") for name in entry.snapshot.of)
    return Mark(group, captures.get(entry.snapshot.at) if entry.snapshot.at else None)


def leaves_gaps(entry: DatasetSource, contract: Contract) -> bool:
    """Whether a key of the contract means the same thing in each snapshot, so that a missing one is gone."""
    if entry.snapshot is None:
        return False
    dated = f"{{{entry.snapshot.at}}}"
    return not any(dated in entry.source_names(name) for name in contract.key)


def gone_keys(
    lake: duckdb.DuckDBPyConnection, source: str, contract: Contract, mark: Mark, uris: tuple[str, ...]
) -> str:
    """SQL of a row of each key that is gone once the staged snapshot lands; `_is_held` where the lake has held it.

    If a newer snapshot has landed before, these are the staged keys that do not stand: they were gone already and must
    not come back.
    """
    dataset, keys = contract.name, ", ".join(quoted(k) for k in contract.key)
    own = f"source = {literal(source)} AND dataset = {literal(dataset)}"
    # What landed before the register was declared belongs to the only one there is.
    group = f"{own} AND coalesce(snapshot_group, '') = {literal(mark.group)}"
    rows = (
        f"SELECT * FROM lake.raw.{dataset} WHERE _delivery_id IN (SELECT delivery_id FROM lake.ops.load WHERE {group})"
    )
    staged = f"SELECT {keys} FROM {STAGED}"
    standing = (
        f"SELECT {keys} FROM lake.raw.{dataset} WHERE NOT _is_deleted AND _delivery_id IN (SELECT delivery_id"
        f" FROM lake.ops.load WHERE {group} AND NOT is_superseded"
    )
    if _is_newest(lake, group, mark):
        order = optional_literal(mark.order)
        listed = ", ".join(literal(uri) for uri in uris)
        present = f"{staged} UNION ALL {standing} AND snapshot_order = {order} AND uri NOT IN ({listed}))"
        held = f"SELECT *, true AS _is_held FROM ({newest_rows(rows, keys)}) WHERE NOT _is_deleted"
    else:
        fields = ", ".join(quoted(f.name) for f in contract.fields)
        # Also what a newer one brought and was refused: its former state stands.
        present = f"SELECT {keys} FROM ({newest_rows(rows, keys)}) WHERE NOT _is_deleted"
        held = f"SELECT {fields}, NULL AS _extra, false AS _is_held FROM {STAGED} WHERE _refused IS NULL"
        held = f"SELECT * FROM ({held}) QUALIFY row_number() OVER (PARTITION BY {keys}) = 1"
    return f"SELECT h.* FROM ({held}) h ANTI JOIN ({present}) s ON {same_key(contract)}"


def mark_superseded(lake: duckdb.DuckDBPyConnection, source: str, dataset: str) -> None:
    """Bring `is_superseded` of a data set's snapshots up to what has landed; part of the landing's transaction."""
    snapshots = (
        f"SELECT * FROM lake.ops.load WHERE source = {literal(source)} AND dataset = {literal(dataset)}"
        " AND snapshot_group IS NOT NULL"
    )
    lake.execute(
        f"CREATE OR REPLACE TEMP TABLE snapshot_places AS WITH snapshots AS ({snapshots})"
        " SELECT delivery_id, is_superseded AS was,"
        f" EXISTS (SELECT 1 FROM snapshots n WHERE {_TAKES_PLACE}) AS is_superseded FROM snapshots d"
    )
    lake.execute(
        "UPDATE lake.ops.load SET is_superseded = NOT coalesce(is_superseded, false) WHERE delivery_id IN"
        " (SELECT delivery_id FROM snapshot_places WHERE was IS DISTINCT FROM is_superseded)"
    )


def _is_newest(lake: duckdb.DuckDBPyConnection, group: str, mark: Mark) -> bool:
    if mark.order is None:
        return True
    ((newer,),) = lake.execute(
        f"SELECT count(*) FROM lake.ops.load WHERE {group} AND snapshot_order > {literal(mark.order)}"
    ).fetchall()
    return int(newer) == 0


def of_register(source: str, contract: Contract, group: str) -> str:
    """A condition over rows of `raw`: they came in deliveries of one register."""
    return (
        f"_delivery_id IN (SELECT delivery_id FROM lake.ops.load WHERE source = {literal(source)}"
        f" AND dataset = {literal(contract.name)} AND coalesce(snapshot_group, '') = {literal(group)})"
    )
