"""Superset's dashboards and access rules, brought to what the files and the published units say."""

import dagster as dg

from pipelines.assets.share import serving_file
from pipelines.resources import LakeResource


@dg.asset(
    key=["share", "dashboards"],
    group_name="share",
    description="Superset 的看板与权限 / Superset's dashboards and access rules, as the files and the units say.",
    deps=[serving_file],
    kinds={"superset"},
)
def dashboards(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Import them when the files or the units have changed; nothing where Superset was never set up for this lake."""
    from pipelines.services.superset import is_prepared, prepare_content

    if not is_prepared(lake.settings):
        context.log.info("Superset has not been set up for this lake: `gridlake up` does it")
        return dg.MaterializeResult(metadata={"imported now": False})
    is_new = prepare_content(lake.settings)
    context.log.info("imported" if is_new else "unchanged")
    return dg.MaterializeResult(metadata={"imported now": is_new})
