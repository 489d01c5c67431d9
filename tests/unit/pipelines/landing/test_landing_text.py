"""Text arrives as it was written: encodings, blanks around keys and codes, names of columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipelines.landing.landings import Place, contract, field, files
from warehouse.settings import Settings

CASES = contract(field("case_no", is_required=True, key_position=1), field("place"), field("status"))
NAMES = {"case_no": "编号", "place": "地点", "status": "状态"}


@pytest.fixture
def place(sqlite_settings: Settings, tmp_path: Path) -> Place:
    return files(sqlite_settings, tmp_path / "drops", CASES, encoding=["utf-8", "gb18030"], fields=NAMES)


@pytest.mark.parametrize("encoding", [["utf-8", "gb18030"], ["gb18030", "utf-8"], ["utf-8"]])
def test_a_damaged_character_of_utf8_refuses_its_row_and_no_other(place: Place, encoding: list[str]) -> None:
    text = "编号,地点,状态\n1,云河路口,待办\n2,人民广场,已办\n3,中山公园,待办\n4,海棠街,已办\n".encode()
    place.drop("cut.csv", text.replace("公园".encode(), "公园".encode()[:-1]))
    place.drop("end.csv", text[:-2] + b"\n")
    place.drop("whole.csv", text.replace(b"\n", b"\n\n", 1))
    place.with_entry(encoding=encoding).land()
    by_file = place.sql(
        "SELECT uri, list(case_no || place || status ORDER BY case_no) FROM lake.raw.orders r"
        " JOIN lake.ops.load l ON l.delivery_id = r._delivery_id GROUP BY uri ORDER BY uri"
    )
    first, second, fourth = "1云河路口待办", "2人民广场已办", "4海棠街已办"
    assert by_file == [
        ("cut.csv", [first, second, fourth]),
        ("end.csv", [first, second, "3中山公园待办"]),
        ("whole.csv", [first, second, "3中山公园待办", fourth]),
    ]
    found = place.quarantine()
    assert sorted((rules, row) for _, rules, row in found) == [(["unreadable"], 3), (["unreadable"], 4)]
    assert {original["地点"] for original, _, _ in found} == {"中山公<E5><9B>", "海棠街"}


def test_what_is_no_utf8_is_read_in_the_other_encoding_or_refused_with_its_place(place: Place) -> None:
    place.drop("gb.csv", "编号,地点,状态\n1,云河路口,待办\n".encode("gb18030"))
    place.drop("utf16.csv", "编号\t地点\t状态\r\n2,x\t人民广场\t已办\r\n".encode("utf-16"))
    place.drop("bom.csv", "\ufeff编号,地点,状态\n3,海棠街,已办\n".encode())
    assert place.land().refusals == ()
    assert place.rows("case_no, place", order="1") == [("1", "云河路口"), ("2,x", "人民广场"), ("3", "海棠街")]
    only = place.with_entry(encoding=["gb18030"])
    only.drop("other.csv", "编号,地点,状态\n4,云河路口,待办\n")
    (refusal,) = only.land().refusals
    assert refusal.problem == "is utf-8 and not gb18030. Fix: add utf-8 under `encoding`"


@pytest.mark.parametrize(
    "blank", [" ", "   ", "\t", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2003", "\u2060", " \u3000\u200b"]
)
def test_blanks_of_every_kind_around_keys_and_codes_do_not_count(place: Place, blank: str) -> None:
    place.drop(
        "a.csv", f"编号,地点,状态\nA1{blank},{blank}云河 路口{blank},待办\n{blank}A2,x,{blank}已办{blank}\n{blank},x,\n"
    )
    place.land()
    assert place.rows("case_no, place, status", order="1") == [
        ("A1", f"{blank}云河 路口{blank}", "待办"),
        ("A2", "x", "已办"),
    ]
    assert [rules for _, rules, _ in place.quarantine()] == [["required:case_no"]]


def test_two_deliveries_of_a_padded_and_a_plain_key_are_two_states_of_one_thing(place: Place) -> None:
    place.drop("a.csv", "编号,地点,状态\r\nA1    ,x,待办  \r\n")
    place.drop("b.csv", "编号,地点,状态\nA1,x,已办\n")
    place.land()
    assert place.rows("case_no, status", order="2") == [("A1", "已办"), ("A1", "待办")]


def test_columns_of_one_name_are_told_apart_by_their_number(place: Place) -> None:
    place.drop("a.csv", "编号,地点,状态,地点\n1,受理,待办,办结\n2,,待办,办结二\n")
    (refusal,) = place.land().refusals
    assert refusal.problem == (
        "2 columns are called 地点. Fix: say under `fields` of the source file which of them is meant:"
        " '地点 #1' or '地点 #2'"
    )
    # A file before the second column came has the plain name.
    place.drop("b.csv", "编号,地点,状态\n3,早先,待办\n")
    place.with_entry(fields=NAMES | {"place": ["地点", "地点 #2"]}).land()
    assert place.rows("case_no, place, _extra", order="1") == [
        ("1", "办结", '{"地点 #1":"受理"}'),
        ("2", "办结二", '{"地点 #1":null}'),
        ("3", "早先", None),
    ]
    assert place.loads()[0]["unknown_columns"] == ["地点 #1"]


@pytest.mark.parametrize(
    ("header", "end"),
    [
        ('编号,"地点\n（路口）",状态', "\r\n"),
        ('编号,"地点\r\n（路口）",状态', "\n"),
        (' 编号\u3000,"地点(路口)","\u200b状\n态"', "\n"),
        ('"编号","地 点（路口）","状态 "', "\r\n"),
    ],
)
def test_names_with_line_breaks_blanks_and_other_widths_are_found(place: Place, header: str, end: str) -> None:
    named = place.with_entry(fields=NAMES | {"place": "地点（路口）"}, encoding=["utf-8"])
    rows = "".join(f"{n},路口{n},待办{end}" for n in range(8))
    named.drop("a.csv", header + end + rows)
    result = named.land()
    assert (result.refusals, result.counts.accepted_count) == ((), 8)
    assert named.rows("place", order="1")[7] == ("路口7",)
    assert named.loads()[0]["missing_columns"] == []
