"""Taking a delivery, or rows of it, back: out of `raw` and `quarantine` into the record, and back again.

What landed because of it goes with it, all in one transaction: marks that keys are gone, its place among the snapshots
of a register, the watermark of its source. Afterwards the lake is as if it had not come; later layers follow with the
next build. Does not belong here: that it does not come again by itself (`withheld`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from catalog.contract import Contract
from pipelines.connectors.files.connector import path_pattern
from pipelines.landing.deliveries import Delivered, DeliveryError, delivery_named
from pipelines.landing.effects import Effect, effect_of, remember
from pipelines.landing.row_names import any_of
from pipelines.landing.snapshots import leaves_gaps, mark_superseded
from pipelines.landing.tables import ensure_record
from pipelines.landing.tombstones import count_deletions, put_right, take_out, take_out_orphans
from pipelines.landing.watermark import settle_watermark
from pipelines.sources.declared import DatasetSource, SourceSystem
from quality.withdrawals import IN_FORCE, Withdrawal, withdrawals
from warehouse.identifiers import literal
from warehouse.lake.session import next_load_seq, open_lake, transact
from warehouse.settings import Settings

_RECORD_ONLY = "_withdrawal_seq, original, broken_rules"
_REFUSED = "original, broken_rules, _delivery_id, _source_row, _load_seq, _loaded_at"


@dataclass(frozen=True)
class Outcome:
    """What a withdrawal did, or would do; `effect` is None where it stood before and nothing was done."""

    delivery: Delivered
    withdrawal: Withdrawal
    effect: Effect | None


@dataclass(frozen=True)
class _Place:
    """A data set of a source as its files describe it now; `entry` is None where they no longer name it."""

    contract: Contract
    system: SourceSystem | None
    entry: DatasetSource | None


class _Tried(Exception):
    """Ends the transaction of a dry run; `outcome` is what it would have done."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__()


def withdraw(
    settings: Settings,
    systems: Sequence[SourceSystem],
    contracts: dict[str, Contract],
    delivery: str,
    *,
    reason: str,
    by: str,
    rows: Sequence[str] = (),
    dry_run: bool = False,
) -> Outcome:
    """Take a delivery back, or only the rows that are named (`row_names`); kept on record with who and why.

    Raises:
        DeliveryError: there is no such delivery or row, or no reason.
        LakeError: the lake cannot be written.
    """
    if not reason.strip():
        raise DeliveryError("is empty", where="--reason", fix="say why it is taken back; the text is kept and shown")
    with open_lake(settings) as connection:

        def work(lake: duckdb.DuckDBPyConnection) -> Outcome:
            named = delivery_named(lake, delivery)
            place = _place(systems, contracts, named)
            outcome = _withdrawn_before(lake, named, place, rows)
            if outcome is None:
                outcome = _withdraw(lake, settings, named, place, rows, reason.strip(), by)
            if dry_run:
                raise _Tried(outcome)
            return outcome

        try:
            return transact(connection, settings, work, message=f"withdraw {delivery}")
        except _Tried as tried:
            return tried.outcome


def undo(
    settings: Settings,
    systems: Sequence[SourceSystem],
    contracts: dict[str, Contract],
    number: int,
    *,
    reason: str,
    by: str,
) -> Withdrawal:
    """Bring back what a withdrawal took, as it had landed; it then counts again in the order of its landing.

    Returns the withdrawal as it stood before: one that had been undone before is left as it is.

    Raises:
        DeliveryError: there is no such withdrawal, or the whole delivery was withdrawn after its rows; or no reason.
        LakeError: the lake cannot be written.
    """
    if not reason.strip():
        raise DeliveryError("is empty", where="--reason", fix="say why it was right after all")
    with open_lake(settings) as connection:

        def work(lake: duckdb.DuckDBPyConnection) -> Withdrawal:
            found = withdrawals(lake, f"withdrawal_seq = {number:d}")
            if not found:
                raise DeliveryError(
                    "there is no such withdrawal", where="withdrawal", value=number, fix="`gridlake withdrawals list`"
                )
            (withdrawal,) = found
            if withdrawal.undone_seq is None:
                _undo(lake, settings, withdrawal, systems, contracts, reason.strip(), by)
            return withdrawal

        return transact(connection, settings, work, message=f"undo withdrawal {number}")


