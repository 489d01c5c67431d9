"""The lake is written whole or not at all, by several writers, beside readers."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import duckdb
import pytest

from tests.unit.warehouse.helpers import finish, line, python, read, stopped_at_the_end, write
from warehouse.errors import LakeError, WriteConflict
from warehouse.lake import host_turn
from warehouse.lake import session as lake
from warehouse.lake.extensions import connect
from warehouse.lake.maintenance import maintain
from warehouse.lake.session import open_lake, transact
from warehouse.lake.turn import writer_turn
from warehouse.settings import Settings, load_settings

# More rows than DuckLake inlines, so that files are written too.
BATCH = 50
PAIR = ("CREATE TABLE lake.core.a (i BIGINT, n BIGINT)", "CREATE TABLE lake.core.b (i BIGINT, n BIGINT)")
INSERT_PAIR = f"""
def work(c, i):
    c.execute(f"INSERT INTO lake.core.a SELECT {{i}}, n FROM range({BATCH}) AS r(n)")
    c.execute(f"INSERT INTO lake.core.b SELECT {{i}}, n FROM range({BATCH}) AS r(n)")
"""
BATCHES = "SELECT i, count(*), sum(n) FROM lake.core.{} GROUP BY i ORDER BY i"


def test_reading_a_lake_that_is_not_there_says_so(settings: Settings) -> None:
    with pytest.raises(LakeError, match="no lake yet"), open_lake(settings, read_only=True):
        pass
    with pytest.raises(LakeError, match="no lake yet"):
        maintain(settings)


def test_lake_of_another_city_is_refused(settings: Settings) -> None:
    write(settings, "SELECT 1")
    other = load_settings(city="elsewhere", home=settings.home, catalog=settings.catalog)
    with pytest.raises(LakeError, match=r"GRIDLAKE_CITY.*holds the city 'demo'"):
        write(other, "SELECT 1")


def test_work_is_committed_with_its_message_and_value(settings: Settings) -> None:
    with open_lake(settings) as connection:
        value = transact(
            connection, settings, lambda c: c.execute("CREATE TABLE lake.core.t AS SELECT 7 AS n") and 5, message="七"
        )
    assert value == 5
    assert read(settings, "SELECT n FROM lake.core.t") == [(7,)]
    assert read(settings, "SELECT commit_message FROM lake.snapshots() ORDER BY snapshot_id DESC LIMIT 1") == [("七",)]


def test_failing_work_leaves_nothing_and_the_session_goes_on(settings: Settings) -> None:
    write(settings, *PAIR)

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("INSERT INTO lake.core.a SELECT 1, n FROM range(50) AS r(n)")
        connection.execute("CREATE TABLE lake.core.half (n BIGINT)")
        raise KeyError("half way")

    with open_lake(settings) as connection:
        with pytest.raises(KeyError, match="half way"):
            transact(connection, settings, work, message="fails")
        transact(connection, settings, lambda c: c.execute("INSERT INTO lake.core.b VALUES (2, 2)"), message="works")
    assert read(settings, "FROM lake.core.a") == []
    assert read(settings, "FROM lake.core.b") == [(2, 2)]
    assert read(settings, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'half'") == [(0,)]


@pytest.mark.parametrize("point", ["between the tables", "before the commit"])
def test_writer_killed_in_its_transaction_leaves_nothing(settings: Settings, point: str) -> None:
    write(settings, *PAIR)
    process = python(
        settings,
        INSERT_PAIR
        + """
def killed(c):
    if sys.argv[2] == "between the tables":
        c.execute("INSERT INTO lake.core.a SELECT 1, n FROM range(50) AS r(n)")
    else:
        work(c, 1)
    die()
with open_lake(settings) as connection:
    transact(connection, settings, killed, message="killed")
""",
        point,
    )
    assert process.wait(timeout=60) == -9
    process.communicate()
    assert read(settings, "FROM lake.core.a") == []
    assert read(settings, "FROM lake.core.b") == []
    write(settings, "INSERT INTO lake.core.a VALUES (2, 2)")  # the dead writer's turn was given back


def test_writer_killed_anywhere_leaves_whole_transactions(settings: Settings) -> None:
    write(settings, *PAIR)
    code = (
        INSERT_PAIR
        + """
