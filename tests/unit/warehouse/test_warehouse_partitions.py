"""Large tables are kept in parts: a publish writes those whose rows changed, and no others."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.warehouse.helpers import close_sessions, write
from tests.unit.warehouse.part_city import (
    A_YEAR,
    CASES,
    SHOWN,
    TABLES,
    VIEW_TEXTS,
    VIEWS,
    check,
    city,
    months,
    parts,
    served,
    written,
)
from warehouse.errors import LakeError
from warehouse.lake import maintenance
from warehouse.lake.maintenance import maintain
from warehouse.serving import partitions
from warehouse.serving.publish import Partitioned, current, parts_folder, publish
from warehouse.serving.reading import open_version
from warehouse.settings import Settings, load_settings


@pytest.fixture(scope="module")
def _published_year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    folder = tmp_path_factory.mktemp("year")
    settings = load_settings(home=folder / "home", memory="600MB")
    city(settings, *A_YEAR)
    served(settings, grace=timedelta(0))
    close_sessions()
    settings.home_path.rename(folder / "kept")
    return settings, folder / "kept"


@pytest.fixture
def year(_published_year: tuple[Settings, Path]) -> Settings:
    """A city with a year of cases that was published once: put back for each test, always in the same place."""
    settings, kept = _published_year
    shutil.rmtree(settings.home_path, ignore_errors=True)
    shutil.copytree(kept, settings.home_path, symlinks=True)
    return settings


def test_a_changed_day_writes_its_month_again_and_no_other(settings: Settings) -> None:
    city(settings, *A_YEAR)
    assert written(settings, "INSERT INTO lake.core.fct_case VALUES (99, TIMESTAMP '2025-05-31 23:59:59', 'a')") == {
        "2025-05"
    }


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ("UPDATE lake.core.fct_case SET unit_id = 'b' WHERE case_id = 3", {"2025-04"}),
        (
            "UPDATE lake.core.fct_case SET reported_at = TIMESTAMP '2025-01-31' WHERE case_id = 3",
            {"2025-01", "2025-04"},
        ),
        ("UPDATE lake.core.fct_case SET reported_at = NULL WHERE case_id = 3", {"2025-04", "0000-00"}),
        (
            "UPDATE lake.core.fct_case SET reported_at = TIMESTAMP '0202-03-04' WHERE case_id = 3",
            {"2025-04", "0202-03"},
        ),
        ("UPDATE lake.core.fct_case SET reported_at = 'infinity' WHERE case_id = 3", {"2025-04", "infinity"}),
        ("DELETE FROM lake.core.fct_case WHERE case_id IN (3, 5)", {"2025-04", "2025-06"}),
        ("DELETE FROM lake.core.fct_case WHERE month(reported_at) = 2", {"2025-02"}),
        ("DELETE FROM lake.core.fct_case", {f"2025-{month:02d}" for month in range(1, 13)}),
        (
            "UPDATE lake.core.unit SET unit_name_zh = '水务' WHERE unit_id = 'b'",
            {"unit", *(f"2025-{m:02d}" for m in range(1, 13))},
        ),
        ("DELETE FROM lake.core.unit", {"unit", *(f"2025-{m:02d}" for m in range(1, 13))}),
        ("ALTER TABLE lake.core.fct_case ADD COLUMN note VARCHAR", {f"2025-{month:02d}" for month in range(1, 13)}),
        (
            "CREATE OR REPLACE TABLE lake.core.fct_case AS SELECT * FROM lake.core.fct_case",
            {f"2025-{month:02d}" for month in range(1, 13)},
        ),
        ("UPDATE lake.core.horizon SET as_of = TIMESTAMP '2025-10-05'", {"2025-09", "2025-10", "2025-11", "2025-12"}),
        ("UPDATE lake.core.horizon SET as_of = TIMESTAMP '2025-08-01'", {f"2025-{m:02d}" for m in range(8, 13)}),
        ("UPDATE lake.core.horizon SET as_of = NULL", {f"2025-{month:02d}" for month in range(1, 13)}),
        (VIEW_TEXTS[0].replace("'-'", "'?'"), {f"2025-{month:02d}" for month in range(1, 13)}),
    ],
)
def test_what_is_written_again_follows_from_what_changed(year: Settings, change: str, touched: set[str]) -> None:
    assert written(year, change) == touched


def test_nothing_is_written_while_nothing_of_it_changed(settings: Settings) -> None:
    city(settings, *A_YEAR)
    write(settings, "INSERT INTO lake.core.fct_case VALUES (70, TIMESTAMP '2025-05-01', 'a')")
    first, before = served(settings), parts(settings)
    write(settings, "INSERT INTO lake.core.other VALUES (2)", *VIEW_TEXTS)  # dbt makes views again with the same text
    assert maintain(settings, tables=["core.fct_case", "core.unit"]).merged_files == 2
    again = served(settings)
    assert (again.version, again.is_new, parts(settings)) == (first.version, False, before)


def test_changed_rows_are_known_across_upkeep(settings: Settings) -> None:
    """Between two publishes the files of the changed rows may be merged and rewritten."""
    city(settings, *A_YEAR)
    served(settings, grace=timedelta(0))
    before = parts(settings)
    write(
        settings,
        "INSERT INTO lake.core.fct_case VALUES (70, TIMESTAMP '2025-05-01', 'a')",
        "DELETE FROM lake.core.fct_case WHERE case_id % 2 = 0 AND case_id < 60",
        "UPDATE lake.core.fct_case SET reported_at = TIMESTAMP '2025-09-09' WHERE case_id = 70",
    )
    done = maintain(settings)
    assert done.rewritten_files + done.merged_files > 0
    check(settings, served(settings, grace=timedelta(0)))
    assert months(set(before) ^ set(parts(settings))) == {f"2025-{month:02d}" for month in range(1, 12, 2)}


@pytest.mark.parametrize("lost", ["snapshots", "history"])
def test_all_is_written_when_the_history_does_not_tell(
    year: Settings, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    backup = year.home_path / "backup.sqlite"
    close_sessions()
    shutil.copy(year.home_path / "catalog.sqlite", backup)
    write(year, "INSERT INTO lake.core.fct_case VALUES (70, TIMESTAMP '2025-05-01', 'a')")
    served(year, grace=timedelta(0))
    before = parts(year)
    if lost == "snapshots":
        now = maintenance._now()
        monkeypatch.setattr(maintenance, "_now", lambda: now + timedelta(days=30))
        write(year, "DELETE FROM lake.core.fct_case WHERE case_id = 70")
        assert maintain(year).expired_snapshots > 0
    else:  # the lake was restored from a backup, and has gone another way since
        close_sessions()
        shutil.copy(backup, year.home_path / "catalog.sqlite")
        write(year, *["DELETE FROM lake.core.fct_case WHERE case_id = 7"] * 2)
    check(year, served(year, grace=timedelta(0)))
    assert months(set(before) ^ set(parts(year))) - {"unit"} == {f"2025-{month:02d}" for month in range(1, 13)}


def test_a_large_month_is_cut_so_that_a_changed_day_writes_little(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "PART_ROWS", 10)
    city(sqlite_settings, "(-1, TIMESTAMP '2025-04-01', 'a')")
    at = "TIMESTAMP '2025-04-01' + to_days((n % 30)::INT)"
    many = f"INSERT INTO lake.core.fct_case SELECT n, {at}, 'a' FROM range({{}}) AS r(n)"
    assert written(sqlite_settings, many.format("1, 9")) == {"2025-04"}
    assert {path for path in parts(sqlite_settings) if "mart_case/" in path and "/01-" not in path} == set()
    assert written(sqlite_settings, many.format("9, 60")) == {"2025-04"}  # too many now: cut into 4 days each
    before = {path for path in parts(sqlite_settings) if "mart_case/" in path}
    assert len(before) == 8
    written(
        sqlite_settings, "UPDATE lake.core.fct_case SET unit_id = 'b' WHERE case_id IN (13, 44)"
    )  # both on the 14th
    after = {path for path in parts(sqlite_settings) if "mart_case/" in path}
    assert {Path(path).name[:3] for path in before ^ after} == {"13-"}
    written(sqlite_settings, "DELETE FROM lake.core.fct_case WHERE day(reported_at) BETWEEN 5 AND 8")
    assert {Path(path).name[:3] for path in after ^ set(parts(sqlite_settings)) if "mart_case/" in path} == {"05-"}


def test_a_city_without_any_case_has_tables_of_the_right_types(settings: Settings) -> None:
    city(settings)
    empty = served(settings)
    check(settings, empty)
    with open_version(empty.path, threads=1, memory="300MB") as connection:
        kinds = {table: connection.execute(f"DESCRIBE zh.{table}").fetchall() for table in SHOWN}
    assert months(set(parts(settings))) == {"unit"}
    write(settings, "INSERT INTO lake.core.fct_case VALUES (1, TIMESTAMP '2026-01-01', 'b')")
    filled = served(settings)
    check(settings, filled)
    with open_version(filled.path, threads=1, memory="300MB") as connection:
        assert {table: connection.execute(f"DESCRIBE zh.{table}").fetchall() for table in SHOWN} == kinds


def test_each_language_shows_a_pair_of_labels_as_one_column(sqlite_settings: Settings) -> None:
    city(sqlite_settings, "(1, TIMESTAMP '2026-01-01', 'a')", "(2, TIMESTAMP '2026-01-02', 'b')", "(3, NULL, NULL)")
    version = served(sqlite_settings)
    with open_version(version.path, threads=1, memory="300MB") as connection:
        told = {
            language: connection.execute(f"SELECT * FROM {language}.mart_case ORDER BY case_id").fetchall()
            for language in ("zh", "en")
        }
        names = [name for name, *_ in connection.description or ()]
        publication = connection.execute("SELECT * EXCLUDE (snapshot_at, published_at) FROM zh.publication").fetchall()
        english = connection.execute("SELECT edition FROM en.publication").fetchall()
        handled = connection.execute("SELECT unit_name FROM en.mart_handled ORDER BY case_id").fetchall()
    assert names == ["case_id", "month", "reported_at", "unit_id", "unit_name"]
    assert [row[-1] for row in told["zh"]] == ["城管", "Water", "-"]
    assert [row[-1] for row in told["en"]] == ["Enforcement", "Water", "-"]
    assert handled == [("Enforcement",), ("Water",)]
    assert publication[0][:3] == ("city", version.version, version.snapshot)
    assert (publication[0][3], english) == (f"第 {version.snapshot} 版", [(f"version {version.snapshot}",)])
    assert publication[0][-1] == "云河"


@pytest.mark.parametrize("file", ["part", "version"])
def test_a_lost_file_is_made_again(year: Settings, file: str) -> None:
    first = served(year)
    lost = first.path if file == "version" else parts_folder(year, "city") / next(iter(parts(year)))
    lost.unlink()
    second = served(year)
    assert second.is_new
    check(year, second)


@pytest.mark.parametrize(
    ("of", "problem"),
    [
        (
            Partitioned("m", "mart.mart_count", base="core.unit", moment="unit_id"),
            "rows of core.unit|cannot be published",
        ),
        (Partitioned("m", "mart.mart_count", base="core.other", moment="n"), "does not read it"),
        (Partitioned("m", "mart.mart_count", base="mart.mart_case", moment="reported_at"), "is a view, not a table"),
        (
            Partitioned("m", "mart.shifted", base="core.fct_case", moment="reported_at"),
            "rows of core.fct_case in 2025-01",
        ),
        (Partitioned("m", "mart.huge", base="core.fct_case", moment="reported_at"), "would become DOUBLE"),
        (
            Partitioned("m", "mart.mart_case", "core.fct_case", "reported_at", horizon="mart.mart_state.as_of"),
            "does not read it",
        ),
        (Partitioned("m", "mart_case", base="core.fct_case", moment="reported_at"), "no table or view of the lake"),
        (Partitioned("_m", "mart.mart_case", base="core.fct_case", moment="reported_at"), "a name of the file's own"),
        (Partitioned("mart_state", "mart.mart_case", base="core.fct_case", moment="reported_at"), "the same name"),
    ],
)
def test_a_table_that_cannot_be_kept_in_parts_is_refused(year: Settings, of: Partitioned, problem: str) -> None:
    write(
        year,
        "CREATE VIEW lake.mart.shifted AS SELECT strftime(reported_at + INTERVAL 20 DAY, '%Y-%m') AS month, case_id "
        "FROM lake.core.fct_case",
        "CREATE VIEW lake.mart.huge AS SELECT month, sum(case_count) AS n FROM lake.mart.mart_count GROUP BY month",
    )
    before = served(year)
    with pytest.raises(LakeError, match=problem):
        publish(year, "city", TABLES, partitioned=[of])
    assert current(year, "city") is not None
    check(year, before)


def test_a_view_that_reads_what_is_not_published_is_refused(year: Settings) -> None:
    with pytest.raises(LakeError, match=r"reads what is not published.*core\.unit"):
        publish(year, "city", {"mart_state": "mart.mart_state"}, partitioned=[CASES], views=VIEWS)
    with pytest.raises(LakeError, match="is a table"):
        publish(year, "city", TABLES, views={"v": "core.unit"})