def _place(systems: Sequence[SourceSystem], contracts: dict[str, Contract], of: Delivered | Withdrawal) -> _Place:
    if of.dataset not in contracts:
        raise DeliveryError(
            "there is no contract of its data set any more",
            where=of.delivery_id,
            value=of.dataset,
            fix="bring the contract back; without it nobody knows what a row of it is",
        )
    system = next((s for s in systems if s.system == of.source), None)
    entries = [entry for entry in system.datasets if entry.dataset == of.dataset] if system else []
    if system is not None and system.files is not None:
        entries = [entry for entry in entries if path_pattern(entry.path).fullmatch(of.uri)]
    return _Place(contracts[of.dataset], system, entries[0] if entries else None)


def _withdrawn_before(
    lake: duckdb.DuckDBPyConnection, named: Delivered, place: _Place, rows: Sequence[str]
) -> Outcome | None:
    """The withdrawal that did all of this before, None where there is something left to do."""
    if named.withdrawal_seq is not None:
        (withdrawal,) = withdrawals(lake, f"withdrawal_seq = {named.withdrawal_seq:d}")
        return Outcome(named, withdrawal, None)
    if not rows:
        return None
    own = withdrawals(lake, f"{IN_FORCE} AND delivery_id = {literal(named.delivery_id)}")
    last: Withdrawal | None = None
    for name in rows:
        which = (
            f"_delivery_id = {literal(named.delivery_id)} AND NOT _is_deleted AND ({any_of(place.contract, [name])})"
        )
        if lake.execute(f"SELECT 1 FROM lake.raw.{place.contract.name} WHERE {which} LIMIT 1").fetchall():
            return None
        numbers = (
            lake.execute(
                f"SELECT max(_withdrawal_seq) FROM lake.withdrawn.{place.contract.name}"
                f" WHERE {which} AND broken_rules IS NULL"
            ).fetchall()
            if own
            else [(None,)]
        )
        if numbers[0][0] is None:
            raise DeliveryError(
                "the delivery has no such row in `raw`",
                where="--row",
                value=None if place.contract.personal_fields & set(place.contract.key) else name,
                fix="rows that were refused have no effect; look at `raw` and `quarantine` with `gridlake query`",
            )
        last = next(one for one in own if one.number == numbers[0][0])
    return None if last is None else Outcome(named, last, None)


def _withdraw(
    lake: duckdb.DuckDBPyConnection,
    settings: Settings,
    named: Delivered,
    place: _Place,
    rows: Sequence[str],
    reason: str,
    by: str,
) -> Outcome:
    contract, own = place.contract, f"_delivery_id = {literal(named.delivery_id)}"
    ensure_record(lake, contract)
    number, now = next_load_seq(lake), datetime.now(UTC).replace(tzinfo=None)
    which = f"{own} AND NOT _is_deleted AND ({any_of(contract, rows)})" if rows else own
    remember(lake, contract, named, which)
    ((held, deletions, numbers),) = lake.execute(
        "SELECT count(*) FILTER (NOT _is_deleted), count(*) FILTER (_is_deleted),"
        " list(_source_row ORDER BY _source_row) FILTER (NOT _is_deleted)"
        f" FROM lake.raw.{contract.name} WHERE {which}"
    ).fetchall()
    take_out(lake, contract, number, which)
    refused = 0
    if rows:
        lake.execute(
            f"UPDATE lake.ops.load SET withdrawn_count = coalesce(withdrawn_count, 0) + {held:d}"
            f" WHERE delivery_id = {literal(named.delivery_id)}"
        )
    else:
        refused = _take_out_refused(lake, contract, number, own)
        lake.execute(
            f"INSERT INTO lake.ops.withdrawn_load BY NAME SELECT *, {number:d} AS withdrawal_seq FROM lake.ops.load"
            f" WHERE delivery_id = {literal(named.delivery_id)}"
        )
        lake.execute(f"DELETE FROM lake.ops.load WHERE delivery_id = {literal(named.delivery_id)}")
    _put_in_order(lake, named.source, named.snapshot_group, place, number)
    watermark = settle_watermark(lake, settings, place.system, place.entry, contract, may_rise=False)
    places = f"CAST({[int(row) for row in numbers or []]} AS BIGINT[])" if rows else "NULL"
    lake.execute(
        "INSERT INTO lake.ops.withdrawal (withdrawal_seq, source, dataset, delivery_id, uri, is_pull, source_rows,"
        " reason, withdrawn_by, withdrawn_at, row_count, refused_count, deletion_count)"
        f" VALUES ({number:d}, {literal(named.source)}, {literal(named.dataset)}, {literal(named.delivery_id)},"
        f" {literal(named.uri)}, {named.is_pull}, {places}, {literal(reason)}, {literal(by)},"
        f" TIMESTAMP {literal(now.isoformat(sep=' '))}, {held:d}, {refused:d}, {deletions:d})"
    )
    (withdrawal,) = withdrawals(lake, f"withdrawal_seq = {number:d}")
    return Outcome(named, withdrawal, effect_of(lake, contract, watermark))


