from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import yaml

from catalog import generate
from catalog.directory import directory
from tests.unit.catalog.samples import contract, field, sound, write


def test_a_table_carries_what_its_contract_says(tmp_path: Path) -> None:
    (source,) = yaml.safe_load(generate.sources_yaml([contract(tmp_path)]))["sources"]
    assert (source["name"], source["database"], source["schema"]) == ("raw", "lake", "raw")
    (table,) = source["tables"]
    assert table["name"] == "hotline_case"
    assert (
        table["description"]
        == "热线工单 / Hotline orders. 每行为一件工单的一个状态。 One row is one state of one order."
    )
    about = table["config"]["meta"]
    assert (about["grain_zh"], about["grain"]) == ("每行为一件工单的一个状态", "one row is one state of one order")
    assert (about["purpose_zh"], about["purpose"]) == ("工单。", "Orders.")
    assert (about["usage_zh"], about["usage"]) == ("案件。", "Cases.")
    assert (about["limitations_zh"], about["limitations"]) == ("未发现。", "None known.")
    assert table["config"]["meta"]["key"] == ["order_no"]
    assert table["config"]["meta"]["sharing_type"] == "conditional"
    columns = {column["name"]: column for column in table["columns"]}
    assert columns["phone"]["description"] == "来电号码 / Caller's number"
    assert columns["phone"]["config"]["meta"] == {
        "personal_data": "phone",
        "restriction": "masked",
        "restriction_reason": "a person's number",
    }
    assert columns["_load_seq"]["data_type"] == "BIGINT"


def test_a_data_set_is_told_in_both_languages(tmp_path: Path) -> None:
    assert contract(tmp_path).about.split("\n\n") == [
        "热线工单：每行为一件工单的一个状态。工单。案件。局限：未发现。",
        "Hotline orders: one row is one state of one order. Orders. Cases. Limitations: None known.",
    ]


def test_fields_and_rules_are_told_in_words(tmp_path: Path) -> None:
    document = sound()
    field(document, "urgency")["description"] = "Urgency. The hotline's own scale"
    rows = list(csv.DictReader(generate.data_items_csv([contract(tmp_path, document)]).splitlines()))
    told = {(row["kind"], row["code"]): (row["name_zh"], row["name_en"]) for row in rows}
    assert told["field", "urgency"] == ("紧急程度", "Urgency")
    assert told["rule", "in_the_city"] == ("位置在市域范围内", "The position lies in the city")
    assert {row["dataset"] for row in rows} == {"hotline_case"}


def test_a_data_set_is_told_with_its_names_and_hours(tmp_path: Path) -> None:
    daily = contract(tmp_path)
    unhurried = replace(daily, name="a_list", frequency=None)
    rows = list(csv.DictReader(generate.data_sets_csv([daily, unhurried]).splitlines()))
    assert [row["code"] for row in rows] == ["a_list", "hotline_case"]
    assert rows[1] == {
        "code": "hotline_case",
        "city": "demo",
        "name_zh": "热线工单",
        "name_en": "Hotline orders",
        "frequency_hours": "24",
        "lateness_hours": "4",
    }
    assert rows[0]["frequency_hours"] == ""


def test_the_directory_has_one_row_a_field(tmp_path: Path) -> None:
    write(tmp_path, sound())
    rows = directory(tmp_path)
    assert [row.field for row in rows][:2] == ["order_no", "phone"]
    phone = rows[1]
    assert (phone.item, phone.sub_item, phone.sharing_type.zh) == ("案件数据", "热线工单", "有条件共享")
    assert phone.restriction is not None
    assert phone.restriction.key == "masked"
    assert phone.frequency_hours == 24
    assert directory(tmp_path / "elsewhere") == []


def test_the_directory_covers_every_field_of_the_project() -> None:
    from catalog.contract import load_contracts

    assert len(directory()) == sum(len(c.fields) for c in load_contracts().values())
