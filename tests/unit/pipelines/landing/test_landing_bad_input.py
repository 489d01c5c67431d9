"""Bad input: what goes to quarantine row by row, and what is refused whole while the rest of the run lands."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.contract import Rule
from tests.unit.pipelines.landing.landings import ORDERS, Place, contract, field, files
from warehouse.settings import Settings

HEADER = "order_no,amount,reported_at,status\n"
GOOD = HEADER + "ok,1,2026-01-01,open\n"


@pytest.fixture
def place(sqlite_settings: Settings, tmp_path: Path) -> Place:
    return files(sqlite_settings, tmp_path / "drops", path="*.csv*")


def refused(place: Place) -> dict[str, str]:
    """Land beside a good file, which must land all the same; the problems by file."""
    place.drop("good.csv", GOOD)
    result = place.land()
    assert place.rows("order_no") == [("ok",)]
    assert [load["uri"] for load in place.loads()] == ["good.csv"]
    return {refusal.uri: refusal.problem for refusal in result.refusals}


def test_a_bad_row_keeps_its_values_all_its_broken_rules_and_its_place(place: Place) -> None:
    described = contract(
        *ORDERS.fields,
        field("channel", code_list="case_channel"),
        field("note", max_length=5),
        rules=(Rule("cheap_if_open", "status <> 'open' OR amount < 50"),),
    )
    place = place.with_contract(described)
    place.drop(
        "a.csv",
        HEADER.strip() + ",channel,note\n"
        "1,5,2026-01-01,open,public,fine\n"
        ",5,2026-01-01,open,public,fine\n"
        "3,12.5,yesterday,OPEN,telegraph,much too long\n"
        "4,101,2026-01-01,closed,public,fine\n"
        "5,60,2026-01-01,open,public,fine\n"
        '6,5,2026-01-01,"open ",public,fine\n'
        "7,5,,,,\n",
    )
    place.land()
    assert place.rows("order_no, status, _source_row") == [("1", "open", 1), ("6", "open", 6), ("7", None, 7)]
    found = place.quarantine()
    assert [(rules, row) for _, rules, row in found] == [
        (["required:order_no"], 2),
        (["code_list:channel", "length:note", "pattern:status", "type:amount", "type:reported_at"], 3),
        (["range:amount"], 4),
        (["rule:cheap_if_open"], 5),
    ]
    assert found[1][0] == {
        "order_no": "3",
        "amount": "12.5",
        "reported_at": "yesterday",
        "status": "OPEN",
        "channel": "telegraph",
        "note": "much too long",
    }
    assert found[0][0]["order_no"] == ""


def test_lines_that_do_not_split_go_to_quarantine_with_their_line_and_place(place: Place) -> None:
    place.drop("a.csv", HEADER + "1,1,,open\n2,2\n3,3,,open\n4,4,,open,more\n5,5,,open\n")
    place.drop("b.csv", HEADER + 'x1,1,,"two\nlines"\nx2\nx3,x,,open\nx4,4,,open\n')
    place.land()
    assert place.rows("order_no, _source_row", order="order_no") == [("1", 1), ("3", 3), ("5", 5), ("x4", 4)]
    by_row = place.sql(
        "SELECT l.uri, q._source_row, q.broken_rules, q.original->>'line' FROM lake.quarantine.orders q"
        " JOIN lake.ops.load l ON l.delivery_id = q._delivery_id ORDER BY 1, 2"
    )
    assert by_row == [
        ("a.csv", 2, ["unreadable"], "2,2"),
        ("a.csv", 4, ["unreadable"], "4,4,,open,more"),
        ("b.csv", 1, ["pattern:status"], None),
        ("b.csv", 2, ["unreadable"], "x2"),
        ("b.csv", 3, ["type:amount"], None),
    ]


def test_several_unreadable_lines_in_a_row_keep_every_place(place: Place) -> None:
    lines = ["bad"] * 3 + ["1,1,,open"] * 2 + ["bad,bad"] * 2 + ["2,x,,open", "3,3,,open", "bad"]
    place.drop("a.csv", HEADER + "\n".join(lines) + "\n")
    place.land()
    assert [row for (row,) in place.rows("_source_row")] == [4, 5, 9]
    assert [row for _, _, row in place.quarantine()] == [1, 2, 3, 6, 7, 8, 10]


def test_a_quote_that_goes_wrong_refuses_the_file(place: Place) -> None:
    # Not quarantined: the reader then reports rows twice and loses their text.
    place.drop("open.csv", HEADER + '1,1,,open\n2,2,,"open\n3,3,,open\n')
    place.drop("after.csv", HEADER + '1,1,,"T1""\n2\n3,3,,"x\r\n"\n4,4,,"y\n z"\n')
    place.drop("text.csv", HEADER + '1,1,,"open"ed\n2,2,,open\n')
    problems = refused(place)
    assert sorted(problems) == ["after.csv", "open.csv", "text.csv"]
    assert "a quote in row 3 is not closed" in problems["open.csv"]


def test_a_quote_inside_a_plain_value_is_part_of_it(place: Place) -> None:
    place = place.with_contract(contract(*ORDERS.fields[:1], field("status")))
    place.drop("a.csv", HEADER + '1,1,,5" pipe\n2,2,,"say ""hi"""\n')
    place.land()
    assert place.rows("order_no, status") == [("1", '5" pipe'), ("2", 'say "hi"')]


