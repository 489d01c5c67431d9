from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.check.common import Fault
from catalog.check.contracts import check_contracts
from catalog.vocabulary import PHYSICAL_TYPES, base_type
from tests.unit.catalog.samples import custom, field, set_custom, sound, write


def faults_with(folder: Path, name: str, /, **changes: Any) -> list[Fault]:
    document = sound()
    field(document, name).update(changes)
    write(folder, document)
    return check_contracts(folder, "demo")


def problems_with(folder: Path, name: str, /, **changes: Any) -> str:
    return "\n".join(fault.problem for fault in faults_with(folder, name, **changes))


@pytest.mark.parametrize("name", ["Order", "工单", "_hidden", "1st", "a b", "select", "at", ""])
def test_a_field_name_is_a_plain_sql_name(tmp_path: Path, name: str) -> None:
    assert faults_with(tmp_path, "urgency", name=name)


def test_a_field_declared_twice_is_told(tmp_path: Path) -> None:
    assert "declared 2 times" in problems_with(tmp_path, "closed_at", name="reported_at")


def test_a_field_is_named_in_chinese_and_english(tmp_path: Path) -> None:
    assert "Chinese name" in problems_with(tmp_path, "urgency", businessName="urgency")
    assert "English name" in problems_with(tmp_path, "urgency", description="紧急程度")


@pytest.mark.parametrize("logical", PHYSICAL_TYPES)
def test_a_logical_type_takes_only_its_physical_types(tmp_path: Path, logical: str) -> None:
    every = [kind for kinds in PHYSICAL_TYPES.values() for kind in kinds]
    for kind in every:
        written = "DECIMAL(10,2)" if kind == "DECIMAL" else kind
        options = {"logicalTypeOptions": {}, "logicalType": logical, "physicalType": written}
        document = sound()
        document["schema"][0]["quality"] = []
        field(document, "closed_at").update(options)
        write(tmp_path, document)
        assert (check_contracts(tmp_path, "demo") == []) == (kind in PHYSICAL_TYPES[logical]), (logical, kind)


@pytest.mark.parametrize("kind", ["TEXT", "varchar", "DECIMAL", "DECIMAL(5,9)", "DECIMAL(99,2)", "VARCHAR(10)", ""])
def test_other_physical_types_are_unknown(kind: str) -> None:
    assert base_type(kind) is None


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("order_no", {"pattern": "["}, "does not compile"),
        ("order_no", {"pattern": "(?<=a)b"}, "does not compile"),
        ("order_no", {"pattern": 5}, "is no text"),
        ("order_no", {"minimum": 1}, "means nothing for the type string"),
        ("order_no", {"maxLength": 0}, "is no length"),
        ("urgency", {"minimum": "0"}, "is no number"),
        ("urgency", {"minimum": 6, "maximum": 5}, "above the maximum"),
        ("urgency", {"pattern": "x"}, "means nothing for the type integer"),
        ("urgency", {"minimun": 1}, "is unknown"),
        ("reported_at", {"minimum": "2026-13-01"}, "is no TIMESTAMP"),
        ("reported_at", {"minimum": 2026}, "is no text"),
        ("reported_at", {"minimum": "2026-02-01", "maximum": "2026-01-01"}, "above the maximum"),
        ("reported_at", {"format": "%Y-%Q"}, "does not compile"),
        ("reported_at", {"format": "yyyy"}, "is no strptime pattern"),
    ],
)
def test_a_limit_that_cannot_work_is_told(tmp_path: Path, name: str, options: dict[str, Any], problem: str) -> None:
    assert problem in problems_with(tmp_path, name, logicalTypeOptions=options)


def test_personal_data_needs_a_restriction_and_a_restriction_a_reason(tmp_path: Path) -> None:
    assert "without a restriction" in problems_with(tmp_path, "phone", customProperties=custom(personalData="phone"))
    bare = custom(personalData="phone", restriction="masked")
    assert "without a reason" in problems_with(tmp_path, "phone", customProperties=bare)
    only_reason = custom(restrictionReason="why")
    assert "without a restriction" in problems_with(tmp_path, "phone", customProperties=only_reason)


def test_a_code_list_is_one_of_the_standards_or_of_the_city_and_has_codes(tmp_path: Path) -> None:
    own = tmp_path / "lists"
    own.mkdir()
    (own / "our_status.csv").write_text("code,name\nopen,开\n", encoding="utf-8")
    (own / "nameless.csv").write_text("key\nopen\n", encoding="utf-8")
    text: dict[str, Any] = {"logicalTypeOptions": {}, "customProperties": custom(codeList="case_status")}
    phone: dict[str, Any] = text | {"customProperties": custom(codeList="absent")}
    assert faults_with(tmp_path, "order_no", **text) == []
    assert faults_with(tmp_path, "order_no", **text | {"customProperties": custom(codeList="our_status")}) == []
    assert "no such code list" in problems_with(tmp_path, "order_no", **phone)
    nameless = text | {"customProperties": custom(codeList="nameless")}
    assert "no column `code`" in problems_with(tmp_path, "order_no", **nameless)
    assert "codes are text" in problems_with(tmp_path, "urgency", **text)


def test_the_key_is_there_required_and_numbered(tmp_path: Path) -> None:
    assert "has no key" in problems_with(tmp_path, "order_no", primaryKey=False, primaryKeyPosition=None)
    assert "not required" in problems_with(tmp_path, "order_no", required=False)
    assert "positions of the key" in problems_with(tmp_path, "order_no", primaryKeyPosition=2)
    assert "is no key field" in problems_with(tmp_path, "urgency", primaryKeyPosition=2)


def test_a_unit_belongs_to_a_number(tmp_path: Path) -> None:
    document = sound()
    set_custom(field(document, "phone")["customProperties"], "unit", "m")
    write(tmp_path, document)
    (fault,) = check_contracts(tmp_path, "demo")
    assert fault.place == "phone.unit"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"implementation": "closed_at >="}, "does not fit the fields"),
        ({"implementation": "no_such_field > 1"}, "does not fit the fields"),
        ({"implementation": "urgency + 1"}, "gives INTEGER, not BOOLEAN"),
        ({"implementation": "count(*) > 1"}, "does not fit the fields"),
        ({"implementation": "row_number() OVER () > 1"}, "does not fit the fields"),
        ({"implementation": "urgency > 1, true"}, "not BOOLEAN"),
        ({"implementation": "true), (true"}, "is more than one expression"),
        ({"implementation": "true) FROM row_of_contract; SELECT (true"}, "is more than one expression"),
        ({"implementation": "urgency = (SELECT max(urgency) FROM row_of_contract)"}, "has a subquery"),
        ({"implementation": "EXISTS (FROM '/etc/passwd')"}, "has a subquery"),
        ({"implementation": ""}, "has no SQL"),
        ({"name": "in_the_city"}, "used 2 times"),
        ({"name": "Two words"}, "no plain name"),
        ({"name": None}, "no plain name"),
        ({"description": None}, "no description"),
        ({"engine": "soda"}, "would be ignored"),
    ],
)
def test_a_rule_that_cannot_work_is_told(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    document = sound()
    document["schema"][0]["quality"][0].update(change)
    write(tmp_path, document)
    assert problem in "\n".join(fault.problem for fault in check_contracts(tmp_path, "demo"))


def test_a_comment_at_the_end_of_a_rule_is_harmless(tmp_path: Path) -> None:
    document = sound()
    document["schema"][0]["quality"][0]["implementation"] = "closed_at >= reported_at -- ) both local"
    write(tmp_path, document)
    assert check_contracts(tmp_path, "demo") == []
