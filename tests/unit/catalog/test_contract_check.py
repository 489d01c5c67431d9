from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog import vocabulary
from catalog.check.common import Fault
from catalog.check.contracts import check_contracts
from tests.unit.catalog.samples import Document, custom, field, set_custom, sound, write


def faults_of(folder: Path, document: Document | str, place: str = "contracts/hotline_case.yml") -> list[Fault]:
    write(folder, document, place)
    return check_contracts(folder, "demo")


def test_a_sound_contract_has_no_faults(tmp_path: Path) -> None:
    assert faults_of(tmp_path, sound()) == []


def test_a_file_with_a_dozen_faults_reports_them_all_at_once(tmp_path: Path) -> None:
    document = sound()
    document |= {"apiVersion": "v2", "version": 1.0, "status": "live", "tenant": "elsewhere", "team": None}
    document["slaProperties"][0]["unit"] = "fortnight"
    set_custom(document["customProperties"], "sharingReason", None)
    set_custom(document["customProperties"], "titleZh", "Orders")
    document["schema"][0].pop("dataGranularityDescription")
    field(document, "phone").pop("customProperties")
    field(document, "phone")["customProperties"] = custom(personalData="phone")
    field(document, "order_no")["logicalTypeOptions"] = {"pattern": "(?=x)"}
    field(document, "urgency")["logicalTypeOptions"] = {"minimum": 9, "maximum": 1}
    field(document, "urgency").pop("businessName")
    document["schema"][0]["quality"][0]["implementation"] = "closed_at >= nowhere"

    found = {fault.place for fault in faults_of(tmp_path, document)}

    assert found >= {
        "apiVersion",
        "version",
        "status",
        "tenant",
        "id",
        "team",
        "slaProperties.frequency.unit",
        "sharingReason",
        "titleZh",
        "grain",
        "phone",
        "order_no",
        "urgency",
        "quality.closed_after_reported",
    }


def test_the_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    write(tmp_path, "name: [", "contracts/broken.yml")
    write(tmp_path, "just words", "contracts/words.yml")
    second = sound() | {"domain": "sky"}
    found = faults_of(tmp_path, second)
    assert {fault.file for fault in found} == {
        "contracts/broken.yml",
        "contracts/words.yml",
        "contracts/hotline_case.yml",
    }
    assert any(f.file == "contracts/broken.yml" and "YAML" in f.problem for f in found)


def test_a_fault_names_file_place_problem_and_fix(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, sound() | {"domain": "sky"})
    assert str(fault).startswith("contracts/hotline_case.yml: domain: 'sky' is unknown. Fix: choose one of ['hotline'")


@pytest.mark.parametrize("place", ["contracts/hotline_case.yaml", "contracts/deep/hotline_case.yml"])
def test_a_file_that_no_reader_would_find_is_a_fault(tmp_path: Path, place: str) -> None:
    assert any("is not found" in fault.problem for fault in faults_of(tmp_path, sound(), place))


def test_keys_that_would_be_ignored_are_faults(tmp_path: Path) -> None:
    document = sound()
    field(document, "order_no")["primarykey"] = True
    document["customProperties"] += custom(sharingTyp="conditional")
    text = {fault.place for fault in faults_of(tmp_path, document)}
    assert text == {"schema.hotline_case.properties.order_no.primarykey", "sharingTyp"}


def test_a_key_written_twice_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, sound())
    found = faults_of(tmp_path, path.read_text(encoding="utf-8") + "\ndomain: permit\n")
    assert any("'domain' is written twice" in fault.problem for fault in found)


def _unless(vocabulary_place: str) -> Callable[[Document, Any], None]:
    def top(document: Document, value: Any) -> None:
        document[vocabulary_place] = value

    def own(document: Document, value: Any) -> None:
        set_custom(document["customProperties"], vocabulary_place, value)

    def of_field(document: Document, value: Any) -> None:
        name = "urgency" if vocabulary_place == "unit" else "phone"
        set_custom(field(document, name).setdefault("customProperties", []), vocabulary_place, value)

    def of_rule(document: Document, value: Any) -> None:
        document["schema"][0]["quality"][0][vocabulary_place] = value

    def of_span(document: Document, value: Any) -> None:
        document["slaProperties"][0]["unit"] = value

    return {
        "domain": top,
        "status": top,
        "sharingType": own,
        "dataGrade": own,
        "unit": of_field,
        "personalData": of_field,
        "restriction": of_field,
        "severity": of_rule,
        "dimension": of_rule,
        "span": of_span,
    }[vocabulary_place]


@pytest.mark.parametrize(
    ("place", "terms"),
    [
        ("domain", vocabulary.DOMAINS),
        ("status", vocabulary.STATUSES),
        ("sharingType", vocabulary.SHARING_TYPES),
        ("dataGrade", vocabulary.DATA_GRADES),
        ("unit", vocabulary.UNITS),
        ("personalData", vocabulary.PERSONAL_DATA),
        ("restriction", vocabulary.RESTRICTIONS),
        ("severity", vocabulary.SEVERITIES),
        ("dimension", vocabulary.DIMENSIONS),
        ("span", vocabulary.SPAN_UNITS),
    ],
)
def test_a_vocabulary_takes_its_terms_and_nothing_else(
    tmp_path: Path, place: str, terms: dict[str, vocabulary.Term]
) -> None:
    change = _unless(place)
    for value in (next(iter(terms)), next(reversed(terms))):
        document = sound()
        change(document, value)
        assert faults_of(tmp_path, document) == []
    for value in ("nonsense", [], 7):
        document = sound()
        change(document, value)
        assert faults_of(tmp_path, document), value


def test_every_term_is_named_in_both_languages_and_tells_its_source() -> None:
    tables = [v for v in vars(vocabulary).values() if isinstance(v, dict)]
    terms = [t for table in tables for t in table.values() if isinstance(t, vocabulary.Term)]
    assert len(terms) > 60
    assert all(t.zh and t.en and t.source and t.confidence in ("seen", "memory", "own") for t in terms)


@pytest.mark.parametrize(
    "name", ["sharingType", "dataGrade", "directoryItem", "directorySubItem", "titleZh", "titleEn"]
)
def test_what_the_directory_needs_is_demanded(tmp_path: Path, name: str) -> None:
    document = sound()
    set_custom(document["customProperties"], name, None)
    assert name in {fault.place for fault in faults_of(tmp_path, document)}


@pytest.mark.parametrize("name", ["purposeZh", "usageZh", "limitationsZh", "grainZh"])
@pytest.mark.parametrize("value", [None, "", "Orders.", 7])
def test_what_is_said_of_a_data_set_is_said_in_chinese(tmp_path: Path, name: str, value: Any) -> None:
    document = sound()
    set_custom(document["customProperties"], name, value)
    (fault,) = faults_of(tmp_path, document)
    assert fault.place == name
    assert name in fault.fix or "Chinese" in fault.fix or "每行为" in fault.fix


def test_the_chinese_grain_has_no_full_stop_of_its_own(tmp_path: Path) -> None:
    document = sound()
    set_custom(document["customProperties"], "grainZh", "每行为一件工单。")
    (fault,) = faults_of(tmp_path, document)
    assert (fault.place, fault.fix) == ("grainZh", "leave the full stop out")


@pytest.mark.parametrize("entry", [{"value": -1}, {"value": "often"}, {"value": True}, {"value": 0}])
def test_a_frequency_is_a_span(tmp_path: Path, entry: dict[str, Any]) -> None:
    document = sound()
    document["slaProperties"][0] |= entry
    assert {fault.place for fault in faults_of(tmp_path, document)} == {"slaProperties.frequency"}
