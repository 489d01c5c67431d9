"""Files that no source takes are named; what a source takes, leaves out or nobody calls data is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.command.strays import strays
from pipelines.sources.declared import SourceSystem
from warehouse.settings import Settings


def source(name: str, root: Path, *entries: dict[str, Any], ignore: tuple[str, ...] = ()) -> SourceSystem:
    return SourceSystem.model_validate(
        {
            "city": "demo",
            "system": name,
            "title_zh": "办公室",
            "title_en": "Office",
            "owner": "office",
            "kind": "files",
            "files": {"root": str(root), "ignore": ignore},
            "datasets": [{"dataset": "orders", **entry} for entry in entries],
        }
    )


def test_files_that_no_source_takes_are_named(sqlite_settings: Settings, tmp_path: Path) -> None:
    shared, other = tmp_path / "shared", tmp_path / "other"
    for path in (
        *("a/case_1.csv", "a/case_1.xlsx", "a/old/case_2.csv", "b/x.geojson", "case_3.csv", "b/skip_1.geojson"),
        *("a/.DS_Store", "a/~$case.xlsx", ".git/config", "b/Thumbs.db", "doc/read me.md", "a/目录.csv"),
    ):
        (shared / path).parent.mkdir(parents=True, exist_ok=True)
        (shared / path).touch()
    other.mkdir()
    (other / "a.csv").touch()
    systems = [
        source("first", shared, {"path": "a/case_*.csv"}, ignore=("doc/*",)),
        source("second", shared, {"path": "b/*.geojson", "exclude": ["*skip*"]}),
        source("third", other, {"path": "*.csv"}),
        source("fourth", tmp_path / "absent", {"path": "*.csv"}),
    ]
    assert strays(sqlite_settings, systems) == ["a/case_1.xlsx", "a/old/case_2.csv", "a/目录.csv", "case_3.csv"]
    assert strays(sqlite_settings, systems[:1])[-3:] == ["b/skip_1.geojson", "b/x.geojson", "case_3.csv"]
