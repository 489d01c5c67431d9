"""The flow of each city's data as it was last reviewed."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conventions.asset_graph import CITIES, COMMAND, asset_graph, snapshot


@pytest.mark.parametrize("city", CITIES)
def test_the_asset_graph_is_the_reviewed_one(city: str, models_home: Callable[[str], Path]) -> None:
    kept = snapshot(city)
    reviewed = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    now = asset_graph(city, models_home(city)).splitlines()
    difference = list(difflib.unified_diff(reviewed, now, "reviewed", "now", lineterm="", n=0))
    assert not difference, f"{kept.name}: the asset graph changed; if it is meant, run `{COMMAND}`\n" + "\n".join(
        difference
    )


@pytest.mark.parametrize("city", CITIES)
def test_every_layer_reads_only_from_below(city: str) -> None:
    allowed = {
        "raw": set(),
        "seed": set(),
        "staging": {"raw", "seed"},
        # ops: which delivery of a register that comes whole a newer one has taken the place of.
        "core": {"staging", "core", "ops", "seed"},
        "indicator": {"core", "indicator", "seed"},
        "mart": {"core", "indicator", "mart", "ops", "seed"},
        "share": {"core", "indicator", "mart", "seed", "share"},
        "default": set(),  # the lake's own tables, which no asset makes
    }
    for line in snapshot(city).read_text(encoding="utf-8").splitlines():
        key, _, rest = line.partition(" -> ")
        group, _, upstream = rest.partition(" <- ")
        layers = {parent.partition("/")[0] for parent in upstream.split(", ") if parent}
        assert layers <= allowed[group], f"{key} reads from {sorted(layers - allowed[group])}"
