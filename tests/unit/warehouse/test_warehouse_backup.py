"""A lake is backed up while it is in use, restored elsewhere as it was, and moved."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.pipelines.landing.landings import files
from tests.unit.warehouse.helpers import (
    close_sessions,
    data_files,
    finish,
    line,
    python,
    read,
    stopped_at_the_end,
    write,
)
from warehouse.errors import LakeError
from warehouse.lake.extensions import connect
from warehouse.lake.layout import tables
from warehouse.lake.postgres import create_database
from warehouse.lake.session import open_lake
from warehouse.safety.backup import backup, states
from warehouse.safety.restore import move, restore
from warehouse.secret_files import write_secret
from warehouse.settings import Settings

MAKE = (
    "CREATE TABLE lake.raw.t (n BIGINT, words VARCHAR, since TIMESTAMP, many VARCHAR[])",
    "INSERT INTO lake.raw.t SELECT n, 'text ' || n, TIMESTAMP '2026-01-01' + to_hours(n), ['a', NULL]"
    " FROM range(3000) AS r(n)",
    "CREATE TABLE lake.core.u AS SELECT n, 1.5 * n AS half FROM range(100) AS r(n)",
    "DELETE FROM lake.raw.t WHERE n % 7 = 0",
    "CREATE VIEW lake.mart.v AS SELECT count(*) AS n FROM lake.raw.t",
)


def whole(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    close_sessions()
    with open_lake(settings, read_only=True) as lake:
        return {
            f"{schema}.{name}": sorted(lake.execute(f"FROM lake.{schema}.{name}").fetchall(), key=repr)
            for schema, name in sorted(tables(lake))
        }


def elsewhere(settings: Settings, tmp_path: Path, postgres_url: str) -> Settings:
    """Settings of an empty home, and of an empty database where the lake has one."""
    changed: dict[str, object] = {"home": tmp_path / "elsewhere"}
    if settings.uses_postgresql:
        changed["catalog"] = create_database(postgres_url, f"restored_{uuid.uuid4().hex[:12]}")
    return settings.model_copy(update=changed)


@pytest.fixture
def other(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("postgres_url") if settings.uses_postgresql else ""
    return elsewhere(settings, tmp_path, url)


def test_restored_lake_is_equal_and_goes_on(settings: Settings, other: Settings, tmp_path: Path) -> None:
    write(settings, *MAKE)
    before = whole(settings)
    report = backup(settings, tmp_path / "backup")
    assert report.new_file_count == len(data_files(settings))
    shutil.rmtree(settings.home_path)  # the old place and its catalogue are of no more use
    manifest = restore(other, tmp_path / "backup")
    assert manifest.city == "demo"
    assert whole(other) == before
    write(other, "INSERT INTO lake.raw.t (n) VALUES (9000)", "UPDATE lake.core.u SET half = 0 WHERE n = 1")
    assert read(other, "FROM lake.mart.v") == [(3000 - 429 + 1,)]
    # Time travel came along.
    assert read(other, "SELECT count(*) FROM lake.snapshots()")[0][0] > len(MAKE)


def test_backup_under_load_is_of_one_moment(settings: Settings, other: Settings, tmp_path: Path) -> None:
    write(settings, "CREATE TABLE lake.core.a (i BIGINT)", "CREATE TABLE lake.core.b (i BIGINT)")
    close_sessions()
    code = """
def work(c, i):
    c.execute(f"INSERT INTO lake.core.a VALUES ({i})")
    c.execute(f"INSERT INTO lake.core.b VALUES ({i})")
with open_lake(settings) as connection:
    i = 0
    while not Path(sys.argv[2]).exists():
        transact(connection, settings, lambda c: work(c, i), message=str(i))
        say(i)
        i += 1
"""
    stop = tmp_path / "stop"
    writer = python(settings, code, str(stop))
    with stopped_at_the_end(writer):
        line(writer)
        backup(settings, tmp_path / "backup")
        stop.touch()
        finish(writer)
    restore(other, tmp_path / "backup")
    found = whole(other)
    assert found["core.a"] == found["core.b"]
    # From the first one on, without a gap.
    assert sorted(found["core.a"]) == [(i,) for i in range(len(found["core.a"]))]
    assert found["core.a"]


def test_backup_while_a_run_lands_and_builds_has_every_table_as_it_was_at_one_moment(
    settings: Settings, other: Settings, tmp_path: Path
) -> None:
    """Files land by the real way, and tables are built from them, without a pause. The lake itself tells what each
    table held at the moment that the backup is of: its history is asked for the same snapshot."""
    drops = tmp_path / "drops"
    code = """
