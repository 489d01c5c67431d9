"""What a source system knows of its cases at a given moment: the timeline cut off at that moment."""

from __future__ import annotations

import polars as pl

from pipelines.demo_city.cases import EVENTS

# The last step of the life cycle that has begun decides the status; later steps first.
_STATUS_BY_STEP = (
    ("closed", "closed"),
    ("checked", "pending_close"),
    ("handled", "pending_check"),
    ("reworked", "check_not_pass"),
    ("resumed", "handling"),
    ("suspended", "suspended"),
    ("dispatched", "handling"),
    ("returned", "returned"),
    ("cancelled", "cancelled"),
    ("not_accepted", "not_accepted"),
    ("filed", "pending_dispatch"),
)


def at(cases: pl.DataFrame, moment: int) -> pl.DataFrame:
    """The cases reported up to `moment` (seconds since 1970), as they stood then.

    Adds `status` (a key of the case life cycle), `updated`, `rework_count` and `return_count`; steps that lie in
    the future are NULL.
    """
    begun = cases.filter(pl.col("reported") <= moment).with_columns(
        pl.when(pl.col(name) <= moment).then(pl.col(name)) for name in EVENTS
    )
    by_step = [pl.when(pl.col(step).is_not_null()).then(pl.lit(status)) for step, status in _STATUS_BY_STEP]
    paused = pl.when(pl.col("suspended").is_not_null()).then(pl.col("pause")).otherwise(0)
    return begun.with_columns(
        status=pl.coalesce(*by_step, pl.lit("pending_register")),
        updated=pl.max_horizontal(EVENTS),
        rework_count=pl.col("reworked").is_not_null().cast(pl.Int64),
        return_count=pl.col("returned").is_not_null().cast(pl.Int64),
        # Due times are set when the step before them is done.
        dispatch_due=pl.when(pl.col("filed").is_not_null()).then(pl.col("dispatch_due")),
        handle_due=pl.when(pl.col("dispatched").is_not_null()).then(pl.col("handle_due") + paused),
        close_due=pl.when(pl.col("dispatched").is_not_null()).then(pl.col("close_due") + paused),
    )


def changed(cases: pl.DataFrame, after: int, until: int) -> pl.DataFrame:
    """The state at `until` of the cases that changed after `after`, in the order of their change."""
    return at(cases, until).filter(pl.col("updated") > after).sort("updated", "case_no")
