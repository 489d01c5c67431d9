"""Marks that keys are gone, after rows were withdrawn or came back: those that no longer hold go, missing ones come."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from catalog.contract import Contract
from pipelines.landing.changes import newest_rows, same_key
from warehouse.identifiers import literal, quoted


def take_out(lake: duckdb.DuckDBPyConnection, contract: Contract, number: int, condition: str) -> None:
    """Move the rows of `raw` for which the condition holds (over the table as `h`) into the record of a withdrawal."""
    table = f"lake.raw.{contract.name}"
    lake.execute(
        f"INSERT INTO lake.withdrawn.{contract.name} BY NAME"
        f" SELECT h.*, {number:d} AS _withdrawal_seq FROM {table} AS h WHERE {condition}"
    )
    lake.execute(f"DELETE FROM {table} AS h WHERE {condition}")


def take_out_orphans(lake: duckdb.DuckDBPyConnection, contract: Contract, number: int) -> None:
    """Take out the marks of keys of which nothing had landed before them: they are gone from nowhere."""
    rows = f"SELECT * FROM lake.raw.{contract.name} WHERE NOT _is_deleted"
    take_out(
        lake,
        contract,
        number,
        f"h._is_deleted AND NOT EXISTS (SELECT 1 FROM ({rows}) s WHERE {same_key(contract)}"
        " AND s._load_seq <= h._load_seq)",
    )


def put_right(lake: duckdb.DuckDBPyConnection, source: str, contract: Contract, group: str, number: int) -> None:
    """Make exactly those keys of a register gone that the snapshot lacks which stands now; none where none stands.

    A row of it that was refused is not missing: nobody knows its key, so a key of which all parts stand in a refused
    row is left as it is.
    """
    keys = ", ".join(quoted(k) for k in contract.key)
    own = (
        f"SELECT delivery_id FROM lake.ops.load WHERE source = {literal(source)} AND dataset = {literal(contract.name)}"
    )
    standing = f"{own} AND snapshot_group = {literal(group)} AND NOT is_superseded"
    rows = f"SELECT * FROM lake.raw.{contract.name} WHERE _delivery_id IN ({own} AND coalesce(snapshot_group, '') = "
    lake.execute(
        "CREATE OR REPLACE TEMP TABLE standing_key AS"
        f" SELECT DISTINCT {keys} FROM lake.raw.{contract.name} WHERE NOT _is_deleted AND _delivery_id IN ({standing})"
    )
    lake.execute(
        f"CREATE OR REPLACE TEMP TABLE register_key AS SELECT * FROM ({newest_rows(f'{rows}{literal(group)})', keys)})"
    )
    ((stands,),) = lake.execute(f"SELECT count(*) FROM ({standing})").fetchall()
    is_there = f"EXISTS (SELECT 1 FROM standing_key s WHERE {same_key(contract)})" if stands else "true"
    wrong = f"SELECT * FROM register_key h WHERE h._is_deleted AND {is_there}"
    last = (
        f"SELECT max(r._load_seq) FROM lake.raw.{contract.name} r WHERE NOT r._is_deleted AND {same_key(contract, 'r')}"
    )
    take_out(
        lake,
        contract,
        number,
        f"h._is_deleted AND EXISTS (SELECT 1 FROM ({wrong}) s WHERE {same_key(contract)})"
        f" AND h._load_seq >= coalesce(({last}), -1)",
    )
    if stands:
        _mark_gone(lake, contract, standing, number)


def _mark_gone(lake: duckdb.DuckDBPyConnection, contract: Contract, standing: str, number: int) -> None:
    fields = ", ".join(quoted(f.name) for f in contract.fields)
    parts = " AND ".join(f"contains(q.original, coalesce(CAST(h.{quoted(k)} AS VARCHAR), ''))" for k in contract.key)
    refused = f"SELECT original FROM lake.quarantine.{contract.name} WHERE _delivery_id IN ({standing})"
    now = literal(datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" "))
    lake.execute(
        f"INSERT INTO lake.raw.{contract.name}"
        f" ({fields}, _extra, _delivery_id, _delivery_no, _source_row, _load_seq, _loaded_at, _is_deleted)"
        f" SELECT {fields}, _extra, (SELECT min(delivery_id) FROM ({standing})), 0, NULL, {number:d},"
        f" TIMESTAMP {now}, true FROM register_key h WHERE NOT h._is_deleted"
        f" AND NOT EXISTS (SELECT 1 FROM standing_key s WHERE {same_key(contract)})"
        f" AND NOT EXISTS (SELECT 1 FROM ({refused}) q WHERE {parts})"
    )


def count_deletions(lake: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Bring `deleted_count` of the data set's deliveries to the marks that they have in `raw` now."""
    lake.execute(
        f"UPDATE lake.ops.load AS l SET deleted_count = c.n FROM (SELECT d.delivery_id, count(r._delivery_id) AS n"
        f" FROM lake.ops.load d LEFT JOIN (SELECT _delivery_id FROM lake.raw.{contract.name} WHERE _is_deleted) r"
        f" ON r._delivery_id = d.delivery_id WHERE d.dataset = {literal(contract.name)} GROUP BY d.delivery_id) AS c"
        " WHERE l.delivery_id = c.delivery_id AND l.deleted_count IS DISTINCT FROM c.n AND l.deleted_count IS NOT NULL"
    )
