"""Files that come again: former content that returns, content that changes unseen, files that are cut off."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from pipelines.connectors.files import seen
from pipelines.connectors.files.cut import is_being_written
from tests.unit.pipelines.landing.landings import Place, files
from warehouse.settings import Settings

HEADER = "order_no,amount,reported_at,status\n"
FIRST, SECOND = HEADER + "1,5,,open\n", HEADER + "1,6,,open\n"
LONG_AGO = (1_700_000_000_000_000_000,) * 2


@pytest.fixture
def place(sqlite_settings: Settings, tmp_path: Path) -> Place:
    return files(sqlite_settings, tmp_path / "drops", path="*.csv*")


def old(place: Place, name: str, content: str | bytes) -> Path:
    """A file that was written long ago."""
    path = place.drop(name, content)
    os.utime(path, ns=LONG_AGO)
    return path


def test_former_content_that_comes_back_is_a_new_delivery(place: Place) -> None:
    for content in (FIRST, SECOND, FIRST, SECOND):
        place.drop("a.csv", content)
        assert place.land().counts.delivery_count == 1
        assert place.land().counts.delivery_count == 0
    assert place.rows("amount, _load_seq") == [(5, 1), (6, 2), (5, 3), (6, 4)]
    assert len({load["delivery_id"] for load in place.loads()}) == 4


def test_other_content_of_the_same_size_and_time_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the file system's clock had moved on since the file was written.
    monkeypatch.setattr(seen, "_TICK_NS", -(10**18))
    path = old(place, "a.csv", FIRST)
    place.land()
    path.write_text(SECOND)
    os.utime(path, ns=LONG_AGO)
    assert place.land().counts.accepted_count == 1
    other = old(place, "other.tmp", FIRST)
    other.rename(path)
    assert place.land().counts.accepted_count == 1
    assert place.rows("amount") == [(5,), (6,), (5,)]


def test_a_file_of_which_nothing_changed_is_not_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_TICK_NS", -(10**18))
    old(place, "a.csv", FIRST)
    place.land()
    read: list[Path] = []
    monkeypatch.setattr(seen, "_digest", lambda path: read.append(path) or "")
    place.land()
    assert read == []


def test_a_file_that_was_just_written_is_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.drop("a.csv", FIRST)
    place.land()
    read: list[Path] = []
    digest = seen._digest
    monkeypatch.setattr(seen, "_digest", lambda path: read.append(path) or digest(path))
    place.land()
    assert [path.name for path in read] == ["a.csv"]


@pytest.mark.parametrize("left", ["nothing", "{", "[]"])
def test_the_memo_of_files_may_be_lost(place: Place, left: str) -> None:
    place.drop("a.csv", FIRST)
    place.land()
    memo = place.settings.home_path / "seen" / "office.orders.json"
    memo.unlink() if left == "nothing" else memo.write_text(left)
    assert place.land().counts.delivery_count == 0


def test_a_row_that_is_cut_off_refuses_the_file_until_it_is_whole(place: Place) -> None:
    whole = HEADER + "1,5,,open\n2,6,,closed\n"
    for name, cut in (("columns.csv", whole[:-9]), ("quote.csv", HEADER + '1,5,,open\n2,6,,"clo')):
        old(place, name, cut)
    problems = {refusal.uri: refusal.problem for refusal in place.land().refusals}
    assert problems["columns.csv"].startswith("the file ends inside its last row: 2 of 4 columns and no line end")
    assert "is not closed" in problems["quote.csv"]
    for name in problems:
        place.drop(name, whole)
    assert place.land().counts.accepted_count == 4
    assert place.rows("status", order="1") == [("closed",)] * 2 + [("open",)] * 2


def test_an_open_end_is_told_or_refused_by_what_else_is_known(place: Place) -> None:
    cut = HEADER + "1,5,,open\n2,6,,clos"
    old(place, "a.csv", cut)
    assert place.land().refusals == ()
    (load,) = place.loads()
    assert json.loads(load["warning_counts"]) == {"told:unended_last_row": 1, "clock_change": 0}
    required = place.with_entry(last_line_end="required")
    old(place, "b.csv", cut)
    (refusal,) = required.land().refusals
    assert "must have one (`last_line_end: required`)" in refusal.problem


def test_an_open_end_is_refused_where_all_other_files_have_none(place: Place) -> None:
    for number in range(3):
        old(place, f"{number}.csv", HEADER + f"{number},5,,open\n")
    place.land()
    path = old(place, "cut.csv", HEADER + "7,5,,ope")
    (refusal,) = place.land().refusals
    assert "no line end, and the file differs in this from 3 other files of the data set" in refusal.problem
    assert place.with_entry(last_line_end="optional").land().counts.accepted_count == 1
    path.write_text(HEADER + "7,5,,open\n")
    place.land()
    assert place.rows("status")[-1] == ("open",)


def test_an_open_end_with_the_key_last_is_refused(place: Place) -> None:
    old(place, "a.csv", "status,order_no\nopen,12345\nopen,123")
    (refusal,) = place.land().refusals
    assert "has a key in its last column" in refusal.problem


def test_an_open_end_of_a_file_that_is_being_written_waits(place: Place) -> None:
    path = place.drop("a.csv", HEADER + "1,5,,op")
    (refusal,) = place.land().refusals
    assert "was written within the last minute" in refusal.problem
    path.write_text(HEADER + "1,5,,open\n2,5,,open\n")
    assert time.time() - path.stat().st_mtime < 60
    assert place.land().counts.accepted_count == 2
    assert place.rows("status") == [("open",), ("open",)]


def test_a_sensor_sees_that_a_file_is_being_written_by_its_time_and_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    now = time.time_ns()
    assert not is_being_written(path, now), "it was taken away"
    for content, modified_ns, expected in (
        ("a,b\n1,2", now, True),
        ("a,b\n1,2\n", now, False),
        ("a,b\n1,2", LONG_AGO[0], False),
        ("", now, False),
    ):
        path.write_text(content)
        assert is_being_written(path, modified_ns) is expected
