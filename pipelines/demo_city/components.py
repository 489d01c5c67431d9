"""Components of the made-up city: about 8,000 in 25 classes, with 16-digit identifiers of the 2013 edition."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.demo_city import reference as ref
from pipelines.demo_city.clock import DAY, seconds
from pipelines.demo_city.geography import City

_FIRST_SURVEY = seconds("2023-03-01")
_SURVEY_DAYS = 900
# Half a side, in degrees, of the square that stands for a component with an outline (about 12 m).
_HALF_SIDE = 0.000065


def build_components(city: City, rng: np.random.Generator) -> pl.DataFrame:
    """One row a component: ids, names, department, grid, position (degrees), state, survey dates, GeoJSON outline."""
    counts = np.array([count for *_, count, _ in ref.COMPONENT_CLASSES])
    kind = np.repeat(np.arange(len(counts)), counts)
    total = kind.size
    grid = rng.integers(0, city.grids.height, total)
    # Street furniture stands along the roads, and the roads run along the borders of the grids.
    along, across = rng.uniform(0.02, 0.98, total), rng.beta(0.35, 0.35, total) * 0.94 + 0.03
    is_turned = rng.random(total) < 0.5
    lon, lat = city.points(grid, np.where(is_turned, across, along), np.where(is_turned, along, across))
    surveyed = _FIRST_SURVEY + rng.integers(0, _SURVEY_DAYS, total) * DAY
    is_changed = rng.random(total) < 0.12
    changed = surveyed + rng.integers(30, 180, total) * DAY
    states, shares = [s for s, _ in ref.COMPONENT_STATES], [p for _, p in ref.COMPONENT_STATES]
    frame = pl.DataFrame(
        {
            "class_code": np.array([c[0] for c in ref.COMPONENT_CLASSES])[kind],
            "class_name": np.array([c[1] for c in ref.COMPONENT_CLASSES])[kind],
            "dept_id": np.array([c[2] for c in ref.COMPONENT_CLASSES])[kind],
            "is_area": np.array([c[4] == "area" for c in ref.COMPONENT_CLASSES])[kind],
            "lon": lon,
            "lat": lat,
            "state": np.array(states)[rng.choice(len(states), total, p=shares)],
            "surveyed": surveyed,
            "changed": np.where(is_changed, changed, -1),
        }
    )
    return (
        pl.concat([frame, city.grids[grid].select("grid_code", "district_code", "district_name")], how="horizontal")
        .with_columns(serial=pl.int_range(1, pl.len() + 1).over("district_code", "class_code"))
        .with_columns(
            component_id=pl.col("district_code") + pl.col("class_code") + _padded("serial", 6),
            name=pl.col("class_name") + _padded("serial", 4) + pl.lit("号"),
            surveyed=pl.from_epoch("surveyed").dt.strftime("%Y%m%d"),
            changed=pl.when(pl.col("changed") > 0).then(pl.from_epoch("changed").dt.strftime("%Y%m%d")),
            geometry=pl.when("is_area").then(_square()).otherwise(_point()),
        )
        .sort("component_id")
    )


def _padded(column: str, digits: int) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.zfill(digits)


def _point() -> pl.Expr:
    return pl.concat_str(
        pl.lit('{"type":"Point","coordinates":['), pl.col("lon"), pl.lit(","), pl.col("lat"), pl.lit("]}")
    )


def _square() -> pl.Expr:
    west, east = (pl.col("lon") + d * _HALF_SIDE for d in (-1, 1))
    south, north = (pl.col("lat") + d * _HALF_SIDE for d in (-1, 1))
    ring = pl.format(
        "[[{},{}],[{},{}],[{},{}],[{},{}],[{},{}]]",
        *(part.round(7) for part in (west, south, east, south, east, north, west, north, west, south)),
    )
    return pl.concat_str(pl.lit('{"type":"Polygon","coordinates":['), ring, pl.lit("]}"))
