"""What Dagster sees of a run of the command line that does not build: all but dbt's models, whose import takes long."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from catalog.contract import load_contracts
from pipelines.assets.checks import checks
from pipelines.assets.raw import raw_assets
from pipelines.assets.share import serving_file
from pipelines.assets.superset import dashboards
from pipelines.jobs import land_all_job, publish_job
from pipelines.landing.land import LandingResult
from pipelines.resources import LakeResource
from pipelines.sources.declared import load_sources
from warehouse.settings import Settings


def run_definitions(
    settings: Settings, result_of: Callable[[str], LandingResult | None] = lambda _: None
) -> dg.Definitions:
    """The jobs `land` and `publish`; `result_of` as in `raw_assets`."""
    contracts = load_contracts(settings.city_path)
    return dg.Definitions(
        assets=[*raw_assets(load_sources(settings.city_path), contracts, result_of), serving_file, dashboards],
        asset_checks=checks(sorted(contracts)),
        jobs=[land_all_job(), publish_job()],
        resources={"lake": LakeResource()},
        executor=dg.in_process_executor,
    )
