"""Statements that were taken back and must not come again by themselves, as landing meets them.

A file is known by its content: content that was withdrawn is refused wherever it is dropped. A pull asks anew each
time, and a wrong row may stand in every later file as well: so rows of a withdrawn pull, and rows that were withdrawn
one by one, are left out for as long as they come unchanged. Undoing the withdrawal ends both.
"""

from __future__ import annotations

import duckdb

from catalog.contract import Contract
from pipelines.landing.changes import GONE, fingerprint, same_key
from pipelines.landing.stage import ORIGINAL, REPEATED, STAGED, Staged
from pipelines.landing.tables import column_types
from quality.withdrawals import IN_FORCE, Withdrawal, withdrawals
from warehouse.identifiers import literal, quoted
from warehouse.lake.layout import row_count

# Temporary table of staged row ids that were taken back.
WITHHELD = "staged_withheld"


def mark_withheld(connection: duckdb.DuckDBPyConnection, staged: Staged) -> dict[int, int]:
    """Mark the staged rows that were taken back, in `WITHHELD` and as repeated; returns how many by delivery number."""
    contract = staged.contract
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {WITHHELD} (row BIGINT)")
    if not row_count(connection, "withdrawn", contract.name):
        return {}
    held = f"SELECT *, {fingerprint(staged, held=True)} AS _same FROM ({_statements(connection, contract)})"
    connection.execute(
        f"INSERT INTO {WITHHELD} SELECT s.rowid FROM {STAGED} s SEMI JOIN ({held}) h"
        f" ON {same_key(contract)} AND h._same = {fingerprint(staged, 's.')} WHERE s._refused IS NULL"
    )
    connection.execute(
        f"INSERT INTO {WITHHELD} SELECT rowid FROM {STAGED} WHERE _refused IS NOT NULL AND {ORIGINAL} IN"
        f" (SELECT w.original FROM {_in_force(contract)} WHERE w.broken_rules IS NOT NULL)"
    )
    connection.execute(f"INSERT INTO {REPEATED} SELECT row FROM {WITHHELD}")
    counts = connection.execute(
        f"SELECT s._file, count(*) FROM {STAGED} s JOIN {WITHHELD} w ON w.row = s.rowid GROUP BY s._file"
    ).fetchall()
    return {int(number): int(count) for number, count in counts}


def keep_withheld_keys(connection: duckdb.DuckDBPyConnection, contract: Contract) -> int:
    """Take the keys whose deletion was taken back, and did not come anew since, out of `GONE`; returns how many."""
    if not row_count(connection, "withdrawn", contract.name):
        return 0
    deletions = f"SELECT w.* FROM {_in_force(contract)} WHERE w._is_deleted AND w._delivery_id = o.delivery_id"
    ((count,),) = connection.execute(
        f"DELETE FROM {GONE} AS h WHERE EXISTS (SELECT 1 FROM ({deletions}) s WHERE {same_key(contract)}"
        " AND h._load_seq < s._withdrawal_seq)"
    ).fetchall()
    return int(count)


def withdrawn_contents(connection: duckdb.DuckDBPyConnection, dataset: str) -> dict[str, Withdrawal]:
    """The contents of files of a data set that were withdrawn whole, each with its withdrawal."""
    if not row_count(connection, "ops", "withdrawn_load"):
        return {}
    contents = dict(
        connection.execute(
            "SELECT withdrawal_seq, content_hash FROM lake.ops.withdrawn_load"
            f" WHERE dataset = {literal(dataset)} AND modified_ns > 0"
        ).fetchall()
    )
    return {
        contents[one.number]: one
        for one in withdrawals(connection, f"{IN_FORCE} AND dataset = {literal(dataset)}")
        if one.number in contents
    }


def refusal_of(withdrawal: Withdrawal) -> str:
    """Why a file with the content of a withdrawn one is not landed, and what to do."""
    return (
        f"its content was withdrawn ({withdrawal.delivery_id}: {withdrawal.reason}). Fix: ask the provider for a"
        f" corrected file; if it was right after all, `gridlake withdrawals undo {withdrawal.number}` brings it back"
    )


def _in_force(contract: Contract) -> str:
    """FROM item of the rows `w` that are left out when they come again, with their withdrawal `o`."""
    return (
        f"lake.withdrawn.{contract.name} w JOIN lake.ops.withdrawal o"
        f" ON o.withdrawal_seq = w._withdrawal_seq AND o.{IN_FORCE} AND (o.is_pull OR o.source_rows IS NOT NULL)"
    )


def _statements(connection: duckdb.DuckDBPyConnection, contract: Contract) -> str:
    """SQL of the taken back rows of `raw`; a field that the contract has gained since is empty in them."""
    present = column_types(connection, "withdrawn", contract.name)
    gained = "".join(
        f", CAST(NULL AS {f.physical_type}) AS {quoted(f.name)}" for f in contract.fields if f.name not in present
    )
    return f"SELECT w.*{gained} FROM {_in_force(contract)} WHERE NOT w._is_deleted"
