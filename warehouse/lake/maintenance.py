"""Upkeep of the lake: fewer and fuller files, no more history than is promised, nothing left lying about.

Each step is a transaction of its own under the writer's turn, so a kill at any point leaves a valid lake and
the next run goes on. Readers are never in the way: files that a running query may hold are kept for
`LONGEST_QUERY`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import literal, quoted
from warehouse.lake import layout
from warehouse.lake.history import UPKEEP_MESSAGE
from warehouse.lake.keeping import files_removable
from warehouse.lake.named_files import named_files
from warehouse.lake.session import open_lake, transact, without_secrets
from warehouse.lake.turn import writer_turn
from warehouse.settings import Settings

log = logging.getLogger(__name__)

LONGEST_QUERY = timedelta(days=1)
DEFAULT_RETENTION = timedelta(days=7)
# The share of deleted rows from which a file is rewritten; below about a third the rewriting costs more than the
# reading saves.
REWRITE_THRESHOLD = 0.3
# More orphans than these few and than this share of all files are not what killed runs leave.
FEW_ORPHANS = 20
MOST_ORPHANS = 0.1


@dataclass(frozen=True)
class MaintenanceReport:
    """What one run did. `failed` holds "step: reason" of the steps that were given up."""

    rewritten_files: int = 0
    merged_files: int = 0
    created_files: int = 0
    expired_snapshots: int = 0
    cleaned_files: int = 0
    orphaned_files: int = 0
    failed: tuple[str, ...] = ()


def maintain(
    settings: Settings,
    *,
    tables: Collection[str] | None = None,
    retention: timedelta = DEFAULT_RETENTION,
    orphan_age: timedelta = LONGEST_QUERY,
    orphans_anyway: bool = False,
    progress: Callable[[str], None] | None = None,
) -> MaintenanceReport:
    """Rewrite and merge table by table, then expire snapshots and remove files that nothing needs.

    Running it again without writes in between changes nothing. A step that DuckLake cannot do is reported and
    the others go on.

    Args:
        settings: the lake.
        tables: only these (`schema.table`), and then only the steps that belong to a table.
        retention: how long time travel reaches back; at least `LONGEST_QUERY`.
        orphan_age: how old an unknown file must be before it is taken for an orphan; at least `LONGEST_QUERY`,
            because a file of an insert that still runs is unknown too.
        orphans_anyway: remove unknown files also where they are more than killed runs leave, which else is refused.
        progress: is given one line before each step; the same line is logged.

    Raises:
        LakeError: there is no lake, a limit is too short, or a table is unknown.
    """
    _refuse_short("retention", retention)
    _refuse_short("orphan_age", orphan_age)
    with open_lake(settings, read_only=True) as connection:
        names = _tables(connection, tables)
    run = _Run(settings, progress or (lambda line: None))
    with run.session():
        for schema, table in names:
            with writer_turn(settings):
                run.rewrite(schema, table)
                run.merge(schema, table)
        if tables is None:
            run.expire(retention)
            with files_removable(settings) as is_removable:
                if is_removable:
                    run.clean()
                    run.remove_orphans(orphan_age, anyway=orphans_anyway)
                else:
                    run.tell("a backup is under way: no file is removed, the next run does it")
    return run.report


def _refuse_short(name: str, value: timedelta) -> None:
    if value < LONGEST_QUERY:
        raise LakeError(
            "is shorter than the longest query that is promised",
            where=name,
            value=str(value),
            fix=f"give at least {LONGEST_QUERY}",
        )


def _tables(connection: duckdb.DuckDBPyConnection, wanted: Collection[str] | None) -> list[tuple[str, str]]:
    rows = sorted(layout.tables(connection))
    if wanted is None:
        return rows
    known = {f"{schema}.{table}": (schema, table) for schema, table in rows}
    for name in wanted:
        if name not in known:
            raise LakeError("is not a table of the lake", where="tables", value=name, fix="name it schema.table")
    return sorted(known[name] for name in set(wanted))


def _refuse_many(orphans: int, named: int) -> None:
    """Refuse to remove what is rather another lake, or this one under a wrong catalogue, than what killed runs left."""
    total = orphans + named
    if orphans > FEW_ORPHANS and orphans > MOST_ORPHANS * total:
        raise LakeError(
            f"{orphans:,} of {total:,} data files ({100 * orphans / total:.0f} %) are unknown to the catalogue;"
            " none was removed",
            where="data",
            fix="is this the lake's newest catalogue? If killed runs left them, `gridlake maintain --orphans-anyway`",
        )


def _now() -> datetime:
    return datetime.now(UTC)


class _Run:
    """One run: its session, and the report that grows with each step."""

    def __init__(self, settings: Settings, progress: Callable[[str], None]) -> None:
        self.settings = settings
        self.report = MaintenanceReport()
        self._progress = progress
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._stack = ExitStack()

    @contextmanager
    def session(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._close()

    def tell(self, line: str) -> None:
        log.info("maintenance: %s", line)
        self._progress(line)

    def rewrite(self, schema: str, table: str) -> None:
        # Not by ducklake_rewrite_data_files: where one file holds only NULL in a column, it forgets the column's bounds
        # in the whole table, and takes those of the next insert for all rows. A later min, max or GROUP BY is then
        # wrong (DuckLake 1.0 of DuckDB 1.5.5). An insert only widens them.
        name = f"lake.{quoted(schema)}.{quoted(table)}"
        # DuckLake's list tells which files the table has, its catalogue how many rows are in them.
        files = f"ducklake_list_files('lake', {literal(table)}, schema => {literal(schema)})"
        to_rewrite = (
            f"SELECT parse_filename(f.data_file), (SELECT count(*) FROM {files}) FROM {files} AS f "
            "JOIN __ducklake_metadata_lake.ducklake_data_file AS d "
            "ON parse_filename(f.data_file) = parse_filename(d.path) "
            "JOIN __ducklake_metadata_lake.ducklake_delete_file AS x "
            "ON parse_filename(f.delete_file) = parse_filename(x.path) "
            f"WHERE x.delete_count >= {REWRITE_THRESHOLD} * d.record_count"
        )

        def work(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
            found = connection.execute(to_rewrite).fetchall()
            if found:
                among = f"parse_filename(filename) IN ({', '.join(literal(file) for file, _ in found)})"
                connection.execute(f"INSERT INTO {name} SELECT * FROM {name} WHERE {among}")
                connection.execute(f"DELETE FROM {name} WHERE {among}")
            return found

        rewritten = self._step(f"rewrite {schema}.{table}", work)
        if rewritten:
            ((now,),) = self._opened().execute(f"SELECT count(*) FROM {files}").fetchall()
            kept = rewritten[0][1] - len(rewritten)
            self._count(rewritten_files=len(rewritten), created_files=now - kept)

    def merge(self, schema: str, table: str) -> None:
        rows = self._call(
            f"merge {schema}.{table}",
            f"CALL ducklake_merge_adjacent_files('lake', {literal(table)}, schema => {literal(schema)})",
        )
        self._count(merged_files=sum(row[2] for row in rows), created_files=sum(row[3] for row in rows))

    def expire(self, retention: timedelta) -> None:
        rows = self._call("expire", f"CALL ducklake_expire_snapshots('lake', older_than => {_before(retention)})")
        self._count(expired_snapshots=len(rows))

    def clean(self) -> None:
        # Counted from when the file was given up, so a reader that planned its scan just before still finds it.
        rows = self._call("clean", f"CALL ducklake_cleanup_old_files('lake', older_than => {_before(LONGEST_QUERY)})")
        self._count(cleaned_files=len(rows))

    def remove_orphans(self, age: timedelta, *, anyway: bool) -> None:
        # Never `cleanup_all`: it takes the files of inserts that still run.
        call = f"CALL ducklake_delete_orphaned_files('lake', older_than => {_before(age)}"

        def work(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
            if not anyway:
                orphans = len(connection.execute(f"{call}, dry_run => true)").fetchall())
                _refuse_many(orphans, len(named_files(connection, self.settings)))
            return connection.execute(f"{call})").fetchall()

        self._count(orphaned_files=len(self._step("orphans", work)))

    def _call(self, label: str, sql: str) -> list[tuple[Any, ...]]:
        return self._step(label, lambda connection: connection.execute(sql).fetchall())

    def _step(
        self, label: str, work: Callable[[duckdb.DuckDBPyConnection], list[tuple[Any, ...]]]
    ) -> list[tuple[Any, ...]]:
        self.tell(label)
        try:
            return transact(self._opened(), self.settings, work, message=UPKEEP_MESSAGE + label)
        except (duckdb.Error, LakeError) as error:
            reason = without_secrets(str(error), self.settings).partition("\n")[0]
            log.warning("maintenance: %s failed: %s", label, reason)
            self.report = replace(self.report, failed=(*self.report.failed, f"{label}: {reason}"))
            # An internal error of DuckLake leaves the whole DuckDB instance unusable (ducklake issues 1025, 1419).
            self._close()
            return []

    def _count(self, **more: int) -> None:
        counts = {name: getattr(self.report, name) + count for name, count in more.items()}
        self.report = replace(self.report, **counts)

    def _opened(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._stack.enter_context(open_lake(self.settings))
        return self._connection

    def _close(self) -> None:
        self._connection = None
        self._stack.close()


def _before(age: timedelta) -> str:
    return f"TIMESTAMPTZ {literal((_now() - age).isoformat())}"