def test_a_missing_required_column_refuses_the_file_and_names_the_fix(place: Place) -> None:
    place.drop("bad.csv", "number,amount\n1,5\n")
    problem = refused(place)["bad.csv"]
    assert "required column is missing: order_no (column order_no)" in problem
    assert "The delivery has: number, amount" in problem
    assert "`fields` of the source file" in problem


def test_damaged_and_empty_files_are_refused(place: Place) -> None:
    text = (HEADER + "".join(f"{n},1,,open\n" for n in range(5000))).encode()
    packed = {"gzip": gzip.compress(text)}
    packed["zstd"] = pa.Codec("zstd").compress(text, asbytes=True)
    place.drop("cut.csv.gz", packed["gzip"][:-20])
    place.drop("cut_by_one.csv.gz", packed["gzip"][:-1])
    place.drop("cut.csv.zst", packed["zstd"][:-20])
    place.drop("cut_by_one.csv.zst", packed["zstd"][:-1])
    damaged = bytearray(packed["gzip"])
    damaged[len(damaged) // 2] ^= 0xFF
    place.drop("damaged.csv.gz", bytes(damaged))
    place.drop("no_gzip.csv.gz", b"order_no\n1\n")
    place.drop("empty.csv", b"")
    place.drop("blank.csv", b"\n\n")
    place.drop("packed_nothing.csv.gz", gzip.compress(b""))
    problems = refused(place)
    assert sorted(problems) == [
        "blank.csv",
        "cut.csv.gz",
        "cut.csv.zst",
        "cut_by_one.csv.gz",
        "cut_by_one.csv.zst",
        "damaged.csv.gz",
        "empty.csv",
        "no_gzip.csv.gz",
        "packed_nothing.csv.gz",
    ]
    assert "the file is empty" in problems["empty.csv"]
    assert all("Fix: ask the provider" in problem for problem in problems.values())
    # Delivered again whole, they land.
    place.drop("cut.csv.gz", packed["gzip"])
    place.drop("cut.csv.zst", packed["zstd"])
    assert place.land().counts.accepted_count == 10_000


def test_gb18030_is_read_where_it_is_declared(place: Place) -> None:
    place = place.with_contract(contract(*ORDERS.fields[:2], field("place"))).with_entry(
        encoding=["utf-8", "gb18030"], fields={"order_no": "编号", "amount": "数量", "place": "地点"}
    )
    place.drop("gb.csv", "编号,数量,地点\n1,5,云河区㐀\n2,x,兰汀区\n".encode("gb18030"))
    place.drop("utf.csv", "编号,数量,地点\n3,6,云河区\n")
    place.drop("gb.csv.gz", gzip.compress("编号,数量,地点\n4,7,海棠\n".encode("gb18030")))
    place.land()
    found = place.rows("order_no, amount, place", order="1")
    assert found == [("1", 5, "云河区㐀"), ("3", 6, "云河区"), ("4", 7, "海棠")]
    assert place.quarantine()[0][0] == {"编号": "2", "数量": "x", "地点": "兰汀区"}


def test_gb18030_that_is_not_declared_is_refused_whole(place: Place) -> None:
    # Not quarantined: the reader replaces the bytes, and the file would count as landed once its encoding is declared.
    place.drop("rows.csv", (HEADER + "1,5,,open\n2,5,,立案\n").encode("gb18030"))
    place.drop("header.csv", "order_no,备注\n1,x\n".encode("gb18030"))
    place.drop("wrong.csv", b"order_no,amount\n1,\xff\xff\n")
    problems = refused(place)
    assert problems["rows.csv"] == "is not utf-8 in line 3 (byte 50). Fix: declare its encoding under `encoding`"
    assert "is not utf-8 in line 1 (byte 9)" in problems["header.csv"]
    two = place.with_entry(encoding=["utf-8", "gb18030"]).with_contract(
        replace(ORDERS, fields=(*ORDERS.fields[:3], field("status")))
    )
    result = two.land()
    assert [(r.uri, "none of the declared encodings" in r.problem) for r in result.refusals] == [("wrong.csv", True)]
    assert ("2", "立案") in two.rows("order_no, status")


def test_mixed_line_ends_are_refused_with_a_reason(place: Place) -> None:
    place.drop("mixed.csv", HEADER + "1,1,,open\r\n2,2,,open\n")
    assert "the line ends are mixed" in refused(place)["mixed.csv"]


def test_one_bad_file_among_many_is_found_and_the_others_land(place: Place) -> None:
    for number in range(20):
        place.drop(f"{number:02}.csv", HEADER + f"{number},1,,open\n")
    place.drop("07b.csv", (HEADER + "1,5,,立案\n").encode("gb18030"))
    result = place.land()
    assert [refusal.uri for refusal in result.refusals] == ["07b.csv"]
    assert result.counts.accepted_count == 20


def test_a_refused_file_stands_in_the_lake_until_its_own_place_gives_a_whole_one(place: Place) -> None:
    open_ones = "SELECT uri, content_hash <> '' FROM lake.ops.refusal WHERE closed_at IS NULL"
    place.drop("bad.csv", "amount\n1\n")
    place.drop("good.csv", "order_no,amount\nA1,1\n")
    assert place.land().counts.delivery_count == 1
    assert place.sql(open_ones) == [("bad.csv", True)]
    place.drop("later.csv", "order_no,amount\nA2,2\n")
    assert [refusal.uri for refusal in place.land().refusals] == ["bad.csv"]
    assert place.sql(open_ones) == [("bad.csv", True)]
    before = place.snapshot()
    place.land()
    assert place.snapshot() == before
    place.drop("bad.csv", "order_no,amount\nA3,3\n")
    assert place.land().refusals == ()
    assert place.sql(open_ones) == []


def test_a_row_of_totals_is_refused_and_no_other(place: Place) -> None:
    words = ["合计", "合 计：", "总　计", "小计", "Total", "SUBTOTAL", "合计："]
    # A key of several fields, of which only a text can hold the word.
    dated = [replace(f, key_position=2) if f.name == "reported_at" else f for f in ORDERS.fields]
    place = place.with_contract(contract(*dated))
    things = ["合计路1号", "T1", "总计划局", "Totally", "甲", "l", "total 5"]
    place.drop("a.csv", HEADER + "".join(f"{word},1,,open\n" for word in [*things, *words]))
    place.land()
    assert sorted(key for (key,) in place.rows("order_no")) == sorted(things)
    assert [rules for _, rules, _ in place.quarantine()] == [["totals_row"]] * len(words)
