"""Upkeep of the lake as a job of its own: compaction needs a time at which little is written."""

import dagster as dg

from pipelines.assets.raw import WRITER_POOL
from pipelines.resources import LakeResource
from pipelines.services.dagster_home import prune
from warehouse.lake.maintenance import maintain


@dg.op(pool=WRITER_POOL, description="Compaction, expiry of old snapshots, removal of old orphan files.")
def maintain_lake(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Run the lake's maintenance and log what it did."""
    report = maintain(lake.settings)
    context.log.info(str(report))
    pruned = prune(context.instance, lake.settings.dagster_days)
    context.log.info(f"old runs forgotten: {pruned}")


@dg.job(description="Upkeep of the lake: merge small files, expire old snapshots, remove files nobody needs.")
def upkeep() -> None:
    """The maintenance job."""
    maintain_lake()
