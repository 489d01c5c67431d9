"""A delivery that does not fit into memory is told as that, with the setting to change, whatever reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.pipelines.landing.landings import contract, field, files
from warehouse.settings import Settings

PLACES = contract(field("place", is_required=True, key_position=1), field("note"))
_NOTE = "x" * 2_000_000


def collection() -> str:
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "geometry": None, "properties": {"place": "1", "note": _NOTE}}],
        }
    )


@pytest.mark.parametrize(
    ("name", "content", "entry"),
    [
        ("big.geojson", collection(), {"path": "*.geojson", "format": "geojson"}),
        ("big.json", json.dumps([{"place": "1", "note": _NOTE}]), {"path": "*.json", "format": "json"}),
        ("big.ndjson", json.dumps({"place": "1", "note": _NOTE}), {"path": "*.ndjson", "format": "ndjson"}),
        ("big.csv", f"place,note\n1,{_NOTE}\n", {"path": "*.csv"}),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_does_not_fit_into_memory_says_so_and_lands_with_more(
    sqlite_settings: Settings, tmp_path: Path, name: str, content: str, entry: dict[str, str]
) -> None:
    place = files(sqlite_settings, tmp_path / "drops", PLACES, **entry)
    place.drop(name, content)
    place.settings = sqlite_settings.model_copy(update={"memory": "30MB", "threads": 1})
    (refusal,) = place.land().refusals
    assert "does not fit into the memory that DuckDB may use" in refusal.problem
    assert "GRIDLAKE_MEMORY" in refusal.problem
    assert "whole file" not in refusal.problem
    place.settings = sqlite_settings
    assert place.land().refusals == ()
    assert place.rows("place, length(note)", order="1") == [("1", len(_NOTE))]
