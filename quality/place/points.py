"""Points that stand in two fields of numbers: judged and turned as shapes are.

A contract says it at the field of the east coordinate (`pointWith`, the field of the north one). What lands is the
longitude and the latitude of the lake; the limits that the contract sets to the two fields are limits of those.

Does not belong here: geometries (`shapes`), and systems of coordinates (`coordinates`).
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog.contract import Box, Contract, Field
from quality.conditions import Condition
from quality.place.coordinates import Coordinates, common, point_in_lake
from warehouse.identifiers import literal

REFUSALS = ("half_point", "null_island", "swapped")


@dataclass(frozen=True)
class Point:
    """A pair of fields that tell one point, with their places among the fields of the contract."""

    east: Field
    north: Field
    east_number: int
    north_number: int


@dataclass(frozen=True)
class PointColumns:
    """The columns in which the points of one pair of fields are judged.

    Args:
        steps: further columns `(name, expression)`, each step over the ones before.
        values: what lands, by field; a field that is not in it is not changed.
        errors: why a row is refused; they replace what `range:` and `type:` would say of the two fields alone.
    """

    steps: tuple[tuple[tuple[str, str], ...], ...]
    values: dict[str, str]
    errors: tuple[Condition, ...]


def points_of(contract: Contract) -> list[Point]:
    """The pairs of fields of a contract that are points."""
    numbers = {field.name: number for number, field in enumerate(contract.fields)}
    return [
        Point(field, contract.field_named(field.point_with), numbers[field.name], numbers[field.point_with])
        for field in contract.fields
        if field.point_with
    ]


def judge_point(point: Point, read: dict[str, str], coordinates: Coordinates) -> PointColumns:
    """How one pair is judged.

    Args:
        point: the pair.
        read: for each of the two fields that the source has, the expression that reads its number.
        coordinates: how the source tells them; with the north first the first field holds the northing.
    """
    number = point.east_number
    x, y, turned, verdict = f"_x{number}", f"_y{number}", f"_q{number}", f"_w{number}"
    first, second = (read.get(field.name, "CAST(NULL AS DOUBLE)") for field in (point.east, point.north))
    if coordinates.is_north_first:
        first, second = second, first
    box = common((coordinates.area, _limits(point)))
    is_same = not coordinates.needs_turning
    lon, lat = (x, y) if is_same else (f"{turned}[1]", f"{turned}[2]")
    other = f"[{y}, {x}]" if is_same else point_in_lake(y, x, coordinates)
    steps = (
        ((x, first), (y, second)),
        *([] if is_same else [((turned, point_in_lake(x, y, coordinates)),)]),
        ((verdict, _verdict(point, read, (x, y), (lon, lat), other, box)),),
    )
    name = point.east.name
    values = {
        field.name: f"CAST({value} AS {field.physical_type})"
        for field, value in ((point.east, lon), (point.north, lat))
        if not coordinates.is_lakes
    }
    columns = (y, x) if coordinates.is_north_first else (x, y)
    types = [
        Condition(f"type:{field.name}", f"_s{place} IS NOT NULL AND {column} IS NULL")
        for field, place, column in zip(
            (point.east, point.north), (point.east_number, point.north_number), columns, strict=True
        )
        if field.name in read
    ]
    ranges = [
        Condition(f"range:{field.name}", f"{verdict} = 'range' AND NOT coalesce({_within(value, *ends)}, false)")
        for field, value, ends in (
            (point.east, lon, (box.west, box.east)),
            (point.north, lat, (box.south, box.north)),
        )
    ]
    refusals = [Condition(f"{refusal}:{name}", f"{verdict} = {literal(refusal)}") for refusal in REFUSALS]
    return PointColumns(steps, values, (*types, *ranges, *refusals))


def _verdict(
    point: Point, read: dict[str, str], told: tuple[str, str], lake: tuple[str, str], other: str, box: Box
) -> str:
    """The first thing that is wrong with a point; NULL for one that is sound, or not there."""
    east = f"_s{point.east_number}" if point.east.name in read else "NULL"
    north = f"_s{point.north_number}" if point.north.name in read else "NULL"
    halves = [
        f"({has} IS NOT NULL AND {lacks} IS NULL)"
        for has, lacks, field in ((east, north, point.north), (north, east, point.east))
        if not field.is_required  # else `required` says it
    ]
    x, y = told
    swapped = f"list_transform([{other}], lambda o: {_is_in('o[1]', 'o[2]', box)})[1]"
    return (
        f"CASE WHEN {x} IS NULL OR {y} IS NULL THEN CASE WHEN {' OR '.join(halves) or 'false'} THEN 'half_point' END"
        f" WHEN {x} = 0 AND {y} = 0 THEN 'null_island'"
        f" WHEN {_is_in(*lake, box)} THEN NULL"
        f" WHEN {swapped} THEN 'swapped' ELSE 'range' END"
    )


def _limits(point: Point) -> Box:
    """The limits that the contract sets to the longitude and to the latitude."""

    def end(limit: float | str | None, otherwise: float) -> float:
        return float(limit) if isinstance(limit, int | float) else otherwise

    return Box(
        end(point.east.minimum, -180.0),
        end(point.north.minimum, -90.0),
        end(point.east.maximum, 180.0),
        end(point.north.maximum, 90.0),
    )


def _is_in(lon: str, lat: str, box: Box) -> str:
    return f"({_within(lon, box.west, box.east)} AND {_within(lat, box.south, box.north)})"


def _within(value: str, low: float, high: float) -> str:
    return f"{value} BETWEEN {low!r} AND {high!r}"
