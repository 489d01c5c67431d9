"""What dbt is told of the source systems."""

from __future__ import annotations

import csv
from pathlib import Path

from pipelines.source import load_sources
from pipelines.source_names import SEED, all_systems, generate, source_systems_csv


def test_the_seed_is_that_of_the_source_files() -> None:
    text = source_systems_csv(all_systems())
    assert SEED.read_text(encoding="utf-8") == text, "differs; run `gridlake contracts generate`"


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


def test_generating_again_writes_nothing(tmp_path: Path) -> None:
    seed = tmp_path / "source_system.csv"
    assert generate(seed)
    assert not generate(seed)
    assert seed.read_text(encoding="utf-8") == SEED.read_text(encoding="utf-8")
