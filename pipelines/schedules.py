"""When sources are asked, as their files say; and the nightly upkeep. All are switched on in Dagster by the steward."""

from __future__ import annotations

import dagster as dg

from pipelines.assets.upkeep import upkeep
from pipelines.jobs import AGAIN_IF_KILLED, BUILD
from pipelines.sources.declared import SourceSystem


def schedules(systems: list[SourceSystem], timezone: str) -> list[dg.ScheduleDefinition]:
    """One schedule for each source that has one, one for the models, one for the upkeep."""
    landing = [
        dg.ScheduleDefinition(
            name=f"land_{system.system}_schedule",
            job_name=f"land_{system.system}",
            cron_schedule=system.schedule,
            execution_timezone=timezone,
            tags=AGAIN_IF_KILLED,
        )
        for system in systems
        if system.schedule
    ]
    return [
        *landing,
        dg.ScheduleDefinition(
            name="build_schedule",
            job_name=BUILD,
            cron_schedule="30 6 * * *",
            execution_timezone=timezone,
            tags=AGAIN_IF_KILLED,
        ),
        dg.ScheduleDefinition(
            name="upkeep_schedule",
            job=upkeep,
            cron_schedule="30 3 * * *",
            execution_timezone=timezone,
            tags=AGAIN_IF_KILLED,
        ),
    ]