with open_lake(settings) as connection:
    for i in range(int(sys.argv[2]), 1000):
        transact(connection, settings, lambda c: work(c, i), message=str(i))
        say(i)
"""
    )
    told = -1
    for kills in range(1, 4):
        process = python(settings, code, str(told + 1))
        with stopped_at_the_end(process):
            for _ in range(kills):
                told = int(line(process))
            process.kill()  # wherever it is in the next transaction
        batches = read(settings, BATCHES.format("a"))
        assert batches == read(settings, BATCHES.format("b"))
        # The last one may have been committed without being told.
        assert len(batches) - 1 in (told, told + 1)
        assert batches == [(i, BATCH, BATCH * (BATCH - 1) // 2) for i in range(len(batches))]
        told = len(batches) - 1


def test_two_processes_may_create_the_lake_at_once(settings: Settings) -> None:
    code = """
say("ready")
sys.stdin.readline()
with open_lake(settings) as connection:
    transact(connection, settings, lambda c: c.execute(f"CREATE TABLE lake.core.{sys.argv[2]} (n INT)"), message="x")
"""
    first, second = python(settings, code, "one"), python(settings, code, "two")
    with stopped_at_the_end(first, second):
        for process in (first, second):
            assert line(process) == "ready"
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        finish(first)
        finish(second)
    assert read(settings, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'core' ORDER BY ALL") == [
        ("one",),
        ("two",),
    ]
    assert read(settings, "SELECT count(*) FROM lake.ops.lake") == [(1,)]


def test_two_writers_both_succeed_and_no_write_is_lost(settings: Settings) -> None:
    write(settings, "CREATE TABLE lake.core.t (n BIGINT)")
    code = """
with open_lake(settings) as connection:
    for _ in range(10):
        transact(
            connection,
            settings,
            lambda c: c.execute("INSERT INTO lake.core.t SELECT coalesce(max(n), 0) + 1 FROM lake.core.t"),
            message="count",
        )
"""
    first, second = python(settings, code), python(settings, code)
    with stopped_at_the_end(first, second):
        finish(first)
        finish(second)
    assert read(settings, "SELECT n FROM lake.core.t ORDER BY n") == [(n,) for n in range(1, 21)]


def test_lost_race_with_another_host_is_retried(postgres_settings: Settings) -> None:
    """Two processes without the turn, as two hosts are: the first one's commit meets the second one's."""
    write(postgres_settings, "CREATE TABLE lake.core.t AS SELECT 0 AS n")
    code = """
from contextlib import nullcontext
import warehouse.lake.session
warehouse.lake.session.writer_turn = lambda settings: nullcontext()
calls = []
def work(c):
    calls.append(1)
    c.execute("UPDATE lake.core.t SET n = n + 1")
    if len(calls) == 1 and sys.argv[2] == "waits":
        say("updated")
        sys.stdin.readline()
with open_lake(settings) as connection:
    transact(connection, settings, work, message="add")
say(len(calls))
"""
    waiting = python(postgres_settings, code, "waits")
    with stopped_at_the_end(waiting):
        assert line(waiting) == "updated"
        assert finish(python(postgres_settings, code, "goes")) == ["1"]
        assert finish(waiting) == ["2"]
    assert read(postgres_settings, "FROM lake.core.t") == [(2,)]


def test_writer_gives_up_after_its_attempts(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "WRITE_ATTEMPTS", 3)
    calls = []

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        calls.append(connection.execute("CREATE TABLE lake.core.t (n INT)"))
        raise duckdb.TransactionException("Transaction conflict")

    with open_lake(sqlite_settings) as connection, pytest.raises(WriteConflict, match="gave up after 3 attempts"):
        transact(connection, sqlite_settings, work, message="never")
    assert len(calls) == 3
    assert read(sqlite_settings, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 't'") == [(0,)]


def test_work_of_another_kind_of_failure_is_not_repeated(sqlite_settings: Settings) -> None:
    calls = []

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        calls.append(1)
        connection.execute("FROM lake.core.missing")

    with open_lake(sqlite_settings) as connection, pytest.raises(duckdb.CatalogException):
        transact(connection, sqlite_settings, work, message="never")
    assert calls == [1]


def test_turn_is_nested_in_a_thread_and_kept_from_other_processes(sqlite_settings: Settings, tmp_path: Path) -> None:
    code = """
