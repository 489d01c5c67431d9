"""Parts are neither lost nor mixed: whatever is killed, read or changed while they are published."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.unit.warehouse.helpers import close_sessions, finish, line, python, stopped_at_the_end, write
from tests.unit.warehouse.part_city import A_YEAR, check, city, months, parts, served
from warehouse.lake.maintenance import maintain
from warehouse.serving import partitions
from warehouse.serving.publish import Publication, current, serving_folder
from warehouse.serving.reading import open_version
from warehouse.settings import Settings, load_settings


def test_a_publish_killed_at_any_step_leaves_the_old_version_whole(sqlite_settings: Settings) -> None:
    """Killed at each point where something has just reached the disk, one after the other, until one gets through."""
    city(sqlite_settings, *A_YEAR[:20])
    first = served(sqlite_settings)
    write(sqlite_settings, "UPDATE lake.core.fct_case SET unit_id = 'b' WHERE month(reported_at) IN (1, 2)")
    code = """
import os
from warehouse.serving import publish
from tests.unit.warehouse.part_city import served
left = int(sys.argv[2])
def counted(function):
    def call(*arguments, **named):
        global left
        done = function(*arguments, **named)
        left -= 1
        if left == 0:
            die()
        return done
    return call
os.fsync = counted(os.fsync)
Path.rename, Path.replace, Path.symlink_to = map(counted, (Path.rename, Path.replace, Path.symlink_to))
served(settings)
"""
    close_sessions()
    kills = 0
    with stopped_at_the_end():
        while True:
            process = python(sqlite_settings, code, str(kills + 1))
            process.communicate(timeout=120)
            if process.returncode == 0:
                break
            assert process.returncode == -9
            kills += 1
            now = current(sqlite_settings, "city")
            assert now is not None
            if now.version == first.version:
                with open_version(now.path, threads=1, memory="300MB") as connection:
                    assert connection.execute("SELECT count(*) FROM mart_case").fetchall() == [(20,)]
                    assert connection.execute("SELECT sum(case_count) FROM mart_count").fetchall() == [(20,)]
            else:
                check(sqlite_settings, now)
    assert kills >= 20  # 6 parts, the file and the link, each in several steps
    last = served(sqlite_settings, grace=timedelta(0))
    check(sqlite_settings, last)
    named = {path for (path,) in _rows(last, "SELECT path FROM main._part")}
    assert {f"city.parts/{path}" for path in parts(sqlite_settings)} == named
    assert {path.name for path in serving_folder(sqlite_settings).iterdir()} == {
        ".city.lock",
        "city.duckdb",
        "city.parts",
        last.path.name,
    }


def _rows(version: Publication, sql: str) -> list[tuple[str, ...]]:
    with open_version(version.path, threads=1, memory="300MB") as connection:
        return connection.execute(sql).fetchall()


def test_parts_go_with_the_last_version_that_names_them(sqlite_settings: Settings) -> None:
    city(sqlite_settings, *A_YEAR)
    first = served(sqlite_settings)
    before = set(parts(sqlite_settings))
    reader = python(
        sqlite_settings,
        """
from warehouse.serving.reading import open_version
connection = open_version(Path(sys.argv[2]), threads=1, memory="300MB")
say("open")
sys.stdin.readline()
say(connection.cursor().execute("SELECT count(*) FROM zh.mart_case").fetchall())
""",
        str(first.path),
    )
    with stopped_at_the_end(reader):
        assert line(reader) == "open"
        write(sqlite_settings, "UPDATE lake.core.fct_case SET unit_id = 'b'")
        second = served(sqlite_settings, grace=timedelta(0))
        assert before < set(parts(sqlite_settings))
        assert finish(reader) == ["[(60,)]"]
    served(sqlite_settings, grace=timedelta(0))
    assert not first.path.exists()
    assert months(before & set(parts(sqlite_settings))) == {"unit"}  # which did not change
    check(sqlite_settings, second)


def test_readers_see_whole_versions_while_parts_are_switched(sqlite_settings: Settings, tmp_path: Path) -> None:
    city(sqlite_settings, *A_YEAR)
    served(sqlite_settings)
    stop = tmp_path / "stop"
    reading = """