def _take_out_refused(lake: duckdb.DuckDBPyConnection, contract: Contract, number: int, own: str) -> int:
    table = f"lake.quarantine.{contract.name}"
    lake.execute(
        f"INSERT INTO lake.withdrawn.{contract.name} BY NAME"
        f" SELECT {_REFUSED}, {number:d} AS _withdrawal_seq FROM {table} WHERE {own}"
    )
    ((count,),) = lake.execute(f"DELETE FROM {table} WHERE {own}").fetchall()
    return int(count)


def _put_in_order(lake: duckdb.DuckDBPyConnection, source: str, group: str | None, place: _Place, number: int) -> None:
    """Bring what other deliveries say of the same keys to what holds without, or again with, what was moved."""
    contract = place.contract
    take_out_orphans(lake, contract, number)
    if group is not None:
        mark_superseded(lake, source, contract.name)
        if place.entry is not None and leaves_gaps(place.entry, contract):
            put_right(lake, source, contract, group, number)
    count_deletions(lake, contract)


def _undo(
    lake: duckdb.DuckDBPyConnection,
    settings: Settings,
    withdrawal: Withdrawal,
    systems: Sequence[SourceSystem],
    contracts: dict[str, Contract],
    reason: str,
    by: str,
) -> None:
    place, own = _place(systems, contracts, withdrawal), f"delivery_id = {literal(withdrawal.delivery_id)}"
    contract, record = place.contract, f"lake.withdrawn.{place.contract.name}"
    named = delivery_named(lake, withdrawal.delivery_id)
    if named.withdrawal_seq not in (None, withdrawal.number):
        raise DeliveryError(
            "the whole delivery was withdrawn after its rows",
            where=f"withdrawal {withdrawal.number}",
            value=named.withdrawal_seq,
            fix=f"undo that first: `gridlake withdrawals undo {named.withdrawal_seq}`",
        )
    number, now = next_load_seq(lake), datetime.now(UTC).replace(tzinfo=None)
    lake.execute(
        f"UPDATE lake.ops.withdrawal SET undone_seq = {number:d}, undo_reason = {literal(reason)},"
        f" undone_by = {literal(by)}, undone_at = TIMESTAMP {literal(now.isoformat(sep=' '))}"
        f" WHERE withdrawal_seq = {withdrawal.number:d}"
    )
    if withdrawal.source_rows is None:
        lake.execute(
            "INSERT INTO lake.ops.load BY NAME SELECT * EXCLUDE (withdrawal_seq)"
            f" FROM lake.ops.withdrawn_load WHERE {own}"
        )
        lake.execute(f"DELETE FROM lake.ops.withdrawn_load WHERE {own}")
    else:
        lake.execute(
            f"UPDATE lake.ops.load SET withdrawn_count = nullif(withdrawn_count - {withdrawal.row_count:d}, 0)"
            f" WHERE {own}"
        )
    # The marks that the withdrawal made necessary; those that still are come again.
    lake.execute(f"DELETE FROM lake.raw.{contract.name} WHERE _is_deleted AND _load_seq = {withdrawal.number:d}")
    # Also marks of other deliveries that went with an earlier one, and had to wait for their own to come back.
    back = (
        "_withdrawal_seq IN (SELECT withdrawal_seq FROM lake.ops.withdrawal WHERE undone_seq IS NOT NULL)"
        f" AND _delivery_id IN (SELECT delivery_id FROM lake.ops.load WHERE dataset = {literal(contract.name)})"
    )
    lake.execute(
        f"INSERT INTO lake.raw.{contract.name} BY NAME SELECT * EXCLUDE ({_RECORD_ONLY}) FROM {record}"
        f" WHERE {back} AND broken_rules IS NULL"
    )
    lake.execute(
        f"INSERT INTO lake.quarantine.{contract.name} BY NAME SELECT {_REFUSED} FROM {record}"
        f" WHERE {back} AND broken_rules IS NOT NULL"
    )
    lake.execute(f"DELETE FROM {record} WHERE {back}")
    _put_in_order(lake, withdrawal.source, named.snapshot_group, place, number)
    settle_watermark(lake, settings, place.system, place.entry, contract, may_rise=True)
