"""What a source file may say under `records`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml

from pipelines.sources.declared import SourceError, load_source

HEAD = {
    "city": "demo",
    "system": "portal",
    "title_zh": "门户",
    "title_en": "Portal",
    "owner": "somebody",
    "kind": "files",
    "files": {"root": "/data"},
    "datasets": [{"dataset": "report", "path": "*.csv", "format": "csv"}],
}


def written(folder: Path, records: object) -> Path:
    file = folder / "portal.yml"
    file.write_text(yaml.safe_dump({**HEAD, "records": records}), encoding="utf-8")
    return file


def test_a_word_stands_for_all_cases_and_a_day_for_those_from_then_on(tmp_path: Path) -> None:
    day = dt.date(2026, 2, 1)
    recorded = load_source(written(tmp_path, ["filing", "closing", {"filing_due": day}])).records
    assert [(entry.code, entry.since) for entry in recorded] == [
        ("filing", None),
        ("closing", None),
        ("filing_due", day),
    ]


def test_a_system_that_says_nothing_records_nothing(tmp_path: Path) -> None:
    assert load_source(written(tmp_path, [])).records == ()


@pytest.mark.parametrize(
    ("records", "told"),
    [
        (["handeling"], "handeling"),
        (["filing", "filing"], "names a thing twice"),
        (["filing_due"], "`filing_due` says nothing without `filing`"),
        (["rework", "dispatch"], "`rework` says nothing without `handling`"),
        ([{"closing": dt.date(2026, 2, 1)}, "closing_due"], "`closing_due` says nothing without `closing`"),
        ([{"closing": "in spring"}], "`closing` must be followed by the day"),
        ([{"closing": dt.datetime(2026, 2, 1, 8, 0)}], "`closing` must be followed by the day"),
        ([{"closing": None}], "`closing` must be followed by the day"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, records: object, told: str) -> None:
    with pytest.raises(SourceError) as error:
        load_source(written(tmp_path, records))
    assert told in str(error.value)
    assert "records" in str(error.value)
