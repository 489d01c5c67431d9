"""What a pull brings that the lake already holds, and what the lake holds that is gone at the source.

Only pulls need this: a cursor's overlap and a whole table both return rows that did not change. Files are
recognised whole, by their content.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from catalog.contract import Contract
from pipelines.connectors.batch import UnreadableDelivery
from pipelines.landing.stage import ORIGINAL, REPEATED, STAGED, Staged
from pipelines.landing.tables import column_types
from pipelines.sources.parts import Cursor
from quality.withdrawals import last_change
from warehouse.identifiers import literal, quoted

# A share of few rows says nothing.
_FEW_KEYS = 10
# Temporary tables: the keys that earlier looks at a pull had, and what a whole table no longer has.
SEEN = "staged_seen"
GONE = "staged_gone"


def position_of(connection: duckdb.DuckDBPyConnection, source: str, dataset: str) -> int:
    """Number of the last landing of a data set from a source, or of what was withdrawn of it; 0 where there is none."""
    ((position,),) = connection.execute(
        "SELECT coalesce(max(load_seq), 0) FROM lake.ops.load"
        f" WHERE source = {literal(source)} AND dataset = {literal(dataset)}"
    ).fetchall()
    return max(int(position), last_change(connection, dataset))


def mark_repeated(connection: duckdb.DuckDBPyConnection, staged: Staged, cursor: Cursor | None) -> None:
    """Add the staged row ids which the lake already holds, or which stand twice in the pull, to the repeated ones.

    The lake holds a row if it is among the newest rows of its key. A source may (wrongly) give several rows
    for one key; if one of them is new, all of them land again, so that the newest rows are always the whole
    answer of the source.
    """
    contract = staged.contract
    keys = ", ".join(quoted(k) for k in contract.key)
    connection.execute(
        f"INSERT INTO {REPEATED} SELECT rowid FROM (SELECT rowid, row_number() OVER"
        f" (PARTITION BY {keys}, {fingerprint(staged)}, _refused ORDER BY rowid) AS n FROM {STAGED})"
        f" WHERE n > 1 AND rowid NOT IN (SELECT row FROM {REPEATED})"
    )
    if not set(column_types(connection, "raw", contract.name)) >= {f.name for f in contract.fields}:
        return  # nothing landed yet, or the contract has gained a field since
    is_same = same_key(contract)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE staged_known AS SELECT s.rowid AS row FROM {STAGED} s SEMI JOIN"
        f" (SELECT *, {fingerprint(staged, held=True)} AS _same FROM ({_newest(connection, contract, cursor)})) h"
        f" ON {is_same} AND h._same = {fingerprint(staged, 's.')} WHERE s._refused IS NULL"
    )
    new = (
        f"SELECT {keys} FROM {STAGED} WHERE _refused IS NULL AND rowid NOT IN (SELECT row FROM staged_known)"
        f" AND rowid NOT IN (SELECT row FROM {REPEATED})"
    )
    connection.execute(
        f"INSERT INTO {REPEATED} SELECT s.rowid FROM {STAGED} s ANTI JOIN ({new}) h ON {is_same}"
        f" WHERE s.rowid IN (SELECT row FROM staged_known) AND s.rowid NOT IN (SELECT row FROM {REPEATED})"
    )
    # A refused row comes again with every overlap; it stays one row in quarantine.
    connection.execute(
        f"INSERT INTO {REPEATED} SELECT s.rowid FROM {STAGED} s"
        f" WHERE s._refused IS NOT NULL AND s.rowid NOT IN (SELECT row FROM {REPEATED})"
        f" AND {ORIGINAL} IN (SELECT original FROM lake.quarantine.{contract.name})"
    )


def fill_gone(connection: duckdb.DuckDBPyConnection, staged: Staged) -> int:
    """Fill `GONE` with the lake's newest row of each key that no look at a whole table brought; returns how many."""
    contract = staged.contract
    keys = ", ".join(quoted(k) for k in contract.key)
    newest = newest_rows(f"SELECT * FROM lake.raw.{contract.name}", keys)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {GONE} AS"
        f" SELECT h.* FROM ({newest}) h"
        f" ANTI JOIN {STAGED} s ON {same_key(contract)} ANTI JOIN {SEEN} t ON {same_key(contract, 't')}"
        " WHERE NOT h._is_deleted"
    )
    ((count,),) = connection.execute(f"SELECT count(*) FROM {GONE}").fetchall()
    return int(count)


def same_key(contract: Contract, alias: str = "s") -> str:
    """The condition that a row of this alias has the key of one that the lake holds (alias `h`)."""
    return " AND ".join(f"{alias}.{quoted(k)} IS NOT DISTINCT FROM h.{quoted(k)}" for k in contract.key)


