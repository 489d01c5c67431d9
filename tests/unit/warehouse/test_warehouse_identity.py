"""A lake is never made anew over another's files, nor opened with them; upkeep does not clear a lake away."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.unit.warehouse.helpers import close_sessions, data_files, read, write
from warehouse.errors import LakeError
from warehouse.lake.keeping import files_kept
from warehouse.lake.maintenance import maintain
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

TABLE = "CREATE TABLE lake.core.t AS SELECT n FROM range(50) AS r(n)"


def filled(settings: Settings) -> str:
    """Make a lake with a table; its identity."""
    write(settings, TABLE)
    close_sessions()
    told = json.loads((settings.home_path / "data" / "lake.json").read_text())
    assert told["city"] == "demo"
    return str(told["lake"])


def refused(settings: Settings) -> str:
    """The message with which the lake is refused, for reading and writing the same; its files stay."""
    before = data_files(settings)
    messages = []
    for read_only in (True, False):
        with pytest.raises(LakeError) as caught, open_lake(settings, read_only=read_only):
            pass
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert data_files(settings) == before
    return messages[0]


@pytest.mark.parametrize("loss", ["gone", "empty"])
def test_lost_catalogue_is_not_made_anew_over_the_data(sqlite_settings: Settings, loss: str) -> None:
    lake = filled(sqlite_settings)
    for file in sqlite_settings.home_path.glob("catalog.sqlite*"):
        file.unlink()
    if loss == "empty":
        (sqlite_settings.home_path / "catalog.sqlite").touch()
    message = refused(sqlite_settings)
    assert f"{sqlite_settings.home_path}/catalog.sqlite) is gone or empty" in message
    assert f"holds the lake {lake} of the city 'demo'" in message
    assert "Fix: restore the catalogue" in message


def test_forgotten_address_of_the_catalogue_is_named(postgres_settings: Settings) -> None:
    filled(postgres_settings)
    message = refused(postgres_settings.model_copy(update={"catalog": ""}))
    assert "Fix: set GRIDLAKE_CATALOG" in message


def test_lake_of_an_earlier_release_is_not_overwritten_either(sqlite_settings: Settings) -> None:
    filled(sqlite_settings)
    (sqlite_settings.home_path / "data" / "lake.json").unlink()
    (sqlite_settings.home_path / "catalog.sqlite").unlink()
    assert "holds Parquet files of an unknown lake" in refused(sqlite_settings)


def test_data_of_another_lake_are_refused_and_both_are_named(sqlite_settings: Settings, tmp_path: Path) -> None:
    other = sqlite_settings.model_copy(update={"home": tmp_path / "other"})
    mine, theirs = filled(sqlite_settings), filled(other)
    shutil.rmtree(sqlite_settings.home_path / "data")
    shutil.copytree(other.home_path / "data", sqlite_settings.home_path / "data")
    message = refused(sqlite_settings)
    assert f"is of the lake {mine}" in message
    assert f"holds the lake {theirs} " in message


def test_data_folder_that_is_not_there_is_told(settings: Settings) -> None:
    filled(settings)
    shutil.rmtree(settings.home_path / "data")
    assert "is the disk mounted" in refused(settings)


def test_lake_without_identity_file_gets_it_back(settings: Settings) -> None:
    lake = filled(settings)
    (settings.home_path / "data" / "lake.json").unlink()
    assert filled_again(settings) == lake


def filled_again(settings: Settings) -> str:
    write(settings, "INSERT INTO lake.core.t VALUES (1)")
    return str(json.loads((settings.home_path / "data" / "lake.json").read_text())["lake"])


def test_lake_opens_where_it_was_moved_to(settings: Settings, tmp_path: Path) -> None:
    filled(settings)
    settings.home_path.rename(tmp_path / "moved")
    moved = settings.model_copy(update={"home": tmp_path / "moved"})
    write(moved, "INSERT INTO lake.core.t VALUES (50)")
    assert read(moved, "SELECT count(*), max(n) FROM lake.core.t") == [(51, 50)]
    assert not (tmp_path / "home").exists()


def old_strays(settings: Settings, count: int) -> list[Path]:
    sample = next(iter(data_files(settings)))
    strays = [sample.with_name(f"stray-{n}.parquet") for n in range(count)]
    for path in strays:
        shutil.copyfile(sample, path)
        os.utime(path, (time.time() - 3 * 86400,) * 2)
    return strays


def test_upkeep_refuses_to_clear_away_what_is_rather_a_lake(sqlite_settings: Settings) -> None:
    filled(sqlite_settings)
    strays = old_strays(sqlite_settings, 30)
    report = maintain(sqlite_settings)
    assert report.orphaned_files == 0
    assert "30 of 3" in report.failed[0]
    assert "unknown to the catalogue" in report.failed[0]
    assert all(path.exists() for path in strays)
    with files_kept(sqlite_settings):  # as a backup does
        assert maintain(sqlite_settings, orphans_anyway=True).orphaned_files == 0
    assert maintain(sqlite_settings, orphans_anyway=True).orphaned_files == 30
    assert not any(path.exists() for path in strays)
    assert read(sqlite_settings, "SELECT count(*) FROM lake.core.t") == [(50,)]
