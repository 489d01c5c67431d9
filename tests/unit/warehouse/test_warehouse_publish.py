"""A serving file is switched whole, kept while it is read, and not written for nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from tests.unit.warehouse.helpers import finish, line, python, read, read_file, stopped_at_the_end, write
from warehouse.errors import LakeError
from warehouse.lake import maintenance
from warehouse.lake.maintenance import maintain
from warehouse.lake.session import open_lake, transact
from warehouse.serving.publish import current, publish, serving_folder
from warehouse.settings import Settings, load_settings

TABLES = {"cases": "core.t", "closed": "SELECT n FROM lake.core.v WHERE n > 1"}


def fill(settings: Settings) -> None:
    write(
        settings,
        "CREATE TABLE lake.core.t AS SELECT n, ST_Point(n, n) AS place FROM range(2) AS r(n)",
        "INSERT INTO lake.core.t SELECT 2, ST_Point(2, 2)",
        "CREATE TABLE lake.core.other (n BIGINT)",
        "CREATE VIEW lake.core.v AS WITH own AS (FROM lake.core.t) SELECT n FROM own",
    )


def files(settings: Settings) -> set[str]:
    return {path.name for path in serving_folder(settings).iterdir() if not path.name.endswith(".lock")}


@pytest.fixture(scope="module")
def published() -> Iterator[Settings]:
    """A lake with one publication, for tests that change neither."""
    folder = Path(tempfile.mkdtemp(prefix="gridlake-publish-"))
    settings = load_settings(home=folder / "home", memory="600MB")
    fill(settings)
    publish(settings, "city", TABLES)
    yield settings
    shutil.rmtree(folder)


def test_published_file_holds_the_tables_and_tells_its_version(settings: Settings) -> None:
    fill(settings)
    new = publish(settings, "city", TABLES)
    link = serving_folder(settings) / "city.duckdb"
    assert link.resolve() == new.path
    assert not link.readlink().is_absolute()  # the home may be moved
    assert read_file(link, "SELECT n FROM cases ORDER BY n") == [(0,), (1,), (2,)]
    assert read_file(link, "FROM closed") == [(2,)]
    snapshot = read(settings, "SELECT max(snapshot_id), max(snapshot_time) FROM lake.snapshots()")[0]
    assert read_file(link, "SELECT name, version, snapshot_id, snapshot_at, published_at FROM _publication") == [
        ("city", new.version, snapshot[0], snapshot[1].replace(tzinfo=None), new.published_at.replace(tzinfo=None))
    ]
    # Readers are shown the city's own time.
    city_time = [(moment.replace(tzinfo=None) + timedelta(hours=8)) for moment in (snapshot[1], new.published_at)]
    shown = read_file(link, "SELECT snapshot_at, published_at FROM zh.publication")
    assert [moment.replace(microsecond=0) for moment in shown[0]] == [m.replace(microsecond=0) for m in city_time]
    assert (new.is_new, new.snapshot) == (True, snapshot[0])
    assert files(settings) == {"city.duckdb", new.path.name}


def test_nothing_is_written_while_the_tables_stay_the_same(settings: Settings) -> None:
    fill(settings)
    first = publish(settings, "city", TABLES)
    write(
        settings,
        "INSERT INTO lake.core.other SELECT n FROM range(50) AS r(n)",
        "INSERT INTO lake.core.other VALUES (1)",
    )
    assert maintain(settings, tables=["core.t"]).merged_files == 2  # moves the published rows, in a new snapshot
    assert read(settings, "SELECT max(snapshot_id) FROM lake.snapshots()")[0][0] > first.snapshot + 2
    again = publish(settings, "city", TABLES)
    assert (again.version, again.is_new) == (first.version, False)
    assert files(settings) == {"city.duckdb", first.path.name}


def test_change_of_a_table_or_of_a_view_before_it_is_published(sqlite_settings: Settings) -> None:
    fill(sqlite_settings)
    through_view = {"closed": "SELECT n FROM lake.core.v"}
    versions = [publish(sqlite_settings, "city", through_view).version]
    for change in (
        "INSERT INTO lake.core.t (n) VALUES (3)",
        "DELETE FROM lake.core.t WHERE n = 0",
        "UPDATE lake.core.t SET n = 9 WHERE n = 1",
        "ALTER TABLE lake.core.t ADD COLUMN late INTEGER",
        "CREATE OR REPLACE VIEW lake.core.v AS SELECT n + 1 AS n FROM lake.core.t",
        "CREATE OR REPLACE TABLE lake.core.t AS SELECT 8 AS n",
    ):
        write(sqlite_settings, change)
        new = publish(sqlite_settings, "city", through_view)
        assert new.is_new, change
        versions.append(new.version)
    assert len(set(versions)) == 7
    assert read_file(new.path, "FROM closed") == [(9,)]


def test_change_of_the_definition_is_published(sqlite_settings: Settings) -> None:
    fill(sqlite_settings)
    first = publish(sqlite_settings, "city", TABLES)
    second = publish(sqlite_settings, "city", {**TABLES, "closed": "SELECT n FROM lake.core.v WHERE n > 0"})
    assert second.is_new
    assert second.snapshot == first.snapshot


def test_unknown_history_is_published(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the snapshots since the last publish have expired, nobody can say that nothing changed."""
    fill(sqlite_settings)
    publish(sqlite_settings, "city", TABLES)
    write(sqlite_settings, "DELETE FROM lake.core.t", *("INSERT INTO lake.core.other VALUES (1)" for _ in range(2)))
    now = maintenance._now()
    monkeypatch.setattr(maintenance, "_now", lambda: now + timedelta(days=30))
    assert maintain(sqlite_settings).expired_snapshots > 0
    assert publish(sqlite_settings, "city", TABLES).is_new


