"""The coordinate systems that have a number: what EPSG:<code> is, and where on Earth it is meant to be used.

`epsg.csv` holds what DuckDB's own copy of PROJ says of each flat system (degrees, or a projection): asking PROJ for the
area of use of one takes more than a second. `python -m quality.epsg` writes the file again; a test holds both together.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from catalog.contract import Box
from warehouse.lake.extensions import connect

FILE = Path(__file__).with_name("epsg.csv")
# Systems of which PROJ knows the name, but no way from and to degrees of WGS 84.
UNUSABLE = (2299, 2301, 2303, 2304, 2305, 2306, 2307, 2963, 3144, 5017)
COLUMNS = ("code", "west", "south", "east", "north")
WORLD = Box(-180, -90, 180, 90)


def listed() -> list[tuple[str, ...]]:
    """The rows of `epsg.csv` as PROJ knows them, by number; a system without an area of use is for the whole Earth."""
    connection = connect(extensions=("spatial",))
    bounds = ", ".join(
        f"coalesce(json_extract_string(projjson, '$.bbox.{side}'), '{default:g}')"
        for side, default in (
            ("west_longitude", WORLD.west),
            ("south_latitude", WORLD.south),
            ("east_longitude", WORLD.east),
            ("north_latitude", WORLD.north),
        )
    )
    rows = connection.execute(
        f"SELECT auth_code, {bounds} FROM duckdb_coordinate_systems() WHERE auth_name = 'EPSG'"
        " AND json_extract_string(projjson, '$.type') IN ('ProjectedCRS', 'GeographicCRS')"
        " AND json_array_length(projjson, '$.coordinate_system.axis') = 2"
        f" AND auth_code NOT IN ({', '.join(repr(str(code)) for code in UNUSABLE)}) ORDER BY CAST(auth_code AS INTEGER)"
    ).fetchall()
    connection.close()
    return [tuple(str(value) for value in row) for row in rows]


@cache
def areas() -> dict[int, Box]:
    """The area of use of every system, by its number."""
    with FILE.open(encoding="utf-8", newline="") as handle:
        rows = csv.reader(handle)
        next(rows)
        return {int(code): Box(*map(float, bounds)) for code, *bounds in rows}


def write() -> None:
    """Write `epsg.csv` again."""
    with FILE.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(listed())


if __name__ == "__main__":
    write()
