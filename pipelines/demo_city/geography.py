"""Areas of the made-up city: an irregular lattice of 20 x 11 unit grids, and what they make up.

All cells share their corner points, so grids tile communities, communities tile streets, and so on, without a gap.
Coordinates are CGCS2000 longitude and latitude in degrees, rounded to 7 decimals (about 1 cm).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.demo_city import reference as ref
from warehouse.lake.extensions import connect

COLUMNS, ROWS = 20, 11
# The north-west corner, in open sea.
WEST, NORTH = 123.5, 33.0
_DEGREE_LON_M, _DEGREE_LAT_M = 93_450.0, 110_900.0
STEP_LON, STEP_LAT = 100.0 / _DEGREE_LON_M, 100.0 / _DEGREE_LAT_M
# A corner moves by less than an eighth of a side, so every cell stays convex.
_JITTER = 0.12
_VALID_FROM = "2024-01-01"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class City:
    """The city's areas.

    `grids`: one row a unit grid, in code order, with its names, codes, corners (nw, ne, se, sw as x0..y3 in degrees),
    area_m2 and perimeter_m. `areas`: one row an area above the grid with its GeoJSON geometry.
    """

    grids: pl.DataFrame
    areas: pl.DataFrame

    def points(self, index: NDArray[np.int64], u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Longitude and latitude of places inside grids: u from west to east, v from north to south, in 0..1."""
        corner = self.grids.select([f"{axis}{i}" for i in range(4) for axis in "xy"]).to_numpy()[index]
        weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)
        lon = (corner[:, 0::2] * weights).sum(axis=1)
        lat = (corner[:, 1::2] * weights).sum(axis=1)
        return np.round(lon, 7), np.round(lat, 7)


def build_city(rng: np.random.Generator) -> City:
    """Draw the lattice and name everything in it."""
    x, y = _corners(rng)
    row, column = (part.ravel() for part in np.mgrid[0:ROWS, 0:COLUMNS])
    # The border between two areas steps by one cell in some rows, as real borders do.
    shift = rng.integers(0, 2, ROWS)[row]
    district = (column >= 10 + shift).astype(np.int64)
    street = np.digitize(row, [4, 8])
    first = np.where(district == 0, 0, 10 + shift)
    width = np.where(district == 0, 10 + shift, COLUMNS - 10 - shift)
    community = np.minimum((column - first) * 3 // width, 2)
    corners = {
        f"{axis}{i}": grid[row + down, column + right].ravel()
        for i, (down, right) in enumerate([(0, 0), (0, 1), (1, 1), (1, 0)])
        for axis, grid in (("x", x), ("y", y))
    }
    cells = pl.DataFrame({"row": row, "column": column, "d": district, "s": street, "c": community, **corners})
    grids = _measured(_coded(cells))
    return City(grids, _areas(grids))


def _corners(rng: np.random.Generator) -> tuple[Floats, Floats]:
    shape = (ROWS + 1, COLUMNS + 1)
    down, right = np.mgrid[0 : ROWS + 1, 0 : COLUMNS + 1]
    x = WEST + (right + rng.uniform(-_JITTER, _JITTER, shape)) * STEP_LON
    y = NORTH - (down + rng.uniform(-_JITTER, _JITTER, shape)) * STEP_LAT
    return np.round(x, 7), np.round(y, 7)


def _names() -> pl.DataFrame:
    """One row a community: its place in the lattice, codes and names of its street and district."""
    rows = [
        {
            "d": d,
            "s": s,
            "c": c,
            "district_code": district,
            "district_name": ref.DISTRICTS[district][0],
            "street_code": district + code,
            "street_name": name,
            "street_name_en": f"{english} {'Town' if code.startswith('1') else 'Subdistrict'}",
            "community_code": f"{district}{code}{c + 1:03d}",
            "community_name": f"{ref.COMMUNITIES[(d * 3 + s) * 3 + c][0]}社区",
            "community_name_en": f"{ref.COMMUNITIES[(d * 3 + s) * 3 + c][1]} Community",
        }
        for d, district in enumerate(ref.DISTRICTS)
        for s, (code, name, english) in enumerate(ref.STREETS[district])
        for c in range(3)
    ]
    return pl.DataFrame(rows)


def _coded(cells: pl.DataFrame) -> pl.DataFrame:
    """Add the 15-digit code: within a community from west to east and from north to south."""
    return (
        cells.join(_names(), on=["d", "s", "c"], how="left")
        .sort("community_code", "row", "column")
        .with_columns(sequence=pl.int_range(1, pl.len() + 1).over("community_code"))
        .with_columns(sequence=pl.col("sequence").cast(pl.String).str.zfill(3))
        .with_columns(
            grid_code=pl.col("community_code") + pl.col("sequence"),
            grid_name=pl.col("community_name") + pl.lit("第") + pl.col("sequence") + pl.lit("网格"),
            start_date=pl.lit(_VALID_FROM),
        )
        .sort("grid_code")
    )


def _measured(grids: pl.DataFrame) -> pl.DataFrame:
    """Add area (shoelace) and perimeter in metres, on the plane that touches the city, and the WKT outline."""
    corner = grids.select([f"{axis}{i}" for i in range(4) for axis in "xy"]).to_numpy()
    x = (corner[:, 0::2] - WEST) * _DEGREE_LON_M
    y = (corner[:, 1::2] - NORTH) * _DEGREE_LAT_M
    next_x, next_y = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
    area = np.abs((x * next_y - next_x * y).sum(axis=1)) / 2
    perimeter = np.hypot(next_x - x, next_y - y).sum(axis=1)
    ring = pl.format(
        "[[{},{}],[{},{}],[{},{}],[{},{}],[{},{}]]",
        *(pl.col(f"{axis}{i}") for i in (0, 3, 2, 1, 0) for axis in "xy"),
    )
    return grids.with_columns(
        area_m2=pl.Series(np.round(area, 1)),
        perimeter_m=pl.Series(np.round(perimeter, 1)),
        geometry=pl.concat_str(pl.lit('{"type":"Polygon","coordinates":['), ring, pl.lit("]}")),
    )


def _areas(grids: pl.DataFrame) -> pl.DataFrame:
    """Dissolve the grids into communities, streets, districts and the city."""
    named = grids.with_columns(
        city_code=pl.lit(ref.CITY[0]),
        city_name=pl.lit(ref.CITY[1]),
        city_name_en=pl.lit(ref.CITY[2] + " City"),
        district_name_en=pl.col("district_code").replace_strict(
            {code: f"{english} District" for code, (_, english) in ref.DISTRICTS.items()}
        ),
        none=pl.lit(None, dtype=pl.String),
    )
    levels = [("city", "none"), ("district", "city_code"), ("street", "district_code"), ("community", "street_code")]
    # One thread and an ordered aggregate: the union's vertex order must not depend on the machine.
    with connect(extensions=["spatial"]) as con:
        con.execute("SET threads = 1")
        con.register("grids", named.to_arrow())
        parts = [
            con.execute(
                f"""
                SELECT '{level}' AS level, {level}_code AS code, {level}_name AS name_zh, {level}_name_en AS name_en,
                       {parent} AS parent_code,
                       st_asgeojson(
                           st_normalize(st_union_agg(st_geomfromgeojson(geometry) ORDER BY grid_code))
                       )::VARCHAR AS geometry
                FROM grids GROUP BY ALL ORDER BY code
                """
            ).pl()
            for level, parent in levels
        ]
    return pl.concat(parts, how="vertical_relaxed")
