"""What Dagster sees of one city. Assembly only: no login, no network and no data is read here."""

from __future__ import annotations

import dagster as dg

from catalog.contract import load_contracts
from pipelines.assets.checks import checks
from pipelines.assets.models import dbt_resource, model_assets
from pipelines.assets.raw import raw_assets
from pipelines.assets.share import serving_file
from pipelines.assets.superset import dashboards
from pipelines.assets.upkeep import upkeep
from pipelines.build import ensure_manifest
from pipelines.jobs import jobs
from pipelines.resources import LakeResource
from pipelines.schedules import schedules
from pipelines.sensors import sensors
from pipelines.sources.declared import load_sources
from warehouse.settings import Settings, load_settings


def definitions(settings: Settings) -> dg.Definitions:
    """Everything of the city of these settings."""
    systems = load_sources(settings.city_path)
    contracts = load_contracts(settings.city_path)
    return dg.Definitions(
        assets=[
            *raw_assets(systems, contracts),
            model_assets(settings, ensure_manifest(settings)),
            serving_file,
            dashboards,
        ],
        asset_checks=checks(sorted(contracts)),
        jobs=[*jobs(systems), upkeep],
        schedules=schedules(systems, settings.timezone),
        sensors=sensors(systems),
        resources={"lake": LakeResource(), "dbt": dbt_resource(settings)},
        executor=dg.in_process_executor,
    )


defs = definitions(load_settings())
