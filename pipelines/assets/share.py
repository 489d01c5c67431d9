"""The serving file: the tables that analysts read, as one DuckDB file that nobody writes to.

Published after each build under a version in its name; `<home>/serving/city.duckdb` leads to the newest.
"""

import dagster as dg

from pipelines.resources import LakeResource
from warehouse.publish import publish

NAME = "city"
# Named one by one: what is not listed is not published. None of these holds personal data.
TABLES = {
    "dim_area": "core.dim_area",
    "dim_class": "core.dim_class",
    "dim_component": "core.dim_component",
    "dim_date": "core.dim_date",
    "dim_department": "core.dim_department",
    "dim_grid": "core.dim_grid",
    "fct_case": "core.fct_case",
    "fct_permit": "core.fct_permit",
    "indicator_definition": "staging.indicator_definition",
    "indicator_score": "indicator.indicator_score",
    "index_score": "indicator.index_score",
}


@dg.asset(
    key=["share", "serving_file"],
    group_name="share",
    description="供分析使用的只读发布文件 / The published read-only file for analysts: one version of all its tables.",
    deps=[dg.AssetKey(source.replace("staging", "seed").split(".")) for source in TABLES.values()],
    kinds={"duckdb"},
)
def serving_file(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Publish the tables; nothing is written when none of them changed."""
    published = publish(lake.settings, NAME, TABLES)
    context.log.info(f"{'published' if published.is_new else 'still current'}: {published.path}")
    return dg.MaterializeResult(
        metadata={
            "version": published.version,
            "path": dg.MetadataValue.path(str(published.path)),
            "lake snapshot": published.snapshot,
            "written now": published.is_new,
        }
    )
