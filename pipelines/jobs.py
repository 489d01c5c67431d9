"""The jobs a steward starts: the whole city, one source system, or only the models."""

from __future__ import annotations

from typing import Any

import dagster as dg

from pipelines.sources.declared import SourceSystem

CITY = "city"
LAND = "land"
BUILD = "build"
PUBLISH = "publish"
# Of runs that nobody sits before: one that was killed begins again, from its first step, because what a step had
# finished costs nothing the second time.
AGAIN_IF_KILLED = {"dagster/max_retries": "2", "dagster/retry_strategy": "ALL_STEPS"}


def land_job(system: SourceSystem) -> Any:
    """Landing of all data sets of one source system, with their checks."""
    selection = dg.AssetSelection.assets(*[dg.AssetKey(["raw", name]) for name in system.dataset_names])
    return dg.define_asset_job(
        f"land_{system.system}", selection, description=f"Land what is new from {system.title_en} ({system.title_zh})."
    )


def land_all_job() -> Any:
    """Landing of every source system."""
    raw = dg.AssetSelection.groups("raw")
    return dg.define_asset_job(LAND, raw, description="Land what is new from every source system.")


def publish_job() -> Any:
    """Publishing what is built."""
    share = dg.AssetSelection.groups("share")
    return dg.define_asset_job(PUBLISH, share, description="Publish what is built, where it is not published whole.")


def jobs(systems: list[SourceSystem]) -> list[Any]:
    """All asset jobs of a city."""
    built = dg.AssetSelection.all() - dg.AssetSelection.groups("raw")
    return [
        dg.define_asset_job(CITY, dg.AssetSelection.all(), description="Land everything, build, check."),
        land_all_job(),
        dg.define_asset_job(BUILD, built, description="Build what has landed, and check it."),
        publish_job(),
        *[land_job(system) for system in systems],
    ]
