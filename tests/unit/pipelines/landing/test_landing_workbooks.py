"""Workbooks: what a cell shows is what lands; what is not certain is refused, what is left out is told."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from tests.unit.pipelines.landing.landings import Place, contract, field, files
from warehouse.settings import Settings

REGISTER = contract(
    field("case_no", is_required=True, key_position=1),
    field("count", "INTEGER"),
    field("share", "DOUBLE"),
    field("note"),
)
NAMES = {"case_no": "编号", "count": "次数", "share": "比率", "note": "备注"}
HEADER = ["编号", "次数", "比率", "备注"]


@pytest.fixture
def place(sqlite_settings: Settings, tmp_path: Path) -> Place:
    return files(sqlite_settings, tmp_path / "drops", REGISTER, path="*.xlsx", format="xlsx", fields=NAMES)


def written(place: Place, *rows: list[Any], change: Callable[[Worksheet], None] = lambda _: None) -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (HEADER, *rows):
        sheet.append(row)
    change(sheet)
    path = place.root / "a.xlsx"
    book.save(path)
    return path


def patched(path: Path, change: Callable[[str], str]) -> None:
    """The same workbook with another text of its sheet, as other programs write it."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    parts["xl/worksheets/sheet1.xml"] = change(parts["xl/worksheets/sheet1.xml"].decode()).encode()
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)


def told(place: Place) -> dict[str, int]:
    return {
        name.removeprefix("told:"): count
        for load in place.loads()
        for name, count in json.loads(load["warning_counts"]).items()
    }


def refused(place: Place) -> list[tuple[str, list[str], str | None]]:
    return [(original["编号"], rules, original.get("problem")) for original, rules, _ in place.quarantine()]


def test_numbers_beyond_15_digits_are_refused_for_keys_and_text_with_their_cell(place: Place) -> None:
    path = written(
        place,
        [990102202603050001, 1, 990102202603050001, "x"],
        ["990102202603050003", 2, 0.1 + 0.2, "y"],
        ["k", 3, 1e300, 0.1 + 0.2],
        [999999999999999, 4, 0.5, 1234567890123456],
        [999999999999999, 5, 0.5, -0.25],
    )
    patched(path, lambda xml: xml.replace("<v>0.3</v>", "<v>0.30000000000000004</v>"))
    place.land()
    assert place.rows("case_no, count, share, note", order="2") == [
        ("990102202603050003", 2, 0.1 + 0.2, "y"),
        ("999999999999999", 5, 0.5, "-0.25"),
    ]
    digits = "is a number of more than 15 digits: store it as text"
    found = refused(place)
    assert [(rules, (problem or "").split("; ")[0]) for _, rules, problem in found] == [
        (["inexact:case_no"], f"A2 {digits}"),
        (["inexact:note"], f"C4 {digits}"),
        (["inexact:note"], f"D5 {digits}"),
    ]


def test_a_number_in_a_text_field_is_written_as_the_sheet_shows_it(place: Place) -> None:
    def styled(sheet: Worksheet) -> None:
        for row, form in enumerate(["000000", "0000", "General", "0.00", "000"], start=2):
            sheet.cell(row, 1).number_format = form

    written(
        place,
        [42, 1, 7, 5.0],
        [12345, 2, 7, 1e3],
        [43, 3, 7, True],
        [44, 4, 7, -0.0],
        [45, 5, 7.5, 2.50],
        change=styled,
    )
    place.land()
    assert place.rows("case_no, count, share, note", order="2") == [
        ("000042", 1, 7.0, "5"),
        ("12345", 2, 7.0, "1000"),
        ("43", 3, 7.0, "true"),
        ("44", 4, 7.0, "0"),
        ("045", 5, 7.5, "2.5"),
    ]