from tests.unit.pipelines.landing.landings import files
from warehouse.lake.turn import writer_turn
place = files(settings, Path(sys.argv[3]))
number = 0
while not Path(sys.argv[2]).exists():
    number += 1
    rows = "".join(f"{number}-{n},{n % 100},2026-01-01 08:00:00,new\\n" for n in range(200))
    place.drop(f"{number:04}.csv", "order_no,amount,reported_at,status\\n" + rows)
    place.land()
    with writer_turn(settings), open_lake(settings) as lake:
        again = "CREATE OR REPLACE TABLE lake."
        lake.execute(again + "core.fct AS SELECT *, amount * 2 AS twice FROM lake.raw.orders")
        lake.execute(again + "mart.sums AS SELECT count(*) AS n, sum(twice) AS s FROM lake.core.fct")
    say(number)
"""
    stop = tmp_path / "stop"
    run = python(settings, code, str(stop), str(drops))
    with stopped_at_the_end(run):
        for _ in range(2):
            line(run)
        backup(settings, tmp_path / "backup")
        backup(settings, tmp_path / "backup")
        stop.touch()
        finish(run)
    restore(other, tmp_path / "backup")
    restored = whole(other)
    assert {"raw.orders", "core.fct", "mart.sums", "ops.load", "ops.sequence"} <= restored.keys()
    ((moment,),) = read(other, "SELECT max(snapshot_id) FROM lake.snapshots()")
    with open_lake(settings, read_only=True) as lake:
        then = {
            name: sorted(lake.execute(f"FROM lake.{name} AT (VERSION => {moment})").fetchall(), key=repr)
            for name in restored
        }
    assert restored == then
    assert len(restored["raw.orders"]) == 200 * len(restored["ops.load"]) >= 400
    close_sessions()
    # It goes on as if nothing had been: what landed after the backup lands again, nothing stands twice.
    files(other, drops).land()
    assert len(whole(other)["raw.orders"]) == len(whole(settings)["raw.orders"])


def test_second_backup_adds_only_what_is_new(sqlite_settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    write(sqlite_settings, *MAKE)
    close_sessions()
    first = backup(sqlite_settings, folder)
    kept = {path: path.stat().st_ino for path in (folder / "data").rglob("*.parquet")}
    write(sqlite_settings, "INSERT INTO lake.core.u VALUES (1000, 0)")
    close_sessions()
    second = backup(sqlite_settings, folder)
    assert second.new_file_count == 1
    assert len(states(folder)) == 2
    assert {path: path.stat().st_ino for path in kept} == kept
    assert backup(sqlite_settings, folder, keep=2).removed_states == 1
    assert not first.state.exists()
    # What no state names any more goes.
    write(sqlite_settings, "DROP TABLE lake.core.u", "CALL ducklake_expire_snapshots('lake', older_than => now())")
    close_sessions()
    backup(sqlite_settings, folder, keep=1)
    assert not list((folder / "data" / "core").rglob("*.parquet"))
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "data", "states"]


def test_earlier_state_is_restored_by_its_name(sqlite_settings: Settings, tmp_path: Path) -> None:
    write(sqlite_settings, "CREATE TABLE lake.core.t AS SELECT 1 AS n")
    close_sessions()
    state = backup(sqlite_settings, tmp_path / "backup").state
    write(sqlite_settings, "UPDATE lake.core.t SET n = 2")
    close_sessions()
    backup(sqlite_settings, tmp_path / "backup")
    for name, expected in ((state.name, 1), ("", 2)):
        there = sqlite_settings.model_copy(update={"home": tmp_path / f"restored-{expected}"})
        restore(there, tmp_path / "backup", state=name)
        assert read(there, "FROM lake.core.t") == [(expected,)]


def test_accounts_secrets_and_records_come_along(sqlite_settings: Settings, tmp_path: Path) -> None:
    home = sqlite_settings.home_path
    write(sqlite_settings, "SELECT 1")
    close_sessions()
    write_secret(home / "superset" / "secret.key", "s" * 40)
    (home / "dagster" / "history").mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (home / "drops").mkdir()
    (home / "drops" / "big.csv").write_text("not the lake's\n")
    for database in (home / "superset" / "superset.db", home / "dagster" / "history" / "runs.db"):
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE t AS SELECT 'kept' AS word")
            connection.commit()
            if database.name == "superset.db":  # a service has it open, and has not written all of it back
                backup(sqlite_settings, tmp_path / "backup")
    backup(sqlite_settings, tmp_path / "backup")
    there = sqlite_settings.model_copy(update={"home": tmp_path / "elsewhere"})
    restore(there, tmp_path / "backup")
    found = there.home_path
    assert (found / "superset" / "secret.key").read_text() == "s" * 40 + "\n"
    assert stat.S_IMODE((found / "superset" / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    copies = [*(tmp_path / "backup").rglob("secret.key")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in copies} == {0o600}
    assert (found / "dagster" / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    for database in ("superset/superset.db", "dagster/history/runs.db"):
        with closing(sqlite3.connect(found / database)) as connection:
            assert connection.execute("SELECT word FROM t").fetchall() == [("kept",)]
    assert not (found / "drops").exists()


def test_tables_of_superset_in_postgresql_come_along(
    sqlite_settings: Settings, postgres_database: str, postgres_url: str, tmp_path: Path
) -> None:
    new = create_database(postgres_url, f"restored_{uuid.uuid4().hex[:12]}")
    connection = connect(extensions=("postgres_scanner",))
    try:
        connection.execute(f"ATTACH '{postgres_database}' AS old (TYPE postgres)")
        for make in (
            "CREATE TABLE ab_user (id serial PRIMARY KEY, username text)",
            "INSERT INTO ab_user (username) VALUES ('wang')",
        ):
            connection.execute(f"CALL postgres_execute('old', $${make}$$)")
        write(sqlite_settings, "SELECT 1")
        close_sessions()
        backup(sqlite_settings.model_copy(update={"superset_metadata": postgres_database}), tmp_path / "backup")
        with pytest.raises(LakeError, match="GRIDLAKE_SUPERSET_METADATA"):
            restore(sqlite_settings.model_copy(update={"home": tmp_path / "x"}), tmp_path / "backup")
        update = {"home": tmp_path / "x", "superset_metadata": new}
        restore(sqlite_settings.model_copy(update=update), tmp_path / "backup")
        connection.execute(f"ATTACH '{new}' AS new (TYPE postgres)")
        again = "INSERT INTO ab_user (username) VALUES ('li')"
        connection.execute(f"CALL postgres_execute('new', $${again}$$)")
        assert connection.execute("FROM new.ab_user ORDER BY id").fetchall() == [(1, "wang"), (2, "li")]
    finally:
        connection.close()


def test_backup_refuses_what_it_would_spoil(sqlite_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no lake yet"):
        backup(sqlite_settings, tmp_path / "backup")
    write(sqlite_settings, *MAKE)
    close_sessions()
    with pytest.raises(LakeError, match="in the lake's own folder"):
        backup(sqlite_settings, sqlite_settings.home_path / "backup")
    filled = tmp_path / "filled"
    filled.mkdir()
    (filled / "letter.txt").touch()
    with pytest.raises(LakeError, match="holds something else"):
        backup(sqlite_settings, filled)
    backup(sqlite_settings, tmp_path / "backup")
    another = sqlite_settings.model_copy(update={"home": tmp_path / "another"})
    write(another, "SELECT 1")
    close_sessions()
    with pytest.raises(LakeError, match="holds backups of the lake"):
        backup(another, tmp_path / "backup")
    data_file = next((sqlite_settings.home_path / "data" / "core").rglob("*.parquet"))
    data_file.unlink()
    with pytest.raises(LakeError, match="a damaged lake is not backed up"):
        backup(sqlite_settings, tmp_path / "backup-of-damage")


def test_restore_refuses_what_it_would_spoil_or_not_bring_back(
    sqlite_settings: Settings, postgres_database: str, tmp_path: Path
) -> None:
    write(sqlite_settings, *MAKE)
    close_sessions()
    folder = tmp_path / "backup"
    backup(sqlite_settings, folder)
    with pytest.raises(LakeError, match="is not an empty folder"):
        restore(sqlite_settings, folder)
    there = sqlite_settings.model_copy(update={"home": tmp_path / "there"})
    with pytest.raises(LakeError, match="GRIDLAKE_CITY"):
        restore(there.model_copy(update={"city": "elsewhere"}), folder)
    with pytest.raises(LakeError, match=r"GRIDLAKE_CATALOG.*unset it"):
        restore(there.model_copy(update={"catalog": postgres_database}), folder)
    with pytest.raises(LakeError, match="holds no backup"):
        restore(there, tmp_path / "nothing")
    victim = next((folder / "data" / "raw").rglob("*.parquet"))
    content = victim.read_bytes()
    victim.write_bytes(content[:50] + b"\xff" + content[51:])
    with pytest.raises(LakeError, match="is not what was backed up; nothing was restored"):
        restore(there, folder)
    victim.write_bytes(content)
    restore(there, folder)  # what the failed attempt left is in nobody's way
    assert whole(there) == whole(sqlite_settings)


def test_moved_lake_is_whole_and_the_old_place_is_gone(sqlite_settings: Settings, tmp_path: Path) -> None:
    write(sqlite_settings, *MAKE)
    before = whole(sqlite_settings)
    with pytest.raises(LakeError, match="is not an empty folder"):
        move(sqlite_settings, Path(__file__).parent)
    target = tmp_path / "far" / "away"
    move(sqlite_settings, target)
    assert not sqlite_settings.home_path.exists()
    moved = sqlite_settings.model_copy(update={"home": target})
    assert whole(moved) == before
    assert json.loads((target / "data" / "lake.json").read_text())["city"] == "demo"
