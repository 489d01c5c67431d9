"""What dbt is told of the source systems."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

from catalog.codelists import SEEDS
from pipelines.sources.declared import load_source, load_sources
from pipelines.sources.names import source_records_csv, source_systems_csv
from pipelines.sources.records import Record

SYSTEM = """\
city: demo
system: portal
title_zh: 市民上报门户
title_en: Portal
owner: somebody
kind: files
records: [public, filing, closing: 2026-02-01]
files: {root: /data}
datasets: [{dataset: report, path: "*.csv", format: csv}]
"""


def test_a_system_is_told_with_its_names() -> None:
    rows = list(csv.DictReader(source_systems_csv(load_sources("demo")).splitlines()))
    assert [row["code"] for row in rows] == sorted(row["code"] for row in rows)
    (hotline,) = [row for row in rows if row["code"] == "hotline_12345"]
    assert hotline == {
        "city": "demo",
        "code": "hotline_12345",
        "name_zh": "12345 与 12319 热线",
        "name_en": "12345 and 12319 hotlines",
    }


def test_what_a_system_records_is_told_with_the_day_it_began(tmp_path: Path) -> None:
    file = tmp_path / "portal.yml"
    file.write_text(SYSTEM, encoding="utf-8")
    assert source_records_csv([load_source(file)]).splitlines() == [
        "city,source_system,record,since_date",
        "demo,portal,public,",
        "demo,portal,filing,",
        "demo,portal,closing,2026-02-01",
    ]


def test_the_hotline_knows_no_limit_of_filing_and_the_patrol_does() -> None:
    rows = list(csv.DictReader(source_records_csv(load_sources("demo")).splitlines()))
    knowing = {row["source_system"] for row in rows if row["record"] == "filing_due"}
    assert knowing == {"patrol_lanting", "patrol_yunhe"}


def test_what_a_system_may_record_has_words_in_both_languages() -> None:
    with (SEEDS / "code_label.csv").open(encoding="utf-8", newline="") as handle:
        worded = {row["code"]: row for row in csv.DictReader(handle) if row["list"] == "record"}
    assert list(worded) == list(get_args(Record))
    assert all(row["name_zh"] and row["name_en"] for row in worded.values())
