"""The jobs a steward starts: the whole city, one source system, or only the models."""

from __future__ import annotations

from typing import Any

import dagster as dg

from pipelines.source import SourceSystem

CITY = "city"
BUILD = "build"
PUBLISH = "publish"


def land_job(system: SourceSystem) -> Any:
    """Landing of all data sets of one source system, with their checks."""
    selection = dg.AssetSelection.assets(*[dg.AssetKey(["raw", name]) for name in system.dataset_names])
    return dg.define_asset_job(
        f"land_{system.system}", selection, description=f"Land what is new from {system.title_en} ({system.title_zh})."
    )


def jobs(systems: list[SourceSystem]) -> list[Any]:
    """All asset jobs of a city."""
    raw = dg.AssetSelection.groups("raw")
    return [
        dg.define_asset_job(CITY, dg.AssetSelection.all(), description="Land everything, build, check."),
        dg.define_asset_job("land", raw, description="Land what is new from every source system."),
        dg.define_asset_job(BUILD, dg.AssetSelection.all() - raw, description="Build what has landed, and check it."),
        dg.define_asset_job(
            PUBLISH,
            dg.AssetSelection.groups("share"),
            description="Publish what is built, where it is not published whole.",
        ),
        *[land_job(system) for system in systems],
    ]
