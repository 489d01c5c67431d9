"""How times become times of the city: offsets, UTC, epochs, workbooks, changes of clocks, and times to come."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.sources.declared import SourceError
from tests.unit.pipelines.landing.landings import Place, contract, field, files
from warehouse.settings import Settings

TIMED = contract(
    field("order_no", is_required=True, key_position=1),
    field("seen", "TIMESTAMP"),
    field("day", "DATE"),
    field("due", "TIMESTAMP", is_future_allowed=True),
)


def landed(settings: Settings, root: Path, *values: str, kind: str = "seen", **entry: Any) -> list[str | None]:
    """What each value becomes; None for a refused one."""
    place = files(settings, root, TIMED, **entry)
    place.drop("a.csv", f"order_no,{kind}\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values)))
    place.land()
    found = dict(place.rows(f"order_no, {kind}::varchar"))
    return [found.get(str(n)) for n in range(len(values))]


def test_what_carries_an_offset_is_turned_and_what_is_local_stays(sqlite_settings: Settings, tmp_path: Path) -> None:
    assert landed(
        sqlite_settings,
        tmp_path,
        "2026-03-31T16:30:00Z",
        "2026-04-01T00:30:00+08:00",
        "2026-03-31 12:30:00-0400",
        "2026-03-31 16:30:00.250 UTC",
        "2026-04-01T00:30:00",
        "2026-04-01",
        "2026-04-01T06:15:00+05:45",
        "2026-04-01T00:30:00+99",
        "2026-04-01T00:30:00 Mars",
    ) == [
        "2026-04-01 00:30:00",
        "2026-04-01 00:30:00",
        "2026-04-01 00:30:00",
        "2026-04-01 00:30:00.25",
        "2026-04-01 00:30:00",
        "2026-04-01 00:00:00",
        "2026-04-01 08:30:00",
        None,
        None,
    ]


def test_a_day_is_the_one_that_stands_there_or_begins_there(sqlite_settings: Settings, tmp_path: Path) -> None:
    values = (
        "2026-04-01",
        "2026-03-31T16:00:00Z",
        "2026-04-01T00:00:00Z",
        "2026-04-01T00:00:00+08",
        "2026-04-01T09:00:00Z",
    )
    assert landed(sqlite_settings, tmp_path, *values, kind="day") == ["2026-04-01"] * 4 + [None]


@pytest.mark.parametrize(
    ("telling", "value", "expected"),
    [
        ({"tells": "utc"}, "2026-03-31 16:30:00", "2026-04-01 00:30:00"),
        ({"tells": "utc"}, "2026-03-31 16:30:00+08", "2026-03-31 16:30:00"),
        ({"tells": "offset"}, "2026-03-31 16:30:00", None),
        ({"tells": "offset"}, "2026-03-31 16:30:00Z", "2026-04-01 00:30:00"),
        ({"tells": "epoch_s"}, "1774974600", "2026-04-01 00:30:00"),
        ({"tells": "epoch_s"}, "1774974600.5", "2026-04-01 00:30:00.5"),
        ({"tells": "epoch_ms"}, "1774974600000", "2026-04-01 00:30:00"),
        ({"tells": "epoch_ms"}, "1e12", None),
        ({"tells": "epoch_s"}, "2026-04-01", None),
        ({"tells": "excel"}, "46113.0208333333", "2026-04-01 00:30:00"),
        ({"tells": "excel"}, "2026-04-01 00:30:00", "2026-04-01 00:30:00"),
        ({"tells": "local", "zone": "Europe/Berlin"}, "2026-04-01 00:30:00", "2026-04-01 06:30:00"),
        ({"zone": "Europe/Berlin"}, "2026-03-31 16:30:00Z", "2026-04-01 00:30:00"),
    ],
)
def test_a_field_says_how_its_source_tells_time(
    sqlite_settings: Settings, tmp_path: Path, telling: dict[str, str], value: str, expected: str | None
) -> None:
    assert landed(sqlite_settings, tmp_path, value, moments={"seen": telling}) == [expected]


def test_an_offset_of_a_local_time_is_told_unless_it_is_known_to_be_wrong(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    values = ("2026-04-01T00:30:00Z", "2026-04-01T00:30:00")
    assert (
        landed(sqlite_settings, tmp_path, *values, moments={"seen": {"tells": "local"}}) == ["2026-04-01 00:30:00"] * 2
    )
    (load,) = files(sqlite_settings, tmp_path, TIMED).loads()
    assert '"offset:seen":1' in load["warning_counts"]
    known = {"seen": {"tells": "local", "ignore_offset": "the service writes Z after local times"}}
    place = files(sqlite_settings, tmp_path / "known", TIMED, path="*.txt", moments=known)
    place.drop("b.txt", "order_no,seen\n9,2026-04-01T00:30:00Z\n")
    place.land()
    assert "offset:seen" not in place.loads()[-1]["warning_counts"]


def test_times_around_a_change_of_clocks_are_counted(sqlite_settings: Settings, tmp_path: Path) -> None:
    settings = sqlite_settings.model_copy(update={"timezone": "America/New_York"})
    values = (
        *("2026-03-08T01:59:00", "2026-03-08T02:30:00", "2026-03-08T03:00:00"),  # the second one never was
        *("2026-11-01T00:59:00", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
    )
    assert landed(settings, tmp_path, *values) == [
        *("2026-03-08 01:59:00", "2026-03-08 02:30:00", "2026-03-08 03:00:00"),
        *("2026-11-01 00:59:00", "2026-11-01 01:30:00", "2026-11-01 01:30:00", "2026-11-01 01:30:00"),
    ]
    (load,) = files(settings, tmp_path, TIMED).loads()
    assert '"clock_change":4' in load["warning_counts"]


def test_of_another_zone_the_skipped_hour_moves_on_and_the_repeated_one_is_the_second(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    berlin = {"seen": {"zone": "Europe/Berlin"}}
    values = ("2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-10-25 03:30:00")
    assert landed(sqlite_settings, tmp_path, *values, moments=berlin) == [
        *("2026-03-29 09:30:00", "2026-10-25 09:30:00", "2026-10-25 10:30:00"),
    ]
    (load,) = files(sqlite_settings, tmp_path, TIMED).loads()
    assert '"clock_change":2' in load["warning_counts"]


def test_instants_of_parquet_are_turned_and_plain_times_are_local(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(
        sqlite_settings, tmp_path, TIMED, path="*.parquet", format="parquet", moments={"due": {"tells": "epoch_ms"}}
    )
    at = datetime(2026, 3, 31, 16, 30, tzinfo=UTC)
    for name, kind in (("a", pa.timestamp("us", "UTC")), ("b", pa.timestamp("us"))):
        columns = {
            "order_no": pa.array([name]),
            "seen": pa.array([at], pa.timestamp("us", "UTC")).cast(kind),
            "due": pa.array([1774974600000]),
        }
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    place.land()
    assert place.rows("order_no, seen::varchar, due::varchar", order="1") == [
        ("a", "2026-04-01 00:30:00", "2026-04-01 00:30:00"),
        ("b", "2026-03-31 16:30:00", "2026-04-01 00:30:00"),
    ]


def test_times_beyond_the_delivery_are_refused_unless_they_are_planned(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    place = files(sqlite_settings, tmp_path, TIMED)
    place = Place(place.settings, place.source.model_copy(update={"as_of": None}), TIMED, tmp_path)
    rows = "1,2026-04-02T12:00:00,2026-04-02,2031-01-01\n2,2062-04-01T00:00:00,,\n"
    rows += "3,,2026-04-05,\n4,2026-04-04T00:00:00,,\n"
    for name, made in (("a.csv", "2026-04-02T06:00:00+00:00"), ("b.csv", "2026-04-03T06:00:00+00:00")):
        path = place.drop(name, "order_no,seen,day,due\n" + rows)
        seconds = datetime.fromisoformat(made).timestamp()
        os.utime(path, (seconds, seconds))
    place.land()
    refused = place.sql(
        "SELECT uri, json_extract_string(original, '$.order_no'), broken_rules FROM lake.quarantine.orders"
        " JOIN lake.ops.load ON delivery_id = _delivery_id ORDER BY ALL"
    )
    assert refused == [
        *(("a.csv", "2", ["future:seen"]), ("a.csv", "3", ["future:day"]), ("a.csv", "4", ["future:seen"])),
        *(("b.csv", "2", ["future:seen"]), ("b.csv", "3", ["future:day"])),
    ]
    assert place.rows("order_no", order="1") == [("1",), ("1",), ("4",)]


def test_a_file_without_a_time_of_its_own_is_judged_by_its_landing(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path, TIMED)
    place = Place(place.settings, place.source.model_copy(update={"as_of": None}), TIMED, tmp_path)
    path = place.drop("a.csv", "order_no,seen\n1,2020-01-01T00:00:00\n2,2999-01-01T00:00:00\n")
    os.utime(path, (315532800, 315532800))  # 1980, as archives without a clock have it
    place.land()
    assert place.rows("order_no") == [("1",)]


def test_a_zone_or_field_that_is_not_there_is_named(sqlite_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'Mars/Base' is no time zone.*Europe/Berlin"):
        files(sqlite_settings, tmp_path, TIMED, moments={"seen": {"zone": "Mars/Base"}})
    with pytest.raises(SourceError, match=r"no such field.*'when'.*correct `fields`, `fixes`, `moments`"):
        files(sqlite_settings, tmp_path, TIMED, moments={"when": {"tells": "utc"}}).land()