@pytest.mark.parametrize(
    ("name", "tables", "problem"),
    [
        ("../city", {"t": "core.t"}, "not a valid name"),
        ("city", {}, "needs tables"),
        ("city", {"_publication": "core.t"}, "_publication"),
        ("city", {"t": "core.missing"}, r"not in the lake.*core\.missing"),
        ("city", {"t": "SELECT * FROM '/etc/passwd'"}, "only tables of the lake"),
        ("city", {"t": "SELECT 1; SELECT 2"}, "not one SELECT"),
        ("city", {"t": "DELETE FROM lake.core.t"}, "not one SELECT"),
        ("city", {"t": "SELECT missing FROM lake.core.t"}, "cannot be published"),
    ],
)
def test_bad_publish_is_refused_and_the_old_version_stays(
    published: Settings, name: str, tables: dict[str, str], problem: str
) -> None:
    before = current(published, "city")
    with pytest.raises(LakeError, match=problem):
        publish(published, name, tables)
    assert current(published, "city") == before
    assert read_file(serving_folder(published) / "city.duckdb", "SELECT count(*) FROM cases") == [(3,)]


def test_readers_meet_only_whole_versions_while_they_are_switched(sqlite_settings: Settings, tmp_path: Path) -> None:
    write(sqlite_settings, "CREATE TABLE lake.core.a AS SELECT 0 AS v", "CREATE TABLE lake.core.b AS SELECT 0 AS v")
    tables = {"a": "core.a", "b": "core.b"}
    publish(sqlite_settings, "city", tables)
    stop = tmp_path / "stop"
    reading = """
import duckdb
link = settings.home_path / "serving" / "city.duckdb"
versions = set()
say("ready")
while not Path(sys.argv[2]).exists():
    connection = duckdb.connect(str(link.resolve()), read_only=True)
    for _ in range(3):
        ((a, b, version),) = connection.execute("SELECT a.v, b.v, version FROM a, b, _publication").fetchall()
        assert a == b, (a, b)
    connection.close()
    versions.add(version)
say(len(versions))
"""
    readers = [python(sqlite_settings, reading, str(stop)) for _ in range(2)]
    with stopped_at_the_end(*readers), open_lake(sqlite_settings) as connection:
        for reader in readers:
            assert line(reader) == "ready"
        for _ in range(6):
            transact(
                connection,
                sqlite_settings,
                lambda c: [c.execute(f"UPDATE lake.core.{t} SET v = v + 1").fetchall() for t in tables],
                message="next",
            )
            assert publish(sqlite_settings, "city", tables).is_new
        stop.touch()
        for reader in readers:
            assert int(finish(reader)[-1]) > 1
    assert len(files(sqlite_settings)) == 8  # within their time of grace, all are kept


