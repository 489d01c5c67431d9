"""Upkeep changes the files and nothing that a reader sees."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

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
from warehouse.lake import maintenance
from warehouse.lake.extensions import connect
from warehouse.lake.maintenance import MaintenanceReport, maintain
from warehouse.lake.session import attachment
from warehouse.settings import Settings

# Snapshot 0 is the empty lake, 1 its layout, 2 and 3 the two tables.
TABLES_CREATED = 3
FINGERPRINT = "SELECT count(*), sum(hash(n, name, tags, ST_AsText(place))) FROM lake.core.{table}{at}"


def fill(settings: Settings) -> None:
    """Table `t` has small and tiny files, many and few deletes, and updates; table `u` only small files."""
    rows = "SELECT n, '第' || n, ['a', NULL], ST_Point(n, n / 2) FROM range({}, {}) AS r(n)"
    columns = "(n BIGINT, name VARCHAR, tags VARCHAR[], place GEOMETRY)"
    write(
        settings,
        f"CREATE TABLE lake.core.t {columns}",
        f"CREATE TABLE lake.core.u {columns}",
        *(f"INSERT INTO lake.core.t {rows.format(i * 100, i * 100 + 100)}" for i in range(4)),
        *(f"INSERT INTO lake.core.t {rows.format(400 + i * 2, 402 + i * 2)}" for i in range(3)),
        *(f"INSERT INTO lake.core.u {rows.format(i * 50, i * 50 + 50)}" for i in range(3)),
        "DELETE FROM lake.core.t WHERE n BETWEEN 10 AND 80",
        "DELETE FROM lake.core.t WHERE n IN (150, 401)",
        "UPDATE lake.core.t SET name = name || '!' WHERE n % 10 = 3",
    )


def versions(settings: Settings) -> dict[int, object]:
    """Snapshot -> fingerprint of table t as it was then, from the snapshot after its creation on."""
    snapshots = read(settings, "SELECT snapshot_id FROM lake.snapshots() ORDER BY ALL")
    return {
        snapshot: read(settings, FINGERPRINT.format(table="t", at=f" AT (VERSION => {snapshot})"))
        for (snapshot,) in snapshots
        if snapshot >= TABLES_CREATED
    }


def file_counts(settings: Settings) -> dict[str, tuple[int, int]]:
    rows = read(settings, "SELECT table_name, file_count, delete_file_count FROM ducklake_table_info('lake')")
    return {name: (files, deletes) for name, files, deletes in rows}


def test_maintenance_keeps_every_version_and_reduces_files(settings: Settings) -> None:
    fill(settings)
    before, files = versions(settings), file_counts(settings)
    lines: list[str] = []
    report = maintain(settings, progress=lines.append)
    after = versions(settings)
    assert report.failed == ()
    assert {snapshot: after[snapshot] for snapshot in before} == before
    assert after[max(after)] == before[max(before)]
    assert file_counts(settings)["t"][0] < files["t"][0]
    assert file_counts(settings)["u"] == (1, 0)
    assert report.rewritten_files > 0
    assert report.merged_files > 0
    assert lines.index("rewrite core.t") < lines.index("merge core.t") < lines.index("expire") < lines.index("orphans")
    # Nothing is old enough to be taken away, and there is nothing left to do.
    assert (report.expired_snapshots, report.cleaned_files, report.orphaned_files) == (0, 0, 0)
    assert maintain(settings) == MaintenanceReport()
    assert versions(settings) == after


def test_old_snapshots_and_their_files_go_when_their_time_is_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings)
    before = read(settings, FINGERPRINT.format(table="t", at=""))
    files = data_files(settings)
    now = maintenance._now()
    monkeypatch.setattr(maintenance, "_now", lambda: now + timedelta(days=6))
    report = maintain(settings)
    assert report.expired_snapshots == 0
    assert report.cleaned_files > 0  # merged away more than a day ago, as this clock goes
    monkeypatch.setattr(maintenance, "_now", lambda: now + timedelta(days=8))
    report = maintain(settings)
    assert report.failed == ()
    assert report.expired_snapshots > 0
    assert len(data_files(settings)) < len(files)
    assert read(settings, FINGERPRINT.format(table="t", at="")) == before


def test_sums_stay_right_where_a_file_knows_nothing_of_a_column(settings: Settings) -> None:
    """A case that is still open has no end: its file has no bounds to tell, those of the table must not be lost."""
    write(
        settings,
        "CREATE TABLE lake.core.t AS SELECT n, DATE '2026-01-01' + n::INT AS closed_on FROM range(30) AS r(n)",
        "INSERT INTO lake.core.t VALUES (100, NULL), (101, NULL)",
        "DELETE FROM lake.core.t WHERE n BETWEEN 10 AND 25",
    )
    report = maintain(settings)
    # One of the two is written anew, then both are merged.
    assert (report.rewritten_files, report.merged_files, report.created_files) == (1, 2, 2)
    write(settings, "INSERT INTO lake.core.t VALUES (102, DATE '2026-01-08')")
    assert read(settings, "SELECT min(closed_on)::VARCHAR, max(closed_on)::VARCHAR FROM lake.core.t") == [
        ("2026-01-01", "2026-01-30")
    ]
    assert len(read(settings, "SELECT closed_on, count(*) FROM lake.core.t GROUP BY closed_on")) == 15


def test_few_rows_are_written_to_a_file(settings: Settings) -> None:
    """Rows kept in the catalogue would be missed by readers beside a flush."""
    write(settings, "CREATE TABLE lake.core.t AS SELECT 1 AS n", "DELETE FROM lake.core.t")
    rows = read(settings, "SELECT unnest(map_keys(changes)) FROM lake.snapshots()")
    assert ("tables_inserted_into",) in rows
    assert ("tables_deleted_from",) in rows
    assert not {("inlined_insert",), ("inlined_delete",)} & set(rows)
    # A place for such rows would make the first reader of each table read the whole catalogue.
    assert read(settings, "SELECT * FROM __ducklake_metadata_lake.ducklake_inlined_data_tables") == []


def test_another_tool_leaves_no_rows_in_the_catalogue_either(settings: Settings) -> None:
    write(settings, "CREATE TABLE lake.core.t AS SELECT n FROM range(50) AS r(n)")
    close_sessions()
    other = connect(extensions=("ducklake", "sqlite_scanner", "postgres_scanner"))
    options = attachment(settings).sql(read_only=False).removesuffix(")")
    other.execute(f"{options}, DATA_INLINING_ROW_LIMIT 10)")
    other.execute("INSERT INTO lake.core.t VALUES (50), (51)")
    other.execute("CREATE TABLE lake.core.u AS SELECT 1 AS n")
    other.close()
    assert read(settings, "SELECT count(*), sum(n) FROM lake.core.t") == [(52, 1326)]
    # With those of the lake's owner and of its numbers.
    assert len(data_files(settings)) == 5
    assert read(settings, "SELECT * FROM __ducklake_metadata_lake.ducklake_inlined_data_tables") == []


@pytest.mark.parametrize("name", ["retention", "orphan_age"])
def test_limit_below_the_longest_query_is_refused(sqlite_settings: Settings, name: str) -> None:
    with pytest.raises(LakeError, match=f"{name}.*at least 1 day"):
        maintain(sqlite_settings, **{name: timedelta(hours=23)})  # type: ignore[arg-type]


def test_unknown_table_is_refused_by_name(sqlite_settings: Settings) -> None:
    write(sqlite_settings, "SELECT 1")
    with pytest.raises(LakeError, match=r"core\.missing"):
        maintain(sqlite_settings, tables=["core.missing"])


def test_only_the_named_tables_are_kept_up(sqlite_settings: Settings) -> None:
    fill(sqlite_settings)
    files = file_counts(sqlite_settings)
    lines: list[str] = []
    maintain(sqlite_settings, tables=["core.u"], progress=lines.append)
    assert lines == ["rewrite core.u", "merge core.u"]
    assert file_counts(sqlite_settings)["u"] == (1, 0)
    assert file_counts(sqlite_settings)["t"] == files["t"]


def test_only_old_orphans_are_removed(settings: Settings) -> None:
    fill(settings)
    known = data_files(settings)
    folder = next(iter(known)).parent
    young, old = folder / "young.parquet", folder / "old.parquet"
    for path in (young, old, *known):
        path.touch()
    two_days_ago = time.time() - 2 * 86400
    for path in (old, *known):
        os.utime(path, (two_days_ago, two_days_ago))
    assert maintain(settings).orphaned_files == 1
    assert young.exists()
    assert not old.exists()
    assert known <= data_files(settings)


@pytest.mark.parametrize("step", ["rewrite core.t", "merge core.t"])
def test_maintenance_killed_in_a_step_leaves_a_valid_lake(sqlite_settings: Settings, step: str) -> None:
    fill(sqlite_settings)
    before = versions(sqlite_settings)
    process = python(
        sqlite_settings,
        """