from warehouse.lake.turn import writer_turn
say("started")
with writer_turn(settings):
    say(Path(sys.argv[2]).exists())
"""
    mark = tmp_path / "mark"
    with writer_turn(sqlite_settings):
        with writer_turn(sqlite_settings):
            pass
        other = python(sqlite_settings, code, str(mark))  # the inner turn has ended, the outer has not
        assert line(other) == "started"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=0.3)
        mark.touch()
    with stopped_at_the_end(other):
        assert finish(other) == ["True"]


def test_turn_is_kept_from_other_hosts_and_told_who_has_it(
    postgres_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another home over the same catalogue is another host: it does not see the file of the lock."""
    code = """
from warehouse.lake.turn import writer_turn
with writer_turn(settings):
    say("in")
    sys.stdin.readline()
"""
    other = python(postgres_settings.model_copy(update={"home": tmp_path / "other"}), code)
    with stopped_at_the_end(other), ThreadPoolExecutor() as pool:
        assert line(other) == "in"
        told: Queue[str] = Queue()
        monkeypatch.setattr(host_turn.log, "info", lambda text, *values: told.put(text % values))
        waiting = pool.submit(_take, postgres_settings)
        assert told.get(timeout=60).startswith("waiting for the writer's turn, which has `-c` on ")
        assert not waiting.done()
        other.kill()  # the server gives the turn back
        waiting.result(60)


def _take(settings: Settings) -> None:
    with writer_turn(settings):
        pass


def test_turn_outlives_that_the_database_ends_its_session(postgres_settings: Settings) -> None:
    end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = $$advisory$$"
    connection = connect(extensions=("postgres_scanner",))
    try:
        connection.execute(f"ATTACH '{postgres_settings.catalog}' AS pg (TYPE postgres)")
        for _ in range(2):
            with writer_turn(postgres_settings):
                assert connection.execute(f"FROM postgres_query('pg', '{end}')").fetchall() == [(True,)]
    finally:
        connection.close()


def test_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, catalog="postgresql://lake:geheim@127.0.0.1:9/lake")
    with pytest.raises(LakeError, match="GRIDLAKE_CATALOG: the catalogue's database cannot be reached") as caught:
        _take(settings)
    assert "geheim" not in str(caught.value)


def test_readers_beside_a_writer_see_whole_transactions(settings: Settings, tmp_path: Path) -> None:
    write(settings, *PAIR)
    stop = tmp_path / "stop"
    reading = """
seen = 0
with open_lake(settings, read_only=True) as connection:
    say("ready")
    while not Path(sys.argv[2]).exists():
        ((a, b),) = connection.execute(
            "SELECT (SELECT sum(i + n) FROM lake.core.a), (SELECT sum(i + n) FROM lake.core.b)"
        ).fetchall()
        assert a == b, (a, b)
        seen += 1
say(seen)
"""
    readers = [python(settings, reading, str(stop)) for _ in range(2)]
    with stopped_at_the_end(*readers):
        for reader in readers:
            assert line(reader) == "ready"
        with open_lake(settings) as connection:
            for i in range(20):
                transact(connection, settings, lambda c, i=i: _pair(c, i), message=str(i))
        stop.touch()
        counts = [int(finish(reader)[-1]) for reader in readers]
    assert min(counts) > 1


def _pair(connection: duckdb.DuckDBPyConnection, i: int) -> None:
    for table in ("a", "b"):
        connection.execute(
            f"INSERT INTO lake.core.{table} SELECT ?, n FROM range({BATCH if i % 2 else 3}) AS r(n)", [i]
        )
    if i % 5 == 0:
        for table in ("a", "b"):
            connection.execute(f"DELETE FROM lake.core.{table} WHERE n % 3 = 0")
