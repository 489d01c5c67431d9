"""Opening the lake: one way to read it, one way to write to it.

Reading never blocks and is never blocked: a reader sees the snapshot of its statement. Writing takes the
writer's turn (`turn`), which keeps other processes and, with a PostgreSQL catalogue, other hosts out; it runs in one
transaction, is done again when a writer without the turn came first, and leaves nothing behind when it fails.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import duckdb
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from warehouse.errors import LakeError, WriteConflict
from warehouse.identifiers import literal
from warehouse.lake.engine import engine_threads
from warehouse.lake.extensions import connect, load_extensions
from warehouse.lake.identity import check_identity, refuse_foreign
from warehouse.lake.layout import check_layout, ensure_layout, is_laid_out
from warehouse.lake.storage import explained
from warehouse.lake.turn import writer_turn
from warehouse.settings import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

WRITE_ATTEMPTS = 8
# DuckLake and its catalogue report a lost race only as text.
_CONFLICT = re.compile(
    r"conflict|database is locked|could not serialize|deadlock|restart transaction|duplicate key", re.IGNORECASE
)


@dataclass(frozen=True)
class Attachment:
    """What ATTACH needs for one lake; dbt's profile uses the same values."""

    target: str
    data_path: str
    is_sqlite: bool

    def sql(self, *, read_only: bool, snapshot: int | None = None, create: bool = True) -> str:
        """The ATTACH statement under the alias `lake`.

        `snapshot` pins every table to that version; without `create` a catalogue that is not there is an error.
        """
        # The catalogue remembers where the data lay when the lake was made. They may have been moved, and hosts may
        # see them at different places: that they are this lake's is told by `identity`.
        options = [f"DATA_PATH {literal(self.data_path)}", "OVERRIDE_DATA_PATH true"]
        if self.is_sqlite:
            # Without WAL a reader stalls the writer and either may see "database is locked".
            options += ["META_JOURNAL_MODE 'WAL'", "META_BUSY_TIMEOUT 30000"]
        if read_only:
            options.append("READ_ONLY")
        if snapshot is not None:
            options.append(f"SNAPSHOT_VERSION {snapshot:d}")
        if not create:
            options.append("CREATE_IF_NOT_EXISTS false")
        return f"ATTACH {literal(self.target)} AS lake ({', '.join(options)})"


def attachment(settings: Settings) -> Attachment:
    """How the lake of these settings is attached."""
    home = settings.home_path
    catalogue = f"postgres:{settings.catalog}" if settings.uses_postgresql else f"sqlite:{home}/catalog.sqlite"
    return Attachment(f"ducklake:{catalogue}", f"{home}/data/", not settings.uses_postgresql)


def lake_exists(settings: Settings) -> bool:
    """Whether something has been written to this lake before."""
    catalogue = settings.home_path / "catalog.sqlite"
    return settings.uses_postgresql or (catalogue.exists() and catalogue.stat().st_size > 0)


