"""Damage is found, named with what is lost, and told in one message."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.warehouse.helpers import close_sessions, read, write
from warehouse.errors import LakeError
from warehouse.lake.session import open_lake, transact
from warehouse.lake.storage import StorageError, explained
from warehouse.safety.verify import damage, verify
from warehouse.serving.publish import publish
from warehouse.settings import Settings, load_settings


@pytest.fixture
def lake(sqlite_settings: Settings) -> Settings:
    write(
        sqlite_settings,
        "CREATE TABLE lake.raw.t AS SELECT n, 'text ' || n AS words FROM range(5000) AS r(n)",
        "DELETE FROM lake.raw.t WHERE n < 10",
    )
    publish(sqlite_settings, "city", {"t": "raw.t"})
    close_sessions()
    return sqlite_settings


def file_of(settings: Settings, pattern: str) -> Path:
    (path,) = (settings.home_path / "data" / "raw" / "t").glob(pattern)
    return path


def data_file(settings: Settings) -> Path:
    return next(p for p in (settings.home_path / "data/raw/t").glob("*.parquet") if "-delete" not in p.name)


def test_whole_lake_has_no_faults(lake: Settings) -> None:
    assert damage(lake) == ()
    found = verify(lake, deep=True)
    assert found.faults == ()
    files = list((lake.home_path / "data").rglob("*.parquet"))
    assert found.file_count == len(files) + 1
    served = (lake.home_path / "serving" / "city.duckdb").resolve()
    assert found.byte_count == sum(p.stat().st_size for p in [*files, served])


def test_missing_file_is_named_with_what_is_lost(lake: Settings) -> None:
    path = data_file(lake)
    path.unlink()
    (fault,) = damage(lake)
    assert verify(lake).faults == (fault,)
    assert (fault.table, fault.path) == ("raw.t", path)
    assert "is not there: 5,000 rows are lost" in str(fault)
    assert "gridlake restore" in fault.fix
    assert "--full-refresh" not in fault.fix  # raw is made from nothing
    with pytest.raises(StorageError, match=r"a data file is missing or damaged.*gridlake verify"), open_lake(lake) as c:
        c.execute("SELECT sum(n) FROM lake.raw.t").fetchall()


def test_missing_delete_file_is_named(lake: Settings) -> None:
    file_of(lake, "*-delete.parquet").unlink()
    (fault,) = damage(lake)
    assert "which 10 rows were deleted is lost" in str(fault)


def test_truncated_file_is_seen_by_its_size(lake: Settings) -> None:
    path = data_file(lake)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    (fault,) = damage(lake)
    assert f"has {len(whole) - 100:,} bytes instead of {len(whole):,}" in fault.problem


def test_damage_inside_is_seen_by_the_footer_or_by_reading(lake: Settings) -> None:
    path = data_file(lake)
    whole = path.read_bytes()
    path.write_bytes(whole[:-60] + bytes(60))
    assert damage(lake) == ()
    (fault,) = verify(lake).faults
    assert "is damaged" in fault.problem
    path.write_bytes(whole[:4] + bytes([255]) * 2000 + whole[2004:])
    assert verify(lake).faults == ()
    (fault,) = verify(lake, deep=True).faults
    assert (fault.table, fault.path) == ("raw.t", path)


def test_history_that_is_lost_is_told_apart(lake: Settings) -> None:
    write(lake, "CREATE TABLE lake.core.old AS SELECT 1 AS n", "DROP TABLE lake.core.old")
    close_sessions()
    next((lake.home_path / "data/core/old").glob("*.parquet")).unlink()
    (fault,) = damage(lake)
    assert fault.table == "core.old"
    assert "the newest state does not need it" in fault.problem


def test_published_file_that_is_lost_is_told(lake: Settings) -> None:
    served = (lake.home_path / "serving" / "city.duckdb").resolve()
    served.chmod(0o644)
    served.write_bytes(served.read_bytes()[:5000])
    (fault,) = damage(lake)
    assert (fault.table, fault.path) == ("city", served)
    served.unlink()
    (fault,) = damage(lake)
    assert "leads to" in fault.problem
    assert "publishes it again" in fault.fix


def test_garbage_for_a_catalogue_is_told_in_one_message(lake: Settings) -> None:
    for file in lake.home_path.glob("catalog.sqlite*"):
        file.write_bytes(b"garbage " * 1000)
    for read_only in (True, False):
        with (
            pytest.raises(StorageError, match=r"the catalogue is damaged .*restore it from the backup"),
            open_lake(lake, read_only=read_only),
        ):
            pass


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = Path(tempfile.mkdtemp(prefix="gridlake-disk-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small disk needs root: run the tests as root to see them")
    try:
        yield folder
    finally:
        close_sessions()
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=False)
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def test_full_disk_is_told_and_all_is_written_once_there_is_room(small_disk: Path) -> None:
    settings = load_settings(home=small_disk / "home", memory="600MB")
    write(settings, "CREATE TABLE lake.raw.t (words VARCHAR)", "INSERT INTO lake.raw.t VALUES ('before')")
    ballast = small_disk / "ballast"
    with ballast.open("wb") as handle:
        handle.write(bytes(5 << 20))
    much = "INSERT INTO lake.raw.t SELECT md5(n::VARCHAR) FROM range(200_000) AS r(n)"
    with pytest.raises(StorageError, match=r"the disk is full.*make room"), open_lake(settings) as connection:
        transact(connection, settings, lambda c: c.execute(much).fetchall(), message="much")
    close_sessions()
    assert read(settings, "FROM lake.raw.t") == [("before",)]
    ballast.unlink()
    small = much.replace("200_000", "40_000")
    write(settings, small)
    assert read(settings, "SELECT count(*) FROM lake.raw.t") == [(40_001,)]


def test_disk_that_may_only_be_read_is_told(small_disk: Path) -> None:
    settings = load_settings(home=small_disk / "home", memory="600MB")
    write(settings, "CREATE TABLE lake.raw.t AS SELECT 1 AS n")
    close_sessions()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match="cannot be written to"), open_lake(settings) as connection:
        transact(connection, settings, lambda c: c.execute("INSERT INTO lake.raw.t VALUES (2)"), message="one")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device", "/lake/x"), "the disk is full"),
        (OSError(122, "Disk quota exceeded"), "the disk is full"),
        (PermissionError(13, "Permission denied", "/lake/x"), "may not be opened by this account"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "the disk is full"),
        (RuntimeError("(sqlite3.OperationalError) attempt to write a readonly database"), "cannot be written to"),
        (RuntimeError("database is locked"), "locked by another program"),
    ],
)
def test_trouble_is_known_in_whatever_words(error: Exception, told: str) -> None:
    try:
        raise ValueError("a step failed") from error
    except ValueError as wrapped:
        found = explained(wrapped)
    assert found is not None
    assert told in str(found)


def test_other_trouble_and_our_own_errors_stay_as_they_are() -> None:
    assert explained(ValueError("no such column")) is None
    assert explained(RuntimeError("permission denied for table cases")) is None
    assert explained(LakeError("the disk is full")) is None
