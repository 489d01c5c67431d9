"""Writing a staged batch: rows, quarantine, load records and watermark in one lake transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

import duckdb

from pipelines.connectors.batch import UnreadableDelivery
from pipelines.landing.books import compare_with_source
from pipelines.landing.changes import GONE, cursor_end, keys_held, mark_repeated, position_of, refuse_large_loss
from pipelines.landing.snapshots import gone_keys, leaves_gaps, mark_of, mark_superseded, of_register
from pipelines.landing.stage import DELIVERIES, ORIGINAL, REPEATED, RULES, STAGED, UNREADABLE, Staged
from pipelines.landing.tables import ensure_tables
from pipelines.landing.withheld import WITHHELD, mark_withheld
from pipelines.sources.declared import DatasetSource, SourceSystem
from quality.told import WITHDRAWN, label
from warehouse.errors import LakeError
from warehouse.identifiers import literal, optional_literal, quoted
from warehouse.lake.session import next_load_seq, transact
from warehouse.settings import Settings


@dataclass(frozen=True)
class Counts:
    """What one batch, or one data set, brought. `read = accepted + quarantined`, `fetched = read + repeated`."""

    delivery_count: int = 0
    fetched_count: int = 0
    repeated_count: int = 0
    read_count: int = 0
    accepted_count: int = 0
    quarantined_count: int = 0
    deleted_count: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Moment:
    """The numbers and times that one landing transaction stamps on its rows."""

    load_seq: int
    started_at: datetime
    loaded_at: datetime

    @property
    def stamp(self) -> str:
        """The two stamp columns as a select list."""
        return f"{self.load_seq} AS _load_seq, CAST({literal(self.loaded_at.isoformat())} AS TIMESTAMP) AS _loaded_at"


def commit(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    staged: Staged,
    *,
    entry: DatasetSource,
    started_at: datetime,
) -> Counts:
    """Write what is staged. Returns counts without a delivery, and writes nothing, where nothing is new.

    Raises:
        LakeError: another run pulled the same data set meanwhile; nothing was written.
        UnreadableDelivery: a whole table came empty although the lake holds rows of it, a snapshot lacks too many of
            the keys that the lake holds, or the reader brought other rows than a delivery holds.
    """
    cursor = entry.cursor
    contract, batch = staged.contract, staged.batch
    _collect_unreadable(connection, staged)
    told = compare_with_source(connection, batch)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {REPEATED} (row BIGINT)")
    for number, count in mark_withheld(connection, staged).items():
        told[number][WITHDRAWN] = count
    if batch.mode == "whole_table":
        _refuse_emptied(connection, lambda: keys_held(connection, contract), may_be_empty=entry.may_be_empty)
    if batch.mode != "append":
        mark_repeated(connection, staged, cursor)
    _summarise(connection, staged, entry, told)
    watermark = cursor_end(connection, contract, cursor, system.system, staged.latest, WITHHELD)

    def work(lake: duckdb.DuckDBPyConnection) -> Counts:
        if batch.mode != "append" and position_of(lake, system.system, contract.name) != batch.position:
            raise LakeError("another run landed this data set meanwhile", where=contract.name, fix="run it again")
        # Another run may have landed some of the files while this one was reading them, and a steward withdrawn them.
        lake.execute(
            f"CREATE OR REPLACE TEMP TABLE landing_now AS SELECT * FROM {DELIVERIES} WHERE delivery_id NOT IN"
            f" (SELECT delivery_id FROM lake.ops.load WHERE dataset = {literal(contract.name)}"
            f" UNION ALL SELECT delivery_id FROM lake.ops.withdrawn_load WHERE dataset = {literal(contract.name)})"
        )
        if not lake.execute("SELECT count(*) FROM landing_now").fetchall()[0][0]:
            return Counts()
        ensure_tables(lake, contract)
        moment = Moment(next_load_seq(lake), started_at, datetime.now(UTC).replace(tzinfo=None))
        leaves_gap = _fill_gone(lake, system, staged, entry)
        _insert_rows(lake, staged, moment)
        deleted = _insert_tombstones(lake, staged, moment) if leaves_gap else 0
        _record(lake, settings, system, staged, moment, watermark, deleted)
        if entry.snapshot:
            mark_superseded(lake, system.system, contract.name)
        _move_watermark(lake, system.system, contract.name, watermark, moment)
        return _totals(lake, deleted)

    if not _has_news(connection, staged):
        ((fetched,),) = connection.execute(f"SELECT coalesce(sum(fetched_count), 0) FROM {DELIVERIES}").fetchall()
        return Counts(fetched_count=int(fetched), repeated_count=int(fetched))
    return transact(connection, settings, work, message=f"land {contract.name}: {batch.deliveries[0].uri}")


def _fill_gone(lake: duckdb.DuckDBPyConnection, system: SourceSystem, staged: Staged, entry: DatasetSource) -> bool:
    """Whether a key that is missing is gone; the rows of those keys then stand in `GONE`."""
    batch, contract = staged.batch, staged.contract
    if batch.mode == "whole_table":
        return batch.position > 0
    mark = mark_of(entry, batch.deliveries[0])
    if mark is None or not leaves_gaps(entry, contract):
        return False
    held = keys_held(lake, contract, of_register(system.system, contract, mark.group))
    _refuse_emptied(lake, lambda: held, may_be_empty=entry.may_be_empty)
    uris = tuple(delivery.uri for delivery in batch.deliveries)
    lake.execute(f"CREATE OR REPLACE TEMP TABLE {GONE} AS {gone_keys(lake, system.system, contract, mark, uris)}")
    ((gone,),) = lake.execute(f"SELECT count(*) FROM {GONE} WHERE _is_held").fetchall()
    refuse_large_loss(gone, held, entry.deletes_allowed)
    return True


def _refuse_emptied(connection: duckdb.DuckDBPyConnection, held: Callable[[], int], *, may_be_empty: bool) -> None:
    """An emptied table or register is more often a broken source than a city without rows."""
    ((count,),) = connection.execute(f"SELECT count(*) FROM {STAGED}").fetchall()
    if count == 0 and not may_be_empty and held():
        raise UnreadableDelivery(
            "the table is empty although the lake holds rows of it. Fix: check the source; if it is right,"
            " set `may_be_empty: true` in the source file"
        )


def _collect_unreadable(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Keep the rows the reader could not split; `readable_before` places the readable ones around them."""
    found = staged.batch.unreadable(connection)
    nothing = "SELECT 0 AS _file, 0 AS record, '' AS text, '' AS problem WHERE false"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {UNREADABLE} AS SELECT *, record - rank AS readable_before"
        " FROM (SELECT *, row_number() OVER (PARTITION BY _file ORDER BY record) AS rank"
        f" FROM ({found or nothing}))"
    )


