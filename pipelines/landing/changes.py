"""What a pull brings that the lake already holds, and what the lake holds that is gone at the source.

Only pulls need this: a cursor's overlap and a whole table both return rows that did not change. Files are
recognised whole, by their content.
"""

from __future__ import annotations

import duckdb

from catalog.contract import Contract
from pipelines.landing.stage import REPEATED, STAGED, Staged
from pipelines.landing.tables import column_types
from pipelines.source import Cursor
from warehouse.identifiers import literal, quoted


def position_of(connection: duckdb.DuckDBPyConnection, source: str, dataset: str) -> int:
    """Number of the last landing of a data set from a source; 0 where there is none."""
    ((position,),) = connection.execute(
        "SELECT coalesce(max(load_seq), 0) FROM lake.ops.load WHERE source = ? AND dataset = ?", [source, dataset]
    ).fetchall()
    return int(position)


def mark_repeated(connection: duckdb.DuckDBPyConnection, staged: Staged, cursor: Cursor | None) -> None:
    """Fill the temporary table of staged row ids which the lake already holds, or which stand twice in the pull."""
    contract = staged.contract
    same = _fingerprint(contract)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {REPEATED} AS SELECT rowid AS row FROM (SELECT rowid,"
        f" row_number() OVER (PARTITION BY {same}, _original ORDER BY rowid) AS n FROM {STAGED}) WHERE n > 1"
    )
    if not column_types(connection, "raw", contract.name):
        return
    keys = " AND ".join(f"s.{quoted(k)} = h.{quoted(k)}" for k in contract.key) or "true"
    connection.execute(
        f"INSERT INTO {REPEATED} SELECT s.rowid FROM {STAGED} s SEMI JOIN"
        f" (SELECT *, {same} AS _same FROM ({_held(staged, cursor)}) WHERE NOT _is_deleted) h"
        f" ON {keys} AND h._same = {_fingerprint(contract, 's')}"
        f" WHERE s._broken IS NULL AND s.rowid NOT IN (SELECT row FROM {REPEATED})"
    )
    # A refused row comes again with every overlap; it stays one row in quarantine.
    connection.execute(
        f"INSERT INTO {REPEATED} SELECT s.rowid FROM {STAGED} s"
        f" WHERE s._broken IS NOT NULL AND s.rowid NOT IN (SELECT row FROM {REPEATED})"
        f" AND s._original IN (SELECT original FROM lake.quarantine.{contract.name})"
    )


def vanished(staged: Staged) -> str:
    """SQL of the lake's newest rows whose keys a whole-table pull no longer brings."""
    keys = " AND ".join(f"s.{quoted(k)} = h.{quoted(k)}" for k in staged.contract.key)
    return f"SELECT h.* FROM ({_held(staged, None)}) h ANTI JOIN {STAGED} s ON {keys} WHERE NOT h._is_deleted"


def _held(staged: Staged, cursor: Cursor | None) -> str:
    """SQL of the newest row of each key; with a cursor only of those inside the pulled window."""
    contract = staged.contract
    window = ""
    if cursor and staged.batch.cursor_from is not None:
        kind = contract.field_named(cursor.field).physical_type
        window = f"WHERE {quoted(cursor.field)} >= CAST({literal(staged.batch.cursor_from)} AS {kind})"
    keys = ", ".join(quoted(k) for k in contract.key)
    newest = f"row_number() OVER (PARTITION BY {keys} ORDER BY _load_seq DESC, _source_row DESC)"
    rows = f"SELECT *, {newest} AS _newest FROM lake.raw.{contract.name} {window}"
    return f"SELECT * EXCLUDE (_newest) FROM ({rows}) WHERE _newest = 1"


def _fingerprint(contract: Contract, alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    parts = [
        f"ST_AsHEXWKB({prefix}{quoted(f.name)})" if f.is_geometry else f"{prefix}{quoted(f.name)}"
        for f in contract.fields
    ]
    return f"hash({', '.join([*parts, f'{prefix}_extra'])})"