def newest_rows(rows: str, keys: str) -> str:
    """SQL of the newest row of each key; a tombstone comes after what landed with it."""
    order = "_load_seq DESC, _is_deleted DESC, _delivery_no DESC, _source_row DESC"
    return f"SELECT * FROM ({rows}) QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"


def keys_held(lake: duckdb.DuckDBPyConnection, contract: Contract, condition: str = "true") -> int:
    """How many keys of a data set the lake holds now, of the rows that fit a condition."""
    if not column_types(lake, "raw", contract.name):
        return 0
    keys = ", ".join(quoted(k) for k in contract.key)
    rows = f"SELECT * FROM lake.raw.{contract.name} WHERE {condition}"
    ((count,),) = lake.execute(f"SELECT count(*) FROM ({newest_rows(rows, keys)}) WHERE NOT _is_deleted").fetchall()
    return int(count)


def refuse_large_loss(gone: int, held: int, allowed: float) -> None:
    """What suddenly lacks many keys is more often a broken source than a city that lost them.

    Args:
        gone: keys that a whole table or a snapshot no longer brings.
        held: keys that the lake held before.
        allowed: share of the held keys that may go at once; a few keys always may.

    Raises:
        UnreadableDelivery: more would go.
    """
    if gone > max(_FEW_KEYS, allowed * held):
        raise UnreadableDelivery(
            f"{gone} of the {held} keys that the lake holds are missing, more than `deletes_allowed` ({allowed:.0%})."
            " Fix: check the source; if they are really gone, set `deletes_allowed` in the source file to a greater"
            " share, for this run or for good"
        )


def cursor_end(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    cursor: Cursor | None,
    source: str,
    latest: datetime,
    left_out: str,
) -> str | None:
    """The watermark after this pull, or None where it does not move.

    Only rows that land count: a refused row with an absurd time would otherwise carry the watermark past all
    rows to come, and so would one that was withdrawn (`left_out`, a table of row ids). It never moves back.
    """
    if cursor is None:
        return None
    kind = contract.field_named(cursor.field).physical_type.upper()
    ahead = ""
    if kind in ("DATE", "TIMESTAMP"):
        # A row dated in the future must not silence its source until then, also where the contract allows the date.
        ahead = f" AND {quoted(cursor.field)} <= CAST({literal(latest.isoformat(sep=' '))} AS TIMESTAMP)"
    ((end,),) = connection.execute(
        f"SELECT CAST(greatest(max({quoted(cursor.field)}),"
        f" (SELECT max(TRY_CAST(cursor_value AS {kind})) FROM lake.ops.watermark"
        f" WHERE source = {literal(source)} AND dataset = {literal(contract.name)}))"
        f" AS VARCHAR) FROM {STAGED}"
        f" WHERE _refused IS NULL AND rowid NOT IN (SELECT row FROM {left_out}){ahead}"
    ).fetchall()
    return None if end is None else str(end)


def _newest(connection: duckdb.DuckDBPyConnection, contract: Contract, cursor: Cursor | None) -> str:
    """SQL of the rows of each key's newest landing, if that is no tombstone.

    With a cursor only the lake's rows from the earliest staged one on are read. What was asked for is no
    measure: a service may round the time it is asked from, or ignore it.
    """
    window = ""
    if cursor:
        name = quoted(cursor.field)
        ((first, has_null),) = connection.execute(
            f"SELECT CAST(min({name}) AS VARCHAR), coalesce(bool_or({name} IS NULL), false) FROM {STAGED}"
            " WHERE _refused IS NULL"
        ).fetchall()
        if first is not None and not has_null:
            kind = contract.field_named(cursor.field).physical_type
            window = f"WHERE {name} >= CAST({literal(str(first))} AS {kind})"
    keys = ", ".join(quoted(k) for k in contract.key)
    rows = (
        f"SELECT * FROM lake.raw.{contract.name} {window}"
        f" QUALIFY rank() OVER (PARTITION BY {keys} ORDER BY _load_seq DESC) = 1"
    )
    return f"SELECT * FROM ({rows}) WHERE NOT _is_deleted"


def fingerprint(staged: Staged, prefix: str = "", *, held: bool = False) -> str:
    """A hash over what a row says; of rows which the lake holds, or of staged ones."""
    parts = [
        f"ST_AsHEXWKB({prefix}{quoted(f.name)})" if f.is_geometry else f"{prefix}{quoted(f.name)}"
        for f in staged.contract.fields
    ]
    extra = f"{prefix}_extra" if held or staged.has_extra else "CAST(NULL AS VARCHAR)"
    return f"hash({', '.join([*parts, extra])})"