from warehouse.lake import maintenance
def killed(connection, settings, work, *, message):
    def inside(c):
        rows = work(c)
        if message.endswith(sys.argv[2]) and rows:
            die()
        return rows
    return transact(connection, settings, inside, message=message)
maintenance.transact = killed
maintenance.maintain(settings)
""",
        step,
    )
    assert process.wait(timeout=60) == -9
    process.communicate()
    after = versions(sqlite_settings)
    assert {snapshot: after[snapshot] for snapshot in before} == before
    assert maintain(sqlite_settings).failed == ()
    assert maintain(sqlite_settings) == MaintenanceReport()
    assert versions(sqlite_settings)[max(before)] == before[max(before)]


def test_failing_step_is_reported_and_the_others_go_on(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sqlite_settings)
    # As when another host drops a table after it was listed.
    monkeypatch.setattr(maintenance, "_tables", lambda connection, wanted: [("core", "gone"), ("core", "u")])
    report = maintain(sqlite_settings)
    assert [reason.partition(":")[0] for reason in report.failed] == [
        "rewrite core.gone",
        "merge core.gone",
    ]
    assert file_counts(sqlite_settings)["u"] == (1, 0)


def test_readers_beside_maintenance_see_no_error_and_the_same_sums(settings: Settings, tmp_path: Path) -> None:
    fill(settings)
    stop = tmp_path / "stop"
    reading = """
seen = set()
count = 0
with open_lake(settings, read_only=True) as connection:
    say("ready")
    while not Path(sys.argv[2]).exists():
        seen.update(connection.execute("SELECT count(*), sum(n), sum(hash(name, tags)) FROM lake.core.t").fetchall())
        count += 1
say(len(seen))
say(count)
"""
    readers = [python(settings, reading, str(stop)) for _ in range(2)]
    with stopped_at_the_end(*readers):
        for reader in readers:
            assert line(reader) == "ready"
        assert maintain(settings).failed == ()
        stop.touch()
        for reader in readers:
            different, count = finish(reader)
            assert different == "1"
            assert int(count) > 1
