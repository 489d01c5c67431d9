"""What a reader brings is compared with what the file holds, counted in another way; what is left out is told."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.connectors.files import csv_reader, json_reader, tabular_reader
from pipelines.connectors.files.json_look import _ArrayCounter
from quality.contract_checks import contract_checks
from tests.unit.pipelines.landing.landings import ORDERS, Place, files
from warehouse.settings import Settings

ORDERS_CHECKED = replace(ORDERS, quarantine_share_allowed=0.5, frequency=None, lateness=None)
HEADER = "order_no,amount,reported_at,status\n"
ROWS = "".join(f"{n},1,,open\n" for n in range(5))


def told(place: Place) -> dict[str, dict[str, int]]:
    return {load["uri"]: json.loads(load["warning_counts"]) for load in place.loads()}


@pytest.mark.parametrize("packed", [False, True])
def test_a_reader_that_loses_rows_is_found_out(
    sqlite_settings: Settings, tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader is made to skip rows, for every format; the count has to see it."""

    def losing(original: Any) -> Any:
        def opened(*args: Any, **options: Any) -> Any:
            batch = original(*args, **options)
            object.__setattr__(batch, "relation", f"(SELECT * FROM {batch.relation} OFFSET 2)")
            return batch

        return opened

    monkeypatch.setattr(csv_reader.CsvReader, "open", losing(csv_reader.CsvReader.open))
    monkeypatch.setattr(json_reader.JsonReader, "open", losing(json_reader.JsonReader.open))
    monkeypatch.setattr(tabular_reader.ParquetReader, "open", losing(tabular_reader.ParquetReader.open))
    rows = [{"order_no": str(n)} for n in range(5)]
    features = [{"type": "Feature", "properties": row, "geometry": None} for row in rows]
    contents = {
        "csv": HEADER + ROWS,
        "ndjson": "".join(json.dumps(row) + "\n" for row in rows),
        "json": json.dumps({"data": {"rows": rows}}),
        "geojson": json.dumps({"type": "FeatureCollection", "features": features}),
    }
    for kind, text in contents.items():
        place = files(
            sqlite_settings, tmp_path / kind, path="a.*", format=kind, records="$.data.rows" if kind == "json" else "$"
        )
        place.drop(f"a.{kind}.gz" if packed else f"a.{kind}", gzip.compress(text.encode()) if packed else text)
        (refusal,) = place.land().refusals
        assert refusal.problem.startswith("holds 5 rows, but 3 were read. Nothing of it is taken. Fix:"), kind
    if not packed:
        place = files(sqlite_settings, tmp_path / "parquet", path="a.parquet", format="parquet")
        pq.write_table(pa.table({"order_no": [str(n) for n in range(5)]}), place.root / "a.parquet")
        (refusal,) = place.land().refusals
        assert refusal.problem.startswith("holds 5 rows, but 3 were read")


def test_blank_lines_are_told_and_pass_again(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops")
    place.drop("a.csv", HEADER + "1,1,,open\n\n  \n2,1,,open\n\n\n")
    place.drop("b.csv", HEADER + '1,1,,"open"\n2,5,,x"y\n\n')
    place.drop("0.csv", "order_no\n1\n\n2\n")
    place.land()
    # A blank line of a file of one column is a row without a value; a line of blanks is a row that does not split.
    assert told(place) == {
        "a.csv": {"told:blank_lines": 3, "clock_change": 0},
        "b.csv": {"told:blank_lines": 1, "clock_change": 0},
        "0.csv": {},
    }
    assert [load["read_count"] for load in place.loads()] == [3, 3, 2]

    def check() -> tuple[bool, int, str]:
        found = contract_checks(place.settings, [ORDERS_CHECKED])
        return [(r.is_passed, r.failed_count, r.message) for r in found if r.rule == "told:blank_lines"][-1]

    assert check() == (False, 4, "4 blank lines between or after the rows were left out")
    place.drop("d.csv", HEADER + ROWS)
    place.land()
    assert check()[0]


def test_blank_lines_of_ndjson_are_told(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops", path="*.ndjson", format="ndjson")
    place.drop("a.ndjson", '{"order_no": "1"}\n\n \u3000\t\n{"order_no": "2"}')
    place.land()
    assert told(place) == {"a.ndjson": {"told:blank_lines": 2}}


def test_an_array_that_stands_twice_in_a_document_is_refused(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops", path="*.json", format="json", records="$.rows")
    place.drop("a.json", '{"rows": [{"order_no": "1"}], "more": [[1, 2], {"rows": [3]}], "rows": [{"order_no": "2"}]}')
    (refusal,) = place.land().refusals
    assert "holds 2 rows, but 1 were read" in refusal.problem


VALUE = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('ab"\\,[]{}:\n中'), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["rows", "a", 'r"\\']), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(VALUE, max_size=6), VALUE, st.integers(1, 9), st.booleans())
def test_elements_are_counted_whatever_stands_in_them(rows: list[Any], other: Any, size: int, indented: bool) -> None:
    def count(document: Any, keys: list[str]) -> int:
        text = json.dumps(document, indent=1 if indented else None, ensure_ascii=indented).encode()
        counter = _ArrayCounter(keys)
        for start in range(0, len(text), size):
            counter.add(text[start : start + size])
        return counter.count

    assert count(rows, []) == len(rows)
    assert count({"x": other, "rows": rows, "y": other}, ["rows"]) == len(rows)
    assert count({"x": {"rows": other}, "d": {"x": other, "rows": rows}}, ["d", "rows"]) == len(rows)
    assert count({"x": other}, ["rows"]) == 0