def _summarise(
    connection: duckdb.DuckDBPyConnection, staged: Staged, entry: DatasetSource, told: list[dict[str, int]]
) -> None:
    """One row a delivery: its identity, what was counted of it, and what is told of it (by delivery)."""
    deliveries = staged.batch.deliveries
    dataset = staged.contract.name
    marks = [mark_of(entry, delivery) for delivery in deliveries]
    listing = json.dumps(
        [
            {
                "_file": number,
                "delivery_id": d.delivery_id(dataset),
                "uri": d.uri,
                "content_hash": d.content_hash,
                "size_bytes": d.size_bytes,
                "modified_ns": d.modified_ns,
                "snapshot_group": mark.group if mark else None,
                "snapshot_order": mark.order if mark else None,
                "has_gap_marks": leaves_gaps(entry, staged.contract) if mark else None,
                "told": json.dumps({label(kind): count for kind, count in counts.items()}),
            }
            for number, (d, mark, counts) in enumerate(zip(deliveries, marks, told, strict=True))
        ],
        ensure_ascii=False,
    )
    # As JSON and not as an Arrow table: turning Python lists into Arrow makes pyarrow import pandas, 1 s of CPU.
    kind = (
        "STRUCT(_file INTEGER, delivery_id VARCHAR, uri VARCHAR, content_hash VARCHAR,"
        " size_bytes BIGINT, modified_ns BIGINT, snapshot_group VARCHAR, snapshot_order VARCHAR, has_gap_marks BOOLEAN,"
        " told VARCHAR)[]"
    )
    rows = f"SELECT unnest(CAST(CAST({literal(listing)} AS JSON) AS {kind}), recursive := true)"
    if staged.batch.mode == "append" and not any(WITHDRAWN in counts for counts in told):
        is_repeated, joined = "false", ""
    else:
        is_repeated, joined = "p.row IS NOT NULL", f"LEFT JOIN {REPEATED} p ON p.row = s.rowid"
    fixes = _count_bits(f"NOT ({is_repeated}) AND _fixed", staged.fix_labels)
    warnings = _count_bits(f"NOT ({is_repeated}) AND _warned", tuple(c.rule for c in staged.compiled.warnings))
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE {DELIVERIES} AS
        SELECT l.* EXCLUDE (told), coalesce(first_row, 0) AS first_row,
               coalesce(n, 0) + unreadable_count AS fetched_count,
               coalesce(repeated, 0) AS repeated_count, coalesce(accepted, 0) AS accepted_count,
               coalesce(refused, 0) + unreadable_count AS quarantined_count,
               coalesce(fixes, '{{}}') AS fix_counts,
               CASE WHEN told = '{{}}' THEN coalesce(warnings, '{{}}')
                    ELSE CAST(json_merge_patch(coalesce(warnings, '{{}}'), told) AS VARCHAR) END AS warning_counts
        FROM ({rows}) l
        LEFT JOIN (
            SELECT s._file, min(s.rowid) AS first_row, count(*) AS n,
                   count(*) FILTER ({is_repeated}) AS repeated,
                   count(*) FILTER (_refused IS NULL AND NOT ({is_repeated})) AS accepted,
                   count(*) FILTER (_refused IS NOT NULL AND NOT ({is_repeated})) AS refused,
                   {fixes} AS fixes, {warnings} AS warnings
            FROM {STAGED} s {joined} GROUP BY s._file
        ) c ON c._file = l._file
        CROSS JOIN LATERAL (SELECT count(*) AS unreadable_count FROM {UNREADABLE} u WHERE u._file = l._file) u
    """)


def _count_bits(mask: str, labels: tuple[str, ...]) -> str:
    """A JSON object `{label: rows with that bit}` as an aggregate."""
    if not labels:
        return "'{}'"
    pairs = ", ".join(f"{literal(label)}, count(*) FILTER ({mask} & {1 << n} > 0)" for n, label in enumerate(labels))
    return f"CAST(json_object({pairs}) AS VARCHAR)"


def _has_news(connection: duckdb.DuckDBPyConnection, staged: Staged) -> bool:
    if staged.batch.mode == "append":
        return True
    ((new,),) = connection.execute(
        f"SELECT coalesce(sum(accepted_count + quarantined_count), 0) FROM {DELIVERIES}"
    ).fetchall()
    if new or staged.batch.mode == "changes" or not staged.batch.position:
        return bool(new)
    ((gone,),) = connection.execute(f"SELECT count(*) FROM {GONE}").fetchall()
    return bool(gone)


def _insert_rows(lake: duckdb.DuckDBPyConnection, staged: Staged, moment: Moment) -> None:
    contract = staged.contract
    fields = ", ".join(quoted(f.name) for f in contract.fields)
    (present,) = lake.execute(
        f"SELECT (SELECT count(*) FROM {UNREADABLE}), (SELECT count(*) FROM {REPEATED}),"
        " coalesce(sum(accepted_count), 0), coalesce(sum(quarantined_count), 0) FROM landing_now"
    ).fetchall()
    unreadable, repeated, accepted, quarantined = (int(count) for count in present)
    without = f"ANTI JOIN {REPEATED} p ON p.row = s.rowid" if repeated else ""
    rows = (
        f"(SELECT s.*, d.delivery_id, s.rowid - d.first_row + 1 AS _ordinal FROM {STAGED} s"
        f" JOIN landing_now d ON d._file = s._file {without}) s"
    )
    ordinal = "_ordinal"
    if unreadable:
        # Every unreadable row that stood before moves a readable one down by one.
        before = f"SELECT _file, readable_before, max(rank) AS n FROM {UNREADABLE} GROUP BY _file, readable_before"
        rows += f" ASOF LEFT JOIN ({before}) u ON u._file = s._file AND s._ordinal > u.readable_before"
        ordinal = "_ordinal + coalesce(u.n, 0)"
    if accepted:
        lake.execute(
            f"INSERT INTO lake.raw.{contract.name}"
            f" ({fields}, _extra, _delivery_id, _delivery_no, _source_row, _load_seq, _loaded_at, _is_deleted)"
            f" SELECT {fields}, {staged.extra}, delivery_id, s._file, {ordinal}, {moment.stamp}, false FROM {rows}"
            + (" WHERE s._refused IS NULL" if quarantined else "")
        )
    if quarantined:
        lake.execute(
            f"INSERT INTO lake.quarantine.{contract.name}"
            " (original, broken_rules, _delivery_id, _source_row, _load_seq, _loaded_at)"
            f" SELECT {ORIGINAL}, {RULES}, delivery_id, {ordinal}, {moment.stamp} FROM {rows}"
            " WHERE s._refused IS NOT NULL"
            " UNION ALL SELECT CAST(json_object('line', text, 'problem', problem) AS VARCHAR), ['unreadable'],"
            f" d.delivery_id, u.record, {moment.stamp} FROM {UNREADABLE} u JOIN landing_now d ON d._file = u._file"
        )


def _insert_tombstones(lake: duckdb.DuckDBPyConnection, staged: Staged, moment: Moment) -> int:
    """Mark the keys that are gone at the source; the rows themselves stay, `raw` only ever grows."""
    fields = ", ".join(quoted(f.name) for f in staged.contract.fields)
    rows = lake.execute(
        f"INSERT INTO lake.raw.{staged.contract.name}"
        f" ({fields}, _extra, _delivery_id, _delivery_no, _source_row, _load_seq, _loaded_at, _is_deleted)"
        f" SELECT {fields}, _extra, first.delivery_id, first._file, NULL, {moment.stamp}, true"
        f" FROM {GONE} CROSS JOIN (SELECT delivery_id, _file FROM landing_now ORDER BY _file LIMIT 1) first"
    ).fetchall()
    return int(rows[0][0])


def _totals(lake: duckdb.DuckDBPyConnection, deleted: int) -> Counts:
    (row,) = lake.execute(
        "SELECT count(*), coalesce(sum(fetched_count), 0), coalesce(sum(repeated_count), 0),"
        " coalesce(sum(accepted_count + quarantined_count), 0), coalesce(sum(accepted_count), 0),"
        " coalesce(sum(quarantined_count), 0) FROM landing_now"
    ).fetchall()
    deliveries, fetched, repeated, read, accepted, quarantined = (int(value) for value in row)
    return Counts(deliveries, fetched, repeated, read, accepted, quarantined, deleted)


def _record(
    lake: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    staged: Staged,
    moment: Moment,
    watermark: str | None,
    deleted: int,
) -> None:
    """One row a delivery in `ops.load`; `deleted` keys went with the first of them.

    The unknown columns are those of the header, else those that `_extra` kept.
    """
    missing = _text_list(staged.missing_columns)
    if staged.unknown_columns is None and staged.has_extra:
        unknown = "coalesce(e.names, [])"
        kept = f"SELECT _file, unnest(json_keys(_extra)) AS name FROM {STAGED} WHERE _extra IS NOT NULL"
        joined = (
            f" LEFT JOIN (SELECT _file, list(DISTINCT name ORDER BY name) AS names FROM ({kept}) GROUP BY _file) e"
            " ON e._file = d._file"
        )
    else:
        unknown, joined = _text_list(staged.unknown_columns or ()), ""
    contract = staged.contract
    facts = (settings.city, system.system, contract.name, contract.version)
    names = ("city", "source", "dataset", "contract_version")
    known = ", ".join(f"{literal(text)} AS {name}" for text, name in zip(facts, names, strict=True))
    begin, end = optional_literal(staged.batch.cursor_from), optional_literal(watermark)
    lake.execute(
        f"""
        INSERT INTO lake.ops.load BY NAME
        SELECT delivery_id, {known}, uri, content_hash, size_bytes, modified_ns, fetched_count, repeated_count,
               accepted_count + quarantined_count AS read_count, accepted_count, quarantined_count,
               CASE WHEN d._file = (SELECT min(_file) FROM landing_now) THEN {deleted:d} ELSE 0 END AS deleted_count,
               fix_counts, warning_counts,
               {unknown} AS unknown_columns, {missing} AS missing_columns, {begin} AS cursor_from, {end} AS cursor_to,
               {moment.load_seq} AS load_seq, CAST({literal(moment.started_at.isoformat())} AS TIMESTAMP) AS started_at,
               CAST({literal(moment.loaded_at.isoformat())} AS TIMESTAMP) AS loaded_at,
               snapshot_group, snapshot_order, false AS is_superseded, has_gap_marks
        FROM landing_now d{joined}"""
    )


def _text_list(names: tuple[str, ...]) -> str:
    return f"CAST([{', '.join(literal(name) for name in names)}] AS VARCHAR[])"


def _move_watermark(
    lake: duckdb.DuckDBPyConnection, source: str, dataset: str, watermark: str | None, moment: Moment
) -> None:
    if watermark is None:
        return
    place = f"source = {literal(source)} AND dataset = {literal(dataset)}"
    lake.execute(f"DELETE FROM lake.ops.watermark WHERE {place}")
    values = f"{literal(source)}, {literal(dataset)}, {literal(watermark)}, min(delivery_id)"
    at = literal(moment.loaded_at.isoformat())
    lake.execute(
        "INSERT INTO lake.ops.watermark (source, dataset, cursor_value, delivery_id, updated_at)"
        f" SELECT {values}, {at} FROM landing_now"
    )