from warehouse.serving.reading import open_version
link = settings.home_path / "serving" / "city.duckdb"
versions = set()
say("ready")
while not Path(sys.argv[2]).exists():
    path = link.resolve()
    if path.name in versions:
        continue
    root = open_version(path, threads=1, memory="300MB")
    for _ in range(3):
        rows, counted, as_of, newest = root.cursor().execute(
            "SELECT (SELECT count(*) FROM zh.mart_case), (SELECT sum(case_count) FROM en.mart_count), "
            "(SELECT as_of FROM en.publication), (SELECT max(reported_at) FROM zh.mart_case)"
        ).fetchone()
        assert rows == counted and as_of == newest, (rows, counted, as_of, newest)
    root.close()
    versions.add(path.name)
say(len(versions))
"""
    readers = [python(sqlite_settings, reading, str(stop)) for _ in range(2)]
    with stopped_at_the_end(*readers):
        for reader in readers:
            assert line(reader) == "ready"
        for number in range(6):
            write(
                sqlite_settings,
                f"INSERT INTO lake.core.fct_case VALUES ({100 + number}, TIMESTAMP '2026-01-0{1 + number}', 'a')",
            )
            assert served(sqlite_settings).is_new
        stop.touch()
        for reader in readers:
            assert int(finish(reader)[-1]) > 1


def test_only_one_publishes_at_a_time(sqlite_settings: Settings) -> None:
    city(sqlite_settings, *A_YEAR)
    close_sessions()
    code = """
from tests.unit.warehouse.part_city import served
say("ready")
sys.stdin.readline()
say(served(settings).is_new)
"""
    both = [python(sqlite_settings, code) for _ in range(2)]
    with stopped_at_the_end(*both):
        for process in both:
            assert line(process) == "ready"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert sorted(finish(process)[-1] for process in both) == ["False", "True"]
    version = current(sqlite_settings, "city")
    assert version is not None
    check(sqlite_settings, version)


_MOMENT = st.one_of(
    st.datetimes(min_value=datetime(2025, 1, 30), max_value=datetime(2025, 3, 3)).map(
        lambda at: f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'"
    ),
    st.just("NULL"),
)
_UNIT = st.sampled_from(("'a'", "'b'", "NULL"))
_SOME = st.integers(0, 4).map(lambda rest: f"coalesce(case_id, 0) % 5 = {rest}")
_CHANGE = st.one_of(
    st.lists(st.tuples(st.integers(0, 40), _MOMENT, _UNIT), min_size=1, max_size=12).map(
        lambda rows: (
            "INSERT INTO lake.core.fct_case VALUES " + ", ".join(f"({n}, {at}, {unit})" for n, at, unit in rows)
        )
    ),
    st.tuples(_MOMENT, _SOME).map(lambda it: f"UPDATE lake.core.fct_case SET reported_at = {it[0]} WHERE {it[1]}"),
    st.tuples(_UNIT, _SOME).map(lambda it: f"UPDATE lake.core.fct_case SET unit_id = {it[0]} WHERE {it[1]}"),
    _SOME.map(lambda some: f"DELETE FROM lake.core.fct_case WHERE {some}"),
    st.just("DELETE FROM lake.core.fct_case"),
    st.sampled_from(("'新'", "NULL")).map(lambda name: f"UPDATE lake.core.unit SET unit_name_zh = {name}"),
    st.sampled_from(("'2025-01-01'", "'2025-02-03'", "'2025-03-03'", "NULL")).map(
        lambda at: f"UPDATE lake.core.horizon SET as_of = {at}"
    ),
    st.just("upkeep"),
    st.just("publish"),
)


@pytest.mark.slow
@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(_CHANGE, min_size=1, max_size=8))
def test_the_serving_tables_equal_the_lakes_whatever_changed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, changes: list[str]
) -> None:
    monkeypatch.setattr(partitions, "PART_ROWS", 6)
    settings = load_settings(home=tmp_path_factory.mktemp("lake") / "home", memory="600MB")
    try:
        city(settings, *A_YEAR[:8])
        for change in [*changes, "publish"]:
            match change:
                case "publish":
                    check(settings, served(settings, grace=timedelta(0)))
                case "upkeep":
                    maintain(settings, tables=["core.fct_case", "core.unit"])
                case _:
                    write(settings, change)
    finally:
        close_sessions()
