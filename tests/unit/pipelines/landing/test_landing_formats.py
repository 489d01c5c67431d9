"""The formats besides CSV: JSON in its three shapes, workbooks, Parquet."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.pipelines.landing.landings import ORDERS, Place, contract, field, files
from warehouse.settings import Settings

PLACES = contract(
    field("code", is_required=True, key_position=1),
    field("area_m2", "DOUBLE"),
    field("geometry", "GEOMETRY"),
)


@pytest.fixture
def lines(sqlite_settings: Settings, tmp_path: Path) -> Place:
    return files(sqlite_settings, tmp_path / "drops", path="*.ndjson*", format="ndjson")


def dump(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_a_bad_line_of_ndjson_goes_to_quarantine_with_its_line(lines: Place) -> None:
    lines.drop(
        "a.ndjson",
        dump({"order_no": "1", "amount": 5})
        + '{"order_no": "2", "am\n\n[1, 2]\n'
        + dump({"order_no": "3", "amount": "x"}),
    )
    lines.drop(
        "b.ndjson.gz", gzip.compress(("oops\n" + dump({"order_no": "4", "status": "open", "区": "云河"})).encode())
    )
    lines.land()
    assert lines.rows("order_no, amount, status, _extra, _source_row", order="1") == [
        ("1", 5, None, None, 1),
        ("4", None, "open", '{"区":"云河"}', 2),
    ]
    found = lines.quarantine()
    assert sorted((rules[0], row, json.dumps(original)) for original, rules, row in found) == [
        ("type:amount", 4, '{"order_no": "3", "amount": "x"}'),
        ("unreadable", 1, '{"line": "oops", "problem": "is not valid JSON"}'),
        ("unreadable", 2, '{"line": "{\\"order_no\\": \\"2\\", \\"am", "problem": "is not valid JSON"}'),
        ("unreadable", 3, '{"line": "[1, 2]", "problem": "is no object"}'),
    ]
    by_file = {load["uri"]: load["unknown_columns"] for load in lines.loads()}
    assert by_file == {"a.ndjson": [], "b.ndjson.gz": ["区"]}


def test_ndjson_values_arrive_as_they_were_written(lines: Place) -> None:
    described = contract(
        field("order_no", is_required=True, key_position=1), field("big", "BIGINT"), field("code"), field("deep")
    )
    place = lines.with_contract(described).with_entry(fields={"deep": "$.a.b"})
    place.drop(
        "a.ndjson",
        '{"order_no": "001", "big": 9223372036854775807, "code": 12345678901234567890123, "a": {"b": "x"}}\n'
        '{"order_no": "002", "big": 9223372036854775808, "code": "0101"}\n'
        '{"order_no": null, "big": 1}\n'
        '{"order_no": "3\\u0000\\"\'", "big": 1.0, "code": true, "a": {"b": {"c": 1}}}\n',
    )
    place.land()
    assert place.rows("order_no, big, code, deep", order="1") == [
        ("001", 9223372036854775807, "12345678901234567890123", "x"),
        ("3\0\"'", 1, "true", '{"c":1}'),
    ]
    assert [rules for _, rules, _ in place.quarantine()] == [["type:big"], ["required:order_no"]]


def test_a_file_of_json_rows_without_a_required_name_is_refused_alone(lines: Place) -> None:
    lines.drop("a.ndjson", dump({"order_no": "1"}, {"amount": 5}))
    lines.drop("b.ndjson", dump({"number": "1"}))
    lines.drop("c.ndjson", "\n")
    result = lines.land()
    assert [(r.uri, "required column is missing: order_no" in r.problem) for r in result.refusals] == [
        ("b.ndjson", True)
    ]
    assert (result.counts.accepted_count, result.counts.quarantined_count, result.counts.delivery_count) == (1, 1, 2)


def test_a_json_document_with_a_fault_in_the_middle_is_refused_and_named(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    place = files(sqlite_settings, tmp_path / "drops", path="*.json*", format="json", records="$.data.rows")
    rows = [{"order_no": str(n), "amount": n} for n in range(10)]
    whole = json.dumps({"data": {"rows": [*rows, 7, None]}})
    place.drop("good.json", whole)
    place.drop("good.json.gz", gzip.compress(whole.encode()))
    place.drop("faulty.json", whole.replace('"order_no": "5",', '"order_no" "5",'))
    place.drop("cut.json", whole[:-30])
    place.drop("other.json", json.dumps({"rows": rows}))
    place.drop("none.json", json.dumps({"data": {"rows": []}}))
    result = place.land()
    problems = {refusal.uri: refusal.problem for refusal in result.refusals}
    assert sorted(problems) == ["cut.json", "faulty.json", "other.json"]
    assert "is not valid json" in problems["faulty.json"]
    assert "there is no array at $.data.rows" in problems["other.json"]
    assert (result.counts.delivery_count, result.counts.accepted_count) == (3, 20)
    assert [(rules, row) for _, rules, row in place.quarantine()] == [(["unreadable"], 11), (["unreadable"], 12)] * 2


def test_geojson(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(
        sqlite_settings,
        tmp_path / "drops",
        PLACES,
        path="{layer}.geojson",
        format="geojson",
        fields={"geometry": "$geometry", "area_m2": ["AREA", "Shape_Area"]},
    )

    def feature(code: str | None, geometry: Any, **more: Any) -> dict[str, Any]:
        return {"type": "Feature", "geometry": geometry, "properties": {"code": code, **more}}

    point = {"type": "Point", "coordinates": [116.4, 39.9]}
    features = [
        feature("0101", point, AREA=1.5),
        feature("0102", None, Shape_Area="2.5", 备注="x"),
        feature("0103", {"type": "Point", "coordinates": "here"}),
        feature(None, point),
        {"type": "Feature", "geometry": point, "properties": None},
        "no feature",
    ]
    place.drop("a.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    place.land()
    assert place.rows("code, area_m2, ST_AsText(geometry), _extra, _source_row", order="1") == [
        ("0101", 1.5, "POINT (116.4 39.9)", None, 1),
        ("0102", 2.5, None, '{"备注":"x"}', 2),
    ]
    found = place.quarantine()
    assert [(rules, row) for _, rules, row in found] == [
        (["type:geometry"], 3),
        (["required:code"], 4),
        (["required:code"], 5),
        (["unreadable"], 6),
    ]
    assert found[0][0] == {"properties": {"code": "0103"}, "geometry": {"type": "Point", "coordinates": "here"}}


def test_workbooks(sqlite_settings: Settings, tmp_path: Path) -> None:
    described = contract(*ORDERS.fields[:2], field("taken", "DATE"), field("code"))
    place = files(
        sqlite_settings,
        tmp_path / "drops",
        described,
        path="*.xlsx",
        format="xlsx",
        sheet="台账",
        fields={"order_no": "编号", "amount": "数量", "taken": "日期", "code": "代码"},
    )
    book = openpyxl.Workbook()
    book.active.title = "说明"  # type: ignore[union-attr]
    sheet = book.create_sheet("台账")
    for row in (
        ["编号", "数量", "日期", "代码", "备注"],
        ["001", 5, date(2026, 1, 2), "0101", "x"],
        ["002", 5.0, datetime(2026, 1, 3), "0102", None],
        ["003", 5.5, "2026-01-04", 7, None],
        [None, None, None, None, None],
        ["004", "7", "2026/1/5", None, None],
    ):
        sheet.append(row)
    place.root.mkdir(exist_ok=True)
    book.save(place.root / "a.xlsx")
    place.drop("no_book.xlsx", b"PK nothing")
    other = openpyxl.Workbook()
    other.save(place.root / "other.xlsx")
    result = place.land()
    assert place.rows("order_no, amount, taken::varchar, code", order="1") == [
        ("001", 5, "2026-01-02", "0101"),
        ("002", 5, "2026-01-03", "0102"),
        ("004", 7, "2026-01-05", None),
    ]
    ((original, rules, _),) = place.quarantine()
    assert (original["编号"], original["数量"], rules) == ("003", "5.5", ["type:amount"])
    assert sorted(refusal.uri for refusal in result.refusals) == ["no_book.xlsx", "other.xlsx"]
    problems = {refusal.uri: refusal.problem for refusal in result.refusals}
    assert "the workbook is cut off or damaged" in problems["no_book.xlsx"]
    assert "sheet '台账' of the workbook is not there" in problems["other.xlsx"]
    assert place.loads()[0]["unknown_columns"] == ["备注"]


def test_parquet_with_types_of_its_own(sqlite_settings: Settings, tmp_path: Path) -> None:
    described = contract(
        field("order_no", is_required=True, key_position=1),
        field("amount", "INTEGER", minimum=0),
        field("price", "DECIMAL(10,2)"),
        field("is_open", "BOOLEAN"),
        field("taken", "DATE"),
        field("reported_at", "TIMESTAMP"),
        field("status", pattern="[a-z]+"),
    )
    fixes = [
        {"field": "amount", "value": "-1.0", "replacement": "0", "reason": "stands for none", "learned": "the office"}
    ]
    place = files(sqlite_settings, tmp_path / "drops", described, path="*.parquet", format="parquet", fixes=fixes)
    moment = datetime(2026, 1, 2, 3, 4)
    native = {
        "order_no": pa.array([1, 2, 3], pa.int64()),
        "amount": pa.array([5.0, 5.5, -1.0], pa.float64()),
        "price": pa.array([Decimal("1.500"), Decimal("1.505"), None], pa.decimal128(12, 3)),
        "is_open": pa.array([1, 2, 0], pa.int8()),
        "taken": pa.array([datetime(2026, 1, 2), moment, None], pa.timestamp("us")),
        "reported_at": pa.array([moment, None, None], pa.timestamp("ms")),
        "status": pa.array(["open", "OPEN", None], pa.dictionary(pa.int8(), pa.string())),
        "filename": pa.array(["x", None, None]),
    }
    place.root.mkdir(exist_ok=True)
    pq.write_table(pa.table(native), place.root / "a.parquet")
    text = {"order_no": ["4"], "amount": ["6"], "status": ["closed"]}
    pq.write_table(pa.table(text), place.root / "b.parquet")
    place.drop("broken.parquet", b"PAR1 nothing PAR1")
    result = place.land()
    assert [refusal.uri for refusal in result.refusals] == ["broken.parquet"]
    assert place.rows("* EXCLUDE (_loaded_at, _delivery_id, _delivery_no, _load_seq)", order="order_no") == [
        ("1", 5, Decimal("1.50"), True, date(2026, 1, 2), moment, "open", '{"filename":"x"}', 1, False),
        ("3", 0, None, False, None, None, None, '{"filename":null}', 3, False),
        ("4", 6, None, None, None, None, "closed", None, 1, False),
    ]
    ((_, rules, row),) = place.quarantine()
    assert rules == ["pattern:status", "type:amount", "type:is_open", "type:price", "type:taken"]
    assert row == 2


def test_floats_of_parquet_in_keys_and_text_are_exact_or_refused(sqlite_settings: Settings, tmp_path: Path) -> None:
    described = contract(
        field("code", is_required=True, key_position=1), field("note"), field("small"), field("amount", "INTEGER")
    )
    place = files(sqlite_settings, tmp_path / "drops", described, path="*.parquet", format="parquet")
    nan, inf = float("nan"), float("inf")
    doubles = {
        "code": [1.0, 99010220260305.0, 1e15, 990102202603050001.0, nan, 6.0, 7.0, 8.0, 9.0],
        "note": [0.5, -12.25, 0.5, 0.5, 0.5, 0.1 + 0.2, inf, None, 0.5],
        "small": [0.25, 123456.0, 0.5, 0.5, 0.5, 0.5, 0.5, 16777217.0, 0.1],
        "amount": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, nan],
    }
    kinds = {"small": pa.float32()}
    pq.write_table(
        pa.table({name: pa.array(v, kinds.get(name, pa.float64())) for name, v in doubles.items()}),
        place.root / "a.parquet",
    )
    place.land()
    assert place.rows("code, note, small, amount", order="amount") == [
        ("1", "0.5", "0.25", 1),
        ("99010220260305", "-12.25", "123456", 2),
    ]
    assert [(row, rules) for _, rules, row in place.quarantine()] == [
        (3, ["inexact:code"]),
        (4, ["inexact:code"]),
        (5, ["inexact:code"]),
        (6, ["inexact:note"]),
        (7, ["inexact:note"]),
        (8, ["inexact:small"]),
        (9, ["type:amount"]),
    ]
