"""Files in general: each once by path and content, what of a header is used, and what the load record says."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.contract import ContractError, Rule
from pipelines.sources.declared import SourceError
from tests.unit.pipelines.landing.landings import ORDERS, Place, contract, field, files
from warehouse.settings import Settings

HEADER = "order_no,amount,reported_at,status\n"


@pytest.fixture
def place(sqlite_settings: Settings, tmp_path: Path) -> Place:
    return files(sqlite_settings, tmp_path / "drops")


def test_a_second_run_without_news_writes_nothing_at_all(settings: Settings, tmp_path: Path) -> None:
    place = files(settings, tmp_path / "drops")
    place.drop("a.csv", HEADER + "1,5,2026-01-01,open\n2,x,2026-01-01,open\n")

    first = place.land()
    before = place.snapshot()
    second = place.land()

    assert (first.counts.accepted_count, first.counts.quarantined_count, first.has_changed) == (1, 1, True)
    assert second.counts.delivery_count == 0
    assert not second.has_changed
    assert place.snapshot() == before


def test_a_touched_file_is_not_landed_again_but_a_changed_one_is(place: Place) -> None:
    path = place.drop("a.csv", HEADER + "1,5,,open\n")
    place.land()
    os.utime(path, ns=(1, 1))
    before = place.snapshot()
    place.land()
    assert place.snapshot() == before

    place.drop("a.csv", HEADER + "1,6,,open\n")
    place.land()

    assert place.rows("order_no, amount, _load_seq") == [("1", 5, 1), ("1", 6, 2)]
    ids = [load["delivery_id"] for load in place.loads()]
    assert len(set(ids)) == 2


def test_the_same_content_under_another_name_is_another_delivery(place: Place) -> None:
    place.drop("a.csv", HEADER + "1,5,,open\n")
    place.drop("b.csv", HEADER + "1,5,,open\n")
    assert place.land().counts.delivery_count == 2


def test_every_row_tells_its_delivery_and_its_place_in_it(place: Place) -> None:
    for name in "ab":
        place.drop(f"{name}.csv", HEADER + "".join(f"{name}{n},{n},,open\n" for n in range(1, 4)))
    place.land()
    found = place.sql(
        "SELECT l.uri, r.order_no, r._source_row, r._load_seq, r._is_deleted, r._extra, r._loaded_at = l.loaded_at"
        " FROM lake.raw.orders r JOIN lake.ops.load l ON l.delivery_id = r._delivery_id ORDER BY 2"
    )
    assert found == [(f"{f}.csv", f"{f}{n}", n, 1, False, None, True) for f in "ab" for n in (1, 2, 3)]


def test_a_header_without_rows_is_a_delivery_of_none(place: Place) -> None:
    place.drop("a.csv", HEADER)
    assert place.land().counts.delivery_count == 1
    (load,) = place.loads()
    assert (load["read_count"], load["accepted_count"], load["quarantined_count"]) == (0, 0, 0)
    assert place.rows() == []


def test_headers_drift(place: Place) -> None:
    place.drop("1.csv", HEADER + "1,5,2026-01-01,open\n")
    place.drop("2_reordered.csv", "status,order_no,amount\nopen,2,6\n")
    place.drop("3_more.csv", "order_no,note,amount,部门\n3,n1,7,城管\n")
    place.drop("4_repeated.csv", "order_no,amount,note,note\n4,8,,b\n5,9,a,\n")
    place.drop("5_bom.csv", b"\xef\xbb\xbforder_no;amount\r\n6;10\r\n")
    place.drop("6_case.csv", "Order_No \tAMOUNT\n7\t11\n")
    place.drop("7_quoted.csv", '"order_no"|"amount"\n"8"|"12"\n')

    result = place.land()

    assert result.refusals == ()
    assert place.rows("order_no, amount, _extra", order="order_no") == [
        ("1", 5, None),
        ("2", 6, None),
        ("3", 7, '{"note":"n1","部门":"城管"}'),
        ("4", 8, '{"note #1":null,"note #2":"b"}'),
        ("5", 9, '{"note #1":"a","note #2":null}'),
        ("6", 10, None),
        ("7", 11, None),
        ("8", 12, None),
    ]
    loads = {load["uri"]: load for load in place.loads()}
    assert loads["3_more.csv"]["unknown_columns"] == ["note", "部门"]
    assert loads["3_more.csv"]["missing_columns"] == ["reported_at", "status"]
    assert loads["1.csv"]["unknown_columns"] == []
    assert loads["1.csv"]["missing_columns"] == []


def test_a_field_may_come_from_several_columns_and_from_the_path(sqlite_settings: Settings, tmp_path: Path) -> None:
    described = contract(
        field("order_no", is_required=True, key_position=1), field("amount", "INTEGER"), field("taken", "DATE")
    )
    place = files(
        sqlite_settings,
        tmp_path / "drops",
        described,
        path="{day}/**/{district}-*.csv",
        exclude=["*secret*"],
        fields={"order_no": ["NO", "id"], "amount": ["big", "small"], "taken": "{day}"},
    )
    place.drop("2026-01-01/east-1.csv", "NO,big,small\na,,2\n")
    place.drop("2026-01-02/deep/er/west-1.csv", "id,small\nb,3\n")
    place.drop("2026-01-02/secret/west-2.csv", "id,small\nc,3\n")
    place.drop("2026-01-03/other.csv", "id,small\nd,3\n")
    place.land()
    found = place.rows("order_no, amount, taken::varchar", order="1")
    assert found == [("a", 2, "2026-01-01"), ("b", 3, "2026-01-02")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("orders.csv", "order_no\n{0}\n"),
        ("orders.ndjson", '{{"order_no": "{0}"}}\n'),
        ("orders.json", '[{{"order_no": "{0}"}}]'),
        ("orders.geojson", '{{"features": [{{"properties": {{"order_no": "{0}"}}, "geometry": null}}]}}'),
    ],
)
def test_files_with_different_places_in_the_path_land_in_one_transaction(
    name: str, content: str, sqlite_settings: Settings, tmp_path: Path
) -> None:
    described = contract(field("order_no", is_required=True, key_position=1), field("taken", "DATE"))
    place = files(
        sqlite_settings,
        tmp_path / "drops",
        described,
        path=f"{{day}}/{name}",
        format=name.rpartition(".")[2],
        fields={"taken": "{day}"},
    )
    days = [f"2026-01-{day:02d}" for day in range(1, 6)]
    place.drop(f"{days[0]}/{name}", content.format("of day 0"))
    place.land()
    before = place.snapshot()
    for number, day in enumerate(days[1:], 1):
        place.drop(f"{day}/{name}", content.format(f"of day {number}"))
    place.land()
    assert place.snapshot() == before + 1, "a batch that fails is taken apart, file by file"
    assert place.rows("order_no, taken::varchar", order="1") == [(f"of day {n}", day) for n, day in enumerate(days)]


def test_fixes_are_applied_and_counted_exactly(sqlite_settings: Settings, tmp_path: Path) -> None:
    reason = {"reason": "a known bad value", "learned": "file of 2026"}
    fixes = [
        {"field": "reported_at", "value": "1970-01-01", "replacement": None, **reason},
        {"field": "status", "value": "OPEN", "replacement": "open", **reason},
        {"field": "amount", "value": "absent", "replacement": None, **reason},
    ]
    place = files(sqlite_settings, tmp_path / "drops", fixes=fixes)
    place.drop("a.csv", HEADER + "1,5,1970-01-01,OPEN\n2,5,1970-01-01,open\n3,x,1970-01-01,OPEN\n")
    place.drop("b.csv", HEADER + "4,5,1970-01-02,open\n")
    place.land()
    assert place.rows("order_no, reported_at::date::varchar, status", order="1") == [
        ("1", None, "open"),
        ("2", None, "open"),
        ("4", "1970-01-02", "open"),
    ]
    counted = [json.loads(load["fix_counts"]) for load in place.loads()]
    assert [list(counts.values()) for counts in counted] == [[3, 2, 0], [0, 0, 0]]
    ((original, broken, _),) = place.quarantine()
    assert (original["status"], broken) == ("OPEN", ["type:amount"])


def test_null_values_count_after_trimming(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops", null_values=["-", "NULL"])
    place.drop("a.csv", HEADER + "1,-,NULL,open\n2, - ,  ,\n 3 ,4,,open\n-,5,,open\n")
    place.land()
    assert place.rows("order_no, amount, reported_at, status", order="1") == [
        ("1", None, None, "open"),
        ("2", None, None, None),
        ("3", 4, None, "open"),
    ]
    assert [(original["order_no"], rules) for original, rules, _ in place.quarantine()] == [
        ("-", ["required:order_no"])
    ]


def test_warnings_are_counted_and_keep_the_row(place: Place) -> None:
    small = Rule("small", "amount < 10", severity="warning")
    place = place.with_contract(replace(ORDERS, rules=(small,)))
    place.drop("a.csv", HEADER + "1,5,,open\n2,50,,open\n3,,,open\n")
    place.land()
    assert len(place.rows()) == 3
    assert json.loads(place.loads()[0]["warning_counts"]) == {"rule:small": 1, "clock_change": 0}


def test_a_contract_that_gains_a_field_widens_the_table(place: Place) -> None:
    place.drop("a.csv", HEADER + "1,5,,open\n")
    place.land()
    place = place.with_contract(contract(*ORDERS.fields, field("note")))
    place.drop("b.csv", HEADER.strip() + ",note\n2,5,,open,hello\n")
    place.land()
    assert place.rows("order_no, note", order="1") == [("1", None), ("2", "hello")]


def test_a_changed_type_is_refused_and_nothing_changes(place: Place) -> None:
    place.drop("a.csv", HEADER + "1,5,,open\n")
    place.land()
    before = place.state()
    fields = [replace(f, physical_type="DOUBLE") if f.name == "amount" else f for f in ORDERS.fields]
    place.drop("b.csv", HEADER + "2,5,,open\n")
    with pytest.raises(ContractError, match="amount is DOUBLE but the lake holds it as INTEGER"):
        place.with_contract(contract(*fields)).land()
    assert place.state() == before


@pytest.mark.parametrize(
    "entry",
    [
        {"fields": {"amuont": "amount"}},
        {"fixes": [{"field": "amuont", "value": "1", "reason": "a known bad value", "learned": "somewhere"}]},
        {"cursor": {"field": "amuont"}},
    ],
)
def test_a_field_that_the_contract_does_not_have_is_an_error(place: Place, entry: dict[str, object]) -> None:
    with pytest.raises(SourceError, match=r"office\.yml.*orders.*no such field.*amuont"):
        place.with_entry(**entry).land()


def test_a_missing_folder_is_an_error_that_names_it(place: Place) -> None:
    place.root.rmdir()
    with pytest.raises(SourceError, match=r"folder of source files is not there.*drops.*GRIDLAKE_DATA"):
        place.land()


def test_names_that_are_sql_patterns_or_quotes_are_only_names(sqlite_settings: Settings, tmp_path: Path) -> None:
    evil = "x'); DROP TABLE lake.ops.load; --"
    place = files(sqlite_settings, tmp_path / "dr'ops", path="{day}/*.csv", fields={"status": "{day}"})
    place = place.with_contract(contract(*ORDERS.fields[:3], field("status")))
    quote = evil.replace('"', '""')
    place.drop(f"{evil}/a[1]*?'.csv", f'order_no,"{quote}",amount\n1,"{quote}",5\n2,"{quote}",x\n')
    place.drop("plain/a1.csv", "order_no,amount\n3,5\n")
    place.land()
    place.land()
    assert place.rows("order_no, status, _extra", order="1") == [
        ("1", evil, json.dumps({evil: evil}, separators=(",", ":"))),
        ("3", "plain", None),
    ]
    ((original, _, row),) = place.quarantine()
    assert (original, row) == ({"order_no": "2", evil: evil, "amount": "x"}, 2)
    assert {load["uri"] for load in place.loads()} == {f"{evil}/a[1]*?'.csv", "plain/a1.csv"}


def test_a_folder_that_looks_like_a_partition_adds_no_column(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops", path="*/a.csv")
    place.drop("status=evil/a.csv", "order_no,amount\n1,5\n")
    place.land()
    assert place.rows("order_no, status, _extra") == [("1", None, None)]


def test_a_file_that_changes_while_it_is_read_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.connectors.files import connector

    path = place.drop("a.csv", HEADER + "1,5,,open\n")
    place.drop("b.csv", HEADER + "2,5,,open\n")
    look = connector.look_at

    def replaced(*given: Any) -> object:
        result = look(*given)
        path.write_text(HEADER + "1,5,,open\n9,9,,open\n")
        return result

    with monkeypatch.context() as patch:
        patch.setattr(connector, "look_at", replaced)
        result = place.land()
    assert [(r.uri, "changed while it was read" in r.problem) for r in result.refusals] == [("a.csv", True)]
    assert place.rows("order_no") == [("2",)]
    place.land()
    assert place.rows("order_no", order="1") == [("1",), ("2",), ("9",)]
