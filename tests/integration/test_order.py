"""The order in which snapshots arrive does not matter, nor whether they arrive together."""

from __future__ import annotations

from pathlib import Path

import pytest
import washington_files as real
from lakes import Fingerprint, differing, fingerprint, land_and_build

from warehouse.settings import load_settings

pytestmark = pytest.mark.skipif(not real.is_there(), reason=real.MISSING)

# Enough to meet every table: requests, wards and grids, a component layer that changed, permits.
_LAYERS = (
    "requests/{snapshot}/pothole-*",
    "requests/{snapshot}/parking-*",
    "requests/{snapshot}/street-alley-*",
    "requests/{snapshot}/bulk-*",
    "boundaries/{snapshot}/*",
    "components/{snapshot}/capital-bike-share*",
    "components/{snapshot}/bicycle-lanes*",
    "permits/{snapshot}/annual-*",
    "permits/{snapshot}/street-vendor*",
)
_SYSTEMS = ("dc_311", "dc_boundary", "dc_inventory", "dc_permit")


def deliver(data: Path, snapshot: str) -> None:
    """Drop the chosen layers of one snapshot into the city's folder."""
    for pattern in _LAYERS:
        for path in sorted(real.DATA.glob(pattern.format(snapshot=snapshot))):
            target = data / path.relative_to(real.DATA)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)


def test_core_is_the_same_whichever_snapshot_comes_first(tmp_path: Path) -> None:
    results: dict[str, Fingerprint] = {}
    for name, order in {
        "older first": ("2015-10-11", "2016-08-16"),
        "newer first": ("2016-08-16", "2015-10-11"),
    }.items():
        place = tmp_path / name.replace(" ", "_")
        (place / "data").mkdir(parents=True)
        settings = load_settings(city="washington_dc", home=place / "home", data=place / "data")
        for snapshot in order:
            deliver(place / "data", snapshot)
            land_and_build(settings, _SYSTEMS)
            results[name] = fingerprint(settings)
    assert results["older first"]["core.fct_case"][0] > 10_000
    assert differing(results["older first"], results["newer first"]) == []
