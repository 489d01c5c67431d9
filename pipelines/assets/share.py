"""The serving file: what the dashboards show and analysts ask, as read-only DuckDB files that nobody writes to.

Published after each build under a version in its name; `<home>/serving/city.duckdb` leads to the newest.
"""

import dagster as dg

from pipelines.resources import LakeResource
from warehouse.publish import Partitioned, publish

NAME = "city"
# Named one by one: what is not listed is not published. None of these holds personal data.
TABLES = {
    "age_band": "staging.age_band",
    "dim_area": "core.dim_area",
    "dim_class": "core.dim_class",
    "dim_date": "core.dim_date",
    "dim_department": "core.dim_department",
    "dim_grid": "core.dim_grid",
    "indicator_definition": "staging.indicator_definition",
    "int_case_late_end": "mart.int_case_late_end",
    "mart_check": "mart.mart_check",
    "mart_dataset": "mart.mart_dataset",
    "mart_delivery": "mart.mart_delivery",
    "mart_map": "mart.mart_map",
    "mart_month": "mart.mart_month",
    "mart_public_index": "mart.mart_public_index",
    "mart_state": "mart.mart_state",
    "mart_unmapped": "mart.mart_unmapped",
}
# Until when the data reach: a month before is over, whatever more comes in.
HORIZON = "mart.mart_state.as_of"
PARTITIONED = (
    Partitioned("mart_case", "mart.mart_case", "core.fct_case", "reported_at", by_row=True),
    Partitioned("mart_case_stage", "mart.mart_case_stage", "core.fct_case", "reported_at"),
    Partitioned("mart_case_hour", "mart.mart_case_hour", "core.fct_case", "reported_at"),
    Partitioned("int_case_unclosed", "mart.int_case_unclosed", "core.fct_case", "reported_at"),
    Partitioned("mart_case_due", "mart.mart_case_due", "indicator.int_case_day", "day"),
    Partitioned("mart_index", "mart.mart_index", "indicator.index_score", "period_start", horizon=HORIZON),
    Partitioned("mart_indicator", "mart.mart_indicator", "indicator.indicator_value", "period_start", horizon=HORIZON),
    Partitioned("mart_component", "mart.mart_component"),
    Partitioned("mart_permit", "mart.mart_permit"),
)
VIEWS = {"mart_case_open": "mart.mart_case_open", "mart_indicator_case": "mart.mart_indicator_case"}


def _sources() -> list[str]:
    return [*TABLES.values(), *(of.source for of in PARTITIONED), *VIEWS.values()]


@dg.asset(
    key=["share", "serving_file"],
    group_name="share",
    description="供分析使用的只读发布文件 / The published read-only file for analysts: one version of all its tables.",
    deps=[dg.AssetKey(source.replace("staging", "seed").split(".")) for source in _sources()],
    kinds={"duckdb"},
)
def serving_file(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Publish the tables; nothing is written when none of them changed."""
    published = publish(lake.settings, NAME, TABLES, partitioned=PARTITIONED, views=VIEWS)
    context.log.info(f"{'published' if published.is_new else 'still current'}: {published.path}")
    return dg.MaterializeResult(
        metadata={
            "version": published.version,
            "path": dg.MetadataValue.path(str(published.path)),
            "lake snapshot": published.snapshot,
            "written now": published.is_new,
        }
    )