def test_error_cells_and_formulas_without_a_result_are_refused_and_told(place: Place) -> None:
    path = written(
        place, ["A1", "=1+2", "=B2/0", "x"], ["A2", 6, "=NA()", "y"], ["A3", 5, 0.5, "=A1"], ["A4", 5, 0.5, "z"]
    )

    def computed(xml: str) -> str:
        cell = '<c r="C3" t="e"><f>NA()</f><v>#N/A</v></c>'
        xml = re.sub(r'<c r="C3">.*?</c>', cell, xml)
        return re.sub(r'<c r="D4">.*?</c>', '<c r="D4" t="str"><f>A1</f><v></v></c>', xml)

    patched(path, computed)
    place.land()
    assert place.rows("case_no, share, note", order="1") == [("A3", 0.5, None), ("A4", 0.5, "z")]
    assert refused(place) == [
        (
            "A1",
            ["error_cell:count", "error_cell:share", "type:count", "type:share"],
            "B2 is a formula without a stored result; C2 is a formula without a stored result",
        ),
        ("A2", ["error_cell:share", "type:share"], "C3 holds an error"),
    ]
    originals = [original for original, _, _ in place.quarantine()]
    assert (originals[0]["次数"], originals[1]["比率"], originals[1]["次数"]) == ("#FORMULA", "#N/A", "6")
    assert told(place) == {"error_cells": 3}


def test_a_source_file_may_say_that_errors_mean_nothing(place: Place) -> None:
    written(place, ["A1", "=1+2", 0.5, "x"])
    place.with_entry(null_values=["#FORMULA", "#N/A"]).land()
    assert place.rows("case_no, count, note") == [("A1", None, "x")]
    assert told(place) == {"error_cells": 1}


def test_merged_cells_hidden_rows_and_other_sheets_are_told(place: Place) -> None:
    def marked(sheet: Worksheet) -> None:
        sheet.merge_cells("D2:D3")
        sheet.row_dimensions[4].hidden = True
        assert sheet.parent is not None
        sheet.parent.create_sheet("空")
        sheet.parent.create_sheet("第二")["B7"] = "more"
        sheet.parent.create_sheet("隐藏").sheet_state = "hidden"

    written(place, ["A1", 1, 1, "x"], ["A2", 2, 2, None], ["A3", 3, 3, "y"], change=marked)
    place.land()
    assert place.rows("case_no, note", order="1") == [("A1", "x"), ("A2", None), ("A3", "y")]
    assert told(place) == {"merged_cells": 1, "hidden_rows": 1, "other_sheets": 1}


def test_a_sheet_that_is_not_there_is_refused_without_names(place: Place) -> None:
    written(place, ["A1", 1, 1, "x"])
    (refusal,) = place.with_entry(sheet="台账").land().refusals
    assert refusal.problem.startswith("sheet '台账' of the workbook is not there; it has 1. Fix:")


def test_a_table_that_begins_anywhere_and_is_written_by_other_programs_is_read(place: Place) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for column, name in enumerate(HEADER, start=3):
        sheet.cell(4, column, name)
    for number, row in enumerate([7, 9, 30]):
        for column, value in enumerate([number + 1.0, number, "=1/0", "a&b <c>"], start=3):
            sheet.cell(row, column, value)
    path = place.root / "a.xlsx"
    book.save(path)

    def other(xml: str) -> str:
        xml = re.sub(r"<(/?)(?=[a-zA-Z])", r"<\1x:", xml).replace("xmlns=", "xmlns:x=")
        return xml.replace('"C7"', "'C7'").replace("><x:c ", ">\n  <x:c ")

    patched(path, other)
    assert place.with_entry(null_values=["#FORMULA"]).land().refusals == ()
    assert place.rows("case_no, count, note", order="1") == [(str(n + 1), n, "a&b <c>") for n in range(3)]


def test_rows_that_one_of_the_two_looks_does_not_see_refuse_the_workbook(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.connectors.files import workbook_reader

    written(place, ["A1", 1, 1, "x"], ["A2", 1, 1, "x"], ["A3", 1, 1, "x"])
    values = workbook_reader._values
    monkeypatch.setattr(workbook_reader, "_values", lambda *given: values(*given).slice(0, 3))
    (refusal,) = place.land().refusals
    assert refusal.problem.startswith("holds 3 rows, but 2 were read")
