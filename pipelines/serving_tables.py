"""Which tables of the lake are published, and how: what the dashboards show and analysts ask.

Published under a version in its name; `<home>/serving/city.duckdb` leads to the newest. Known without Dagster, because
every run looks whether all of it is published.
"""

from __future__ import annotations

from pipelines.build import built_state, held_back
from warehouse.lake.session import open_lake
from warehouse.serving.publish import Partitioned, Publication, current, is_current, publish
from warehouse.settings import Settings

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
    "mart_check_day": "mart.mart_check_day",
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
    # A score stands beside that of the month before.
    Partitioned(
        "mart_index", "mart.mart_index", "indicator.index_score", "period_start", horizon=HORIZON, looks_back=1
    ),
    Partitioned("mart_indicator", "mart.mart_indicator", "indicator.indicator_value", "period_start", horizon=HORIZON),
    Partitioned("mart_component", "mart.mart_component"),
    Partitioned("mart_permit", "mart.mart_permit"),
)
VIEWS = {"mart_case_open": "mart.mart_case_open", "mart_indicator_case": "mart.mart_indicator_case"}


def sources() -> list[str]:
    """All tables and views of the lake that are published, as `schema.table`."""
    return [*TABLES.values(), *(of.source for of in PARTITIONED), *VIEWS.values()]


def may_publish(settings: Settings) -> bool:
    """Whether the tables are those of a build that went to its end: half-built ones are not shown to anybody.

    A first build that had to leave out what is held back has not made all that is published.
    """
    with open_lake(settings, read_only=True, spatial=False) as lake:
        is_built, held = built_state(lake) is not None, held_back(lake)
    return is_built and not (held and current(settings, NAME) is None)


def publish_city(settings: Settings) -> Publication:
    """Publish them; nothing is written when none of them changed.

    Raises:
        LakeError: as `warehouse.serving.publish.publish`.
    """
    return publish(settings, NAME, TABLES, partitioned=PARTITIONED, views=VIEWS)


def is_published(settings: Settings) -> bool:
    """Whether what is served shows all of them as they are.

    Raises:
        LakeError: as `warehouse.serving.publish.is_current`.
    """
    return is_current(settings, NAME, TABLES, partitioned=PARTITIONED, views=VIEWS)
