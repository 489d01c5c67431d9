"""A second look at a pull, before anything is taken for lost: what one answer lacks may be the answer's fault.

A page that was read while rows moved, a gateway that left out a part, pages without a fixed order: each looks like
rows that are gone. So a pull that would delete, or whose pages hold a key twice, is made again; a key is gone only
if every look lacks it.
"""

from __future__ import annotations

import logging

import duckdb

from pipelines.connectors.batch import UnreadableDelivery
from pipelines.landing.changes import SEEN, fill_gone, newest_rows, refuse_large_loss, same_key
from pipelines.landing.clock import Clock
from pipelines.landing.stage import STAGED, Staged, stage
from pipelines.landing.withheld import keep_withheld_keys
from pipelines.sources.declared import DatasetSource
from warehouse.identifiers import quoted

log = logging.getLogger(__name__)
_LOOKS = 3


def look_again(connection: duckdb.DuckDBPyConnection, entry: DatasetSource, staged: Staged, clock: Clock) -> Staged:
    """Look again as often as needed; returns what is staged at last, and fills `GONE` for a whole table.

    Raises:
        UnreadableDelivery: rows move between the pages in every look, or more keys would be deleted than allowed.
        PullError: the source does not answer a second time.
    """
    batch = staged.batch
    if batch.mode == "append":
        return staged
    _remember(connection, staged, anew=True)
    gone, is_shifting = _gone(connection, staged), _is_shifting(connection, staged)
    if batch.again is not None and (gone or is_shifting):
        for look in range(2, _LOOKS + 1):
            log.info("%s: look %d: %s", entry.dataset, look, "keys stand twice" if is_shifting else "keys are missing")
            _remember(connection, staged)
            batch = batch.again()
            try:
                staged = stage(connection, staged.contract, entry, batch, clock)
            finally:
                batch.release()
            fallen = _fallen_out(connection, staged)
            is_shifting = is_shifting or _is_shifting(connection, staged)
            if not is_shifting or not fallen:
                break
        else:
            raise UnreadableDelivery(
                f"the pages shift while they are read: {fallen} keys came in one look and not in another, in each of"
                f" {_LOOKS} looks. Fix: ask the provider for pages in a fixed order (`params`), or pull at a quiet time"
            )
        gone = _gone(connection, staged)
    if gone:
        _refuse_many(connection, entry, staged, gone)
    return staged


def _remember(connection: duckdb.DuckDBPyConnection, staged: Staged, *, anew: bool = False) -> None:
    """Add the keys of this look to those that were seen."""
    keys = ", ".join(quoted(k) for k in staged.contract.key)
    if anew:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {SEEN} AS SELECT {keys} FROM {STAGED} WHERE false")
    else:
        connection.execute(f"INSERT INTO {SEEN} SELECT DISTINCT {keys} FROM {STAGED}")


def _gone(connection: duckdb.DuckDBPyConnection, staged: Staged) -> int:
    if staged.batch.mode != "whole_table" or not staged.batch.position:
        return 0
    return fill_gone(connection, staged) - keep_withheld_keys(connection, staged.contract)


def _is_shifting(connection: duckdb.DuckDBPyConnection, staged: Staged) -> bool:
    """Whether a key stands twice in an answer of several pages: a row that moved was read on both sides."""
    if staged.batch.is_one_answer:
        return False
    keys = ", ".join(quoted(k) for k in staged.contract.key)
    return bool(
        connection.execute(
            f"SELECT 1 FROM {STAGED} WHERE ({keys}) IS NOT NULL AND _refused IS NULL"
            f" GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
        ).fetchall()
    )


def _fallen_out(connection: duckdb.DuckDBPyConnection, staged: Staged) -> int:
    """Keys that an earlier look had and this one lacks."""
    ((count,),) = connection.execute(
        f"SELECT count(*) FROM (FROM {SEEN} h ANTI JOIN {STAGED} s ON {same_key(staged.contract)})"
    ).fetchall()
    return int(count)


def _refuse_many(connection: duckdb.DuckDBPyConnection, entry: DatasetSource, staged: Staged, gone: int) -> None:
    """A table that suddenly lacks many keys is more often a broken source than a city that lost them."""
    ((count,),) = connection.execute(f"SELECT count(*) FROM {STAGED}").fetchall()
    if not count:
        return  # judged by `may_be_empty`
    keys = ", ".join(quoted(k) for k in staged.contract.key)
    newest = newest_rows(f"SELECT * FROM lake.raw.{staged.contract.name}", keys)
    ((held,),) = connection.execute(f"SELECT count(*) FROM ({newest}) WHERE NOT _is_deleted").fetchall()
    refuse_large_loss(gone, held, entry.deletes_allowed)
