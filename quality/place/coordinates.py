"""Coordinates: how a source tells positions, and how they become positions of the lake.

`raw` holds positions in one system, `LAKE_CRS`: degrees, east before north. It stands for WGS 84, and in China for
CGCS2000 (EPSG:4490): both agree to centimetres, so nothing is computed between them. What is told in another system is
turned into it, by PROJ for what has a number of EPSG, by `shifted` for the systems of Chinese web maps. PROJ has no
grids of shifts here, so between old datums it is as exact as its formula: a few metres.

Does not belong here: which shapes (`shapes`) and pairs of numbers (`points`) are taken, and what a source file may say
(`pipelines.sources.parts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.contract import Box
from quality.place.epsg import WORLD, areas
from quality.place.shifted import BD09, GCJ02, point_from_shifted, shape_from_shifted
from warehouse.identifiers import literal

LAKE_CRS = "EPSG:4326"
"""The one system of all positions in `raw` and behind it, always with the longitude first."""
SAME = frozenset({"EPSG:4326", "EPSG:4490", "OGC:CRS84"})
"""Systems whose degrees are taken for the lake's own."""
SHIFTED = frozenset({GCJ02, BD09})
MARGIN_DEGREES = 2.0
"""How far a city may reach beyond the area of use: many use the neighbouring zone rather than two of them."""
_WRITTEN = re.compile(
    r"(?i)(?:urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?(EPSG|OGC)(?:[:/][0-9.]*)?[:/](\w+)"
)
_SHIFTED = {"GCJ02": GCJ02, "BD09": BD09, "BD09LL": BD09, "CRS84": "OGC:CRS84"}


@dataclass(frozen=True)
class Coordinates:
    """How the source tells the positions of one field: in which system, and whether the north stands first."""

    crs: str = LAKE_CRS
    is_north_first: bool = False

    @property
    def is_lakes(self) -> bool:
        """Whether the source tells positions as the lake holds them."""
        return self.crs in SAME and not self.is_north_first

    @property
    def needs_turning(self) -> bool:
        """Whether the system is another one than the lake's."""
        return self.crs not in SAME

    @property
    def needs_projection(self) -> bool:
        """Whether PROJ is asked, which is part of DuckDB's spatial functions."""
        return self.crs not in SAME | SHIFTED

    @property
    def area(self) -> Box:
        """Where positions may lie: where the system is meant to be used, and somewhat around that."""
        if self.crs == LAKE_CRS or not self.crs.startswith("EPSG:"):
            return WORLD
        own = areas()[int(self.crs.removeprefix("EPSG:"))]
        if own.west > own.east:
            return WORLD
        return Box(
            max(own.west - MARGIN_DEGREES, WORLD.west),
            max(own.south - MARGIN_DEGREES, WORLD.south),
            min(own.east + MARGIN_DEGREES, WORLD.east),
            min(own.north + MARGIN_DEGREES, WORLD.north),
        )


def named(text: str) -> str | None:
    """The system that a text names, as EPSG:<code>, GCJ-02, BD-09 or OGC:CRS84; None for one that is not known."""
    plain = text.strip()
    shifted = _SHIFTED.get(plain.upper().replace("-", ""))
    if shifted:
        return shifted
    found = _WRITTEN.fullmatch(plain)
    if found is None:
        return None
    if found[1].upper() == "OGC":
        return "OGC:CRS84" if found[2].upper() == "CRS84" else None
    return f"EPSG:{int(found[2])}" if found[2].isdigit() and int(found[2]) in areas() else None


def contradicts(told: str, coordinates: Coordinates) -> bool:
    """Whether what a file tells of its own system speaks against the one that is declared.

    The systems of web maps have no name that a program could write; such files tell WGS 84.
    """
    other = named(told)
    if other is None or other == coordinates.crs:
        return False
    return not (other in SAME and coordinates.crs in SAME | SHIFTED)


def codes_of(coordinates: Coordinates) -> frozenset[int]:
    """The numbers under which a shape may name the declared system; 0 stands for none."""
    fitting = {coordinates.crs} | (SAME if coordinates.crs in SAME | SHIFTED else set())
    return frozenset({0, *(int(crs.removeprefix("EPSG:")) for crs in fitting if crs.startswith("EPSG:"))})


def shape_in_lake(shape: str, coordinates: Coordinates) -> str:
    """A shape of the source, east first, in the lake's system; coordinates that cannot be turned are infinite."""
    if coordinates.crs in SHIFTED:
        return shape_from_shifted(shape, coordinates.crs)
    if coordinates.needs_projection:
        return f"ST_Transform({shape}, {literal(coordinates.crs)}, {literal(LAKE_CRS)}, always_xy := true)"
    return shape


def point_in_lake(x: str, y: str, coordinates: Coordinates) -> str:
    """A position of the source, east first, as a list of longitude and latitude; infinite where it has none."""
    if coordinates.crs in SHIFTED:
        return point_from_shifted(x, y, coordinates.crs)
    if coordinates.needs_projection:
        turned = shape_in_lake(f"ST_Point({x}, {y})", coordinates)
        return f"list_transform([{turned}], lambda g: [ST_X(g), ST_Y(g)])[1]"
    return f"[{x}, {y}]"


def common(boxes: Iterable[Box]) -> Box:
    """What all boxes share."""
    several = tuple(boxes)
    return Box(
        max(box.west for box in several),
        max(box.south for box in several),
        min(box.east for box in several),
        min(box.north for box in several),
    )
