"""Permits of the made-up city: about 2,500 decided or running at the end of March, and what happens later."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.demo_city import reference as ref
from pipelines.demo_city.cases import HORIZON
from pipelines.demo_city.clock import DAY, HOUR, add, seconds
from pipelines.demo_city.geography import City

_FIRST_DAY = "2025-10-01"
_PER_DAY = 13.9
_DECISIONS = (("GRANTED", 0.86), ("REFUSED", 0.09), ("WITHDRAWN", 0.05))
# On this day the permit office merges two windows and renames another.
REORGANISED = "2026-04-05"


def build_permits(city: City, rng: np.random.Generator) -> pl.DataFrame:
    """One row a permit with its whole timeline (Int64 seconds since 1970, NULL = never) up to the end of HORIZON."""
    days = np.arange(seconds(_FIRST_DAY), seconds(HORIZON) + DAY, DAY)
    is_weekend = (days // DAY + 3) % 7 >= 5
    applied = np.repeat(days, rng.poisson(np.where(is_weekend, _PER_DAY * 0.25, _PER_DAY * 1.3)))
    total = applied.size
    working = np.zeros(total, dtype=np.bool_)
    applied = np.sort(applied + rng.integers(8 * HOUR, 18 * HOUR, total))
    kind = rng.choice(len(ref.PERMIT_TYPES), total, p=[t[3] for t in ref.PERMIT_TYPES])
    days_allowed = np.array([t[4] for t in ref.PERMIT_TYPES])[kind]
    accepted = add(applied, rng.lognormal(np.log(5 * HOUR), 0.7, total), working)
    allowed = days_allowed * 8.0 * HOUR
    due = add(accepted, allowed, working)
    decided = add(accepted, allowed * rng.lognormal(-0.75, 0.5, total), working)
    outcome, shares = [d for d, _ in _DECISIONS], [p for _, p in _DECISIONS]
    decision = np.array(outcome)[rng.choice(len(outcome), total, p=shares)]
    length = np.array([30, 20, 730, 1095, 180, 60, 7])[kind]
    grid = rng.integers(0, city.grids.height, total)
    lon, lat = city.points(grid, rng.uniform(0.02, 0.98, total), rng.uniform(0.02, 0.98, total))
    places = city.grids[grid].select("district_code", "district_name", "street_name")
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "id": np.arange(1, total + 1),
                    "type_code": np.array([t[0] for t in ref.PERMIT_TYPES])[kind],
                    "dept_code": np.array([t[2] for t in ref.PERMIT_TYPES])[kind],
                    "person": rng.integers(0, 10_000, total),
                    "door": rng.integers(1, 400, total),
                    "lon": lon,
                    "lat": lat,
                    "applied": applied,
                    "accepted": accepted,
                    "due": due,
                    "decided": decided,
                    "decision": decision,
                    "valid_days": length,
                }
            ),
            places,
        ],
        how="horizontal",
    ).with_columns(
        permit_no=pl.lit("YZXK")
        + pl.from_epoch("applied").dt.strftime("%Y")
        + pl.col("id").cast(pl.String).str.zfill(6)
    )


def at(permits: pl.DataFrame, moment: int) -> pl.DataFrame:
    """The rows of permit_office.permit as they stood at `moment` (seconds since 1970), ready for COPY."""
    known = permits.filter(pl.col("applied") <= moment).with_columns(
        pl.when(pl.col(name) <= moment).then(pl.col(name)) for name in ("accepted", "decided")
    )
    is_granted = pl.col("decided").is_not_null() & (pl.col("decision") == "GRANTED")
    shown = known.with_columns(
        updated=pl.max_horizontal("applied", "accepted", "decided"),
        due=pl.when(pl.col("accepted").is_not_null()).then(pl.col("due")),
        decision=pl.when(pl.col("decided").is_not_null()).then(pl.col("decision")),
        valid_from=pl.when(is_granted).then(pl.from_epoch("decided").dt.date()),
    )
    is_early = pl.col("defect") == "decided_before_applied"
    return shown.select(
        "id",
        permit_no=pl.when(pl.col("defect") == "missing_id")
        .then(None)
        .when(pl.col("defect") == "wrong_code")
        .then(pl.lit("旧") + pl.col("permit_no"))
        .otherwise("permit_no"),
        type_code=pl.when(pl.col("defect") == "unmapped_class")
        .then(pl.lit(ref.UNMAPPED_PERMIT_TYPE))
        .otherwise("type_code"),
        applicant_name=pl.lit("虚构申请人") + pl.col("person").cast(pl.String).str.zfill(4),
        applicant_phone=pl.lit("1000000") + pl.col("person").cast(pl.String).str.zfill(4),
        dept_code=pl.col("dept_code"),
        district_code=pl.col("district_code"),
        address=pl.col("district_name") + pl.col("street_name") + pl.col("door").cast(pl.String) + pl.lit("号"),
        lon=pl.when(pl.col("defect") == "outside_city").then(pl.col("lon") - 10).otherwise("lon"),
        lat=pl.col("lat"),
        applied_at=_time("applied"),
        accepted_at=_time("accepted"),
        due_at=_time("due"),
        decided_at=pl.when(is_early)
        .then(pl.from_epoch(pl.col("applied") - DAY).dt.strftime("%Y-%m-%d %H:%M:%S"))
        .otherwise(_time("decided")),
        decision=pl.col("decision"),
        valid_from=pl.col("valid_from").dt.strftime("%Y-%m-%d"),
        valid_to=(pl.col("valid_from") + pl.duration(days=pl.col("valid_days"))).dt.strftime("%Y-%m-%d"),
        updated_at=_time("updated"),
    ).sort("id")


def windows_at(moment: int) -> pl.DataFrame:
    """The rows of permit_office.department at `moment`."""
    frame = pl.DataFrame(
        ref.PERMIT_WINDOWS, schema=["dept_code", "dept_name", "dept_name_en", "bureau"], orient="row"
    ).drop("bureau")
    if moment < seconds(REORGANISED):
        return frame
    return frame.filter(pl.col("dept_code") != "W05").with_columns(
        dept_name=pl.when(pl.col("dept_code") == "W02").then(pl.lit("市容与综合窗口")).otherwise("dept_name")
    )


def _time(column: str) -> pl.Expr:
    return pl.from_epoch(column).dt.strftime("%Y-%m-%d %H:%M:%S")