@contextmanager
def open_lake(
    settings: Settings, *, read_only: bool = False, spatial: bool = True
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB session with the lake attached as `lake`; its temporary files live in the lake's home.

    A session that may write still does so only through `transact`. `spatial` loads the functions on geometries.

    Raises:
        LakeError: the lake is not there (reading), belongs to another city, its catalogue is unreachable, gone, or
            of another lake than the data.
        StorageError: the disk is full, may not be written to, or gives back something damaged.
    """
    if read_only and not lake_exists(settings):
        refuse_foreign(settings)
        raise _no_lake_yet(settings)
    connection = connect()
    try:
        spill = settings.home_path / "spill"
        spill.mkdir(parents=True, exist_ok=True)
        catalogue = "postgres_scanner" if settings.uses_postgresql else "sqlite_scanner"
        load_extensions(connection, ("ducklake", catalogue, *(("spatial",) if spatial else ())))
        connection.execute(f"SET memory_limit = {literal(settings.memory)}")
        connection.execute(f"SET threads = {engine_threads(settings)}")
        connection.execute(f"SET temp_directory = {literal(str(spill))}")
        connection.execute("SET TimeZone = 'UTC'")
        _attach(connection, settings, read_only=read_only)
        check_identity(connection, settings, read_only=read_only)
        if not read_only and not is_laid_out(connection):
            transact(connection, settings, lambda c: _lay_out(c, settings), message="layout")
        check_layout(connection, settings.city)
        yield connection
    except (duckdb.Error, OSError) as error:
        trouble = explained(error, settings)
        if trouble is None:
            raise
        raise trouble from None
    finally:
        connection.close()


def pin_snapshot(connection: duckdb.DuckDBPyConnection, settings: Settings, snapshot: int) -> None:
    """Turn a read-only session to one snapshot: every table and view is then seen as of that snapshot id."""
    connection.execute("DETACH lake")
    connection.execute(attachment(settings).sql(read_only=True, snapshot=snapshot, create=False))


def _attach(connection: duckdb.DuckDBPyConnection, settings: Settings, *, read_only: bool) -> None:
    how = attachment(settings)
    try:
        try:
            connection.execute(how.sql(read_only=read_only, create=False))
        except duckdb.Error:
            if read_only:
                raise
            # Two processes must not both create the catalogue. That its file or database is there says nothing:
            # another process may be filling it right now. Holding the turn, that process has finished.
            with writer_turn(settings):
                _attach_or_create(connection, settings)
    except duckdb.Error as error:
        if read_only and _is_absent(error):
            refuse_foreign(settings)
            raise _no_lake_yet(settings) from None
        trouble = explained(error, settings)
        raise trouble or LakeError(
            "the catalogue cannot be opened: " + without_secrets(str(error), settings),
            where=str(settings.home_path),
            fix="check GRIDLAKE_HOME and GRIDLAKE_CATALOG",
        ) from None


def _attach_or_create(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    how = attachment(settings)
    try:
        connection.execute(how.sql(read_only=False, create=False))
    except duckdb.Error as error:
        if not _is_absent(error):
            raise
        refuse_foreign(settings)
        connection.execute(how.sql(read_only=False))


def _is_absent(error: duckdb.Error) -> bool:
    return "creating a new DuckLake is explicitly disabled" in str(error)


def _lay_out(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    # DuckLake would keep few rows in the catalogue instead of a file. Moving them out later (a flush) makes a query
    # that runs at that moment on a SQLite catalogue silently miss them, and on PostgreSQL may fail it (ducklake issue
    # 1413). Small files, which maintenance merges, are safe. It is the lake's own option, before its first table: it
    # then holds for every tool, and no table gets a place for such rows, for which a session that reads the table for
    # the first time would read the whole catalogue (50 ms a table).
    connection.execute("CALL lake.set_option('data_inlining_row_limit', 0)")
    ensure_layout(connection, settings.city)


def _no_lake_yet(settings: Settings) -> LakeError:
    return LakeError("there is no lake yet", where=str(settings.home_path), fix="run `gridlake run` first")


def without_secrets(text: str, settings: Settings) -> str:
    """The text with every secret of the settings blotted out."""
    return settings.blotted(text)


def transact(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    work: Callable[[duckdb.DuckDBPyConnection], T],
    *,
    message: str,
) -> T:
    """Run `work` in one lake transaction under the writer's turn and return what it returns.

    `work` may run several times (a conflict rolls it back whole), so it must have no effect outside the
    lake. `message` is kept with the snapshot.

    Raises:
        WriteConflict: other writers came first `WRITE_ATTEMPTS` times; nothing was written.
        Exception: whatever `work` raised; nothing was written.
    """
    retrying = Retrying(
        stop=stop_after_attempt(WRITE_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.05, max=5),
        retry=retry_if_exception(_is_conflict),
    )
    try:
        with writer_turn(settings):
            result: T = retrying(_once, connection, settings, work, message)
            return result
    except RetryError as error:
        cause = error.last_attempt.exception()
        raise WriteConflict(
            f"gave up after {WRITE_ATTEMPTS} attempts: " + without_secrets(str(cause), settings),
            where=message,
            fix="run it again when the other writer has finished",
        ) from cause


def _once(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    work: Callable[[duckdb.DuckDBPyConnection], T],
    message: str,
) -> T:
    connection.execute("BEGIN")
    try:
        result = work(connection)
        # Quoted, not bound: the first bound value in a process makes DuckDB import pandas, a second of CPU.
        connection.execute(f"CALL lake.set_commit_message('gridlake', {literal(message)})")
        connection.execute("COMMIT")
    except BaseException:
        _rollback(connection)
        raise
    return result


def _rollback(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        # A failed COMMIT has already ended the transaction.
        log.debug("nothing left to roll back")


def _is_conflict(error: BaseException) -> bool:
    return isinstance(error, duckdb.Error) and bool(_CONFLICT.search(str(error)))


def next_load_seq(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the next landing transaction, greater than all before; call it inside `transact`.

    The number is taken by changing a row. Two transactions that took the same one would both change that row, so
    DuckLake refuses the later and it is done again: two appends would meet without a conflict.
    """
    connection.execute("UPDATE lake.ops.sequence SET load_seq = load_seq + 1")
    ((number,),) = connection.execute("SELECT load_seq FROM lake.ops.sequence").fetchall()
    return int(number)
