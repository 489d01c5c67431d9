"""The serving file: what the dashboards show and analysts ask, as read-only DuckDB files that nobody writes to.

What is in it: `serving_tables`.
"""

import dagster as dg

from pipelines.resources import LakeResource
from pipelines.serving_tables import may_publish, publish_city, sources


@dg.asset(
    key=["share", "serving_file"],
    group_name="share",
    description="供分析的只读数据包 / The published read-only file for analysts: one version of all its tables.",
    deps=[dg.AssetKey(source.replace("staging", "seed").split(".")) for source in sources()],
    kinds={"duckdb"},
)
def serving_file(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Publish the tables; nothing is written when none of them changed."""
    if not may_publish(lake.settings):
        context.log.warning("nothing is published before a build has made all tables")
        return dg.MaterializeResult(metadata={"written now": False})
    published = publish_city(lake.settings)
    context.log.info(f"{'published' if published.is_new else 'still current'}: {published.path}")
    return dg.MaterializeResult(
        metadata={
            "version": published.version,
            "path": dg.MetadataValue.path(str(published.path)),
            "lake snapshot": published.snapshot,
            "written now": published.is_new,
        }
    )
