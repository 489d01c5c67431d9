"""The writer's turn among hosts: an advisory lock in the PostgreSQL database that is the lake's catalogue.

The lock belongs to an open transaction of a session that does nothing else, so the server gives it back when the
session ends: also when its process is killed. DuckDB's own client is used, because it reads the address exactly as
it does for the catalogue (sockets, TLS, password files). A transaction is tied to one connection, so the client's pool
cannot mix it up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import literal
from warehouse.lake.extensions import connect
from warehouse.settings import Settings

log = logging.getLogger("gridlake")
# Advisory locks are counted for each database, and one database is the catalogue of one lake.
_KEY = 0x6772_6964_6C61_6B65
# How long one request waits: the client cannot be interrupted meanwhile.
_WAIT_MILLISECONDS = 5000
_SET_UP = (
    # Else the open transaction would hold back the server's vacuum.
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    # A build takes minutes, in which this session is silent.
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL statement_timeout = 0",
    # A host that lost its power never ends its session: the server finds out after a minute and a half.
    "SET LOCAL tcp_keepalives_idle = 60",
    "SET LOCAL tcp_keepalives_interval = 10",
    "SET LOCAL tcp_keepalives_count = 3",
    f"SET LOCAL lock_timeout = {_WAIT_MILLISECONDS}",
)
_TRY = f"SELECT pg_try_advisory_xact_lock({_KEY})"
_TAKE = f"SELECT pg_advisory_xact_lock({_KEY})::text"
_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'"
    f" AND l.granted AND (l.classid::bigint << 32) + l.objid::bigint = {_KEY}"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# Opening a session costs more than the lock: each thread keeps its own.
_sessions = threading.local()


@contextmanager
def host_turn(settings: Settings, me: str) -> Iterator[None]:
    """Wait for the lock, hold it for the block, give it back. `me` is told to those who wait.

    Raises:
        LakeError: the database cannot be reached.
    """
    try:
        session = _locked(settings, me)
    except duckdb.Error as error:
        _forget(settings)
        raise LakeError(
            "the catalogue's database cannot be reached: " + settings.blotted(str(error)).strip().partition("\n")[0],
            where="GRIDLAKE_CATALOG",
            fix="is PostgreSQL up, and is the address right?",
        ) from None
    try:
        yield
    finally:
        try:
            session.execute("ROLLBACK")
        except duckdb.Error:
            # What was written is safe: DuckLake refuses what another host's writer has overtaken.
            log.warning("the connection to the catalogue's database was lost while writing")
            _forget(settings)


def _locked(settings: Settings, me: str) -> duckdb.DuckDBPyConnection:
    """The thread's session in a transaction that holds the lock."""
    session = _session(settings)
    try:
        _begin(session, me)
    except duckdb.Error:
        # The server may have been started again since the session was last used.
        _forget(settings)
        session = _session(settings)
        _begin(session, me)
    if _ask(session, _TRY) == [(True,)]:
        return session
    is_told = False
    while True:
        try:
            _ask(session, _TAKE)
        except duckdb.Error as error:
            if "lock timeout" not in str(error):
                raise
        else:
            return session
        session.execute("ROLLBACK")
        _begin(session, me)
        if not is_told:
            holders = _ask(session, _HOLDER)
            log.info("waiting for the writer's turn, which has %s", holders[0][0] if holders else "another host")
            is_told = True


def _session(settings: Settings) -> duckdb.DuckDBPyConnection:
    sessions: dict[str, duckdb.DuckDBPyConnection] = _sessions.__dict__.setdefault("by_address", {})
    if settings.catalog not in sessions:
        session = connect(extensions=("postgres_scanner",))
        session.execute("SET threads = 1")
        session.execute(f"ATTACH {literal(settings.catalog)} AS turn (TYPE postgres)")
        sessions[settings.catalog] = session
    return sessions[settings.catalog]


def _forget(settings: Settings) -> None:
    session = _sessions.__dict__.get("by_address", {}).pop(settings.catalog, None)
    if session is not None:
        with suppress(duckdb.Error):
            session.execute("ROLLBACK")
        session.close()


def _begin(session: duckdb.DuckDBPyConnection, me: str) -> None:
    session.execute("BEGIN")
    # The server cuts a name after 63 bytes; it shows the beginning to whoever waits.
    for statement in (*_SET_UP, f"SET LOCAL application_name = {literal(me)}"):
        session.execute(f"CALL postgres_execute('turn', {literal(statement)})")


def _ask(session: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    return session.execute(f"FROM postgres_query('turn', {literal(sql)})").fetchall()