def test_old_version_is_kept_while_a_process_has_it_open(sqlite_settings: Settings) -> None:
    fill(sqlite_settings)
    first = publish(sqlite_settings, "city", TABLES)
    reader = python(
        sqlite_settings,
        """
import duckdb
connection = duckdb.connect(sys.argv[2], read_only=True)
say("open")
sys.stdin.readline()
say(connection.execute("SELECT count(*) FROM cases").fetchall())
""",
        str(first.path),
    )
    no_grace = timedelta(0)
    with stopped_at_the_end(reader):
        assert line(reader) == "open"
        write(sqlite_settings, "INSERT INTO lake.core.t (n) VALUES (3)")
        second = publish(sqlite_settings, "city", TABLES, grace=no_grace)
        assert files(sqlite_settings) == {"city.duckdb", first.path.name, second.path.name}
        assert finish(reader) == ["[(3,)]"]
    own = duckdb.connect(str(first.path), read_only=True)
    publish(sqlite_settings, "city", TABLES, grace=no_grace)
    assert first.path.exists()  # our own process reads it, which a lock taken here would not notice
    own.close()
    assert publish(sqlite_settings, "city", TABLES, grace=no_grace).version == second.version
    assert files(sqlite_settings) == {"city.duckdb", second.path.name}


def test_old_version_is_kept_for_its_grace_from_when_it_was_last_served(sqlite_settings: Settings) -> None:
    fill(sqlite_settings)
    first = publish(sqlite_settings, "city", TABLES)
    long_ago = time.time() - 86400
    os.utime(first.path, (long_ago, long_ago))  # published long ago, served until now
    write(sqlite_settings, "INSERT INTO lake.core.t (n) VALUES (3)")
    second = publish(sqlite_settings, "city", TABLES)
    assert first.path.exists()
    os.utime(first.path, (long_ago, long_ago))
    os.utime(second.path, (long_ago, long_ago))
    publish(sqlite_settings, "city", TABLES)
    assert not first.path.exists()
    assert second.path.exists()


@pytest.mark.parametrize("point", ["before the rename", "before the link", "before the switch"])
def test_publish_killed_anywhere_leaves_the_old_version_served(sqlite_settings: Settings, point: str) -> None:
    fill(sqlite_settings)
    first = publish(sqlite_settings, "city", TABLES)
    write(sqlite_settings, "INSERT INTO lake.core.t (n) VALUES (3)")
    process = python(
        sqlite_settings,
        """
from warehouse.serving import publish
def killed(*arguments, **named):
    die()
match sys.argv[2]:
    case "before the rename":
        Path.rename = killed
    case "before the link":
        Path.symlink_to = killed
    case "before the switch":
        Path.replace = killed
publish.publish(settings, "city", {"cases": "core.t", "closed": "SELECT n FROM lake.core.v WHERE n > 1"})
""",
        point,
    )
    assert process.wait(timeout=60) == -9
    process.communicate()
    served = current(sqlite_settings, "city")
    assert served is not None
    assert served.version == first.version
    assert read_file(serving_folder(sqlite_settings) / "city.duckdb", "SELECT count(*) FROM cases") == [(3,)]
    assert len(files(sqlite_settings)) > 2  # the dead publish left something
    second = publish(sqlite_settings, "city", TABLES, grace=timedelta(0))
    assert files(sqlite_settings) == {"city.duckdb", second.path.name}
    assert read_file(second.path, "SELECT count(*) FROM cases") == [(4,)]
