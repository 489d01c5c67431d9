"""Shapes: which geometries land, which are made valid first, and why the others are refused.

A shape is read from GeoJSON, WKT, WKB or the database's own form of it, turned into the lake's system and judged there,
by one verdict a row. A valid shape stays as it is to the last bit, also where its rings turn the other way or a point
stands twice: components are known by their shape. An invalid one whose rings are closed is made valid, if it stays of
its kind and nearly keeps its area; that is counted. Nobody can tell how an open ring was meant to close.

Does not belong here: pairs of numbers (`points`), and systems of coordinates (`coordinates`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from catalog.contract import Box, Field
from quality import told
from quality.conditions import Condition
from quality.place.coordinates import Coordinates, codes_of, common, shape_in_lake
from warehouse.identifiers import literal, quoted

CHANGE_ALLOWED = 0.01
"""Share of its area by which a shape may change when it is made valid."""
_SOUND, _INVALID = "sound", "invalid"
# Words of the contract, the kinds of DuckDB that they stand for, and what ST_CollectionExtract calls them.
_KINDS = {
    "point": (("POINT", "MULTIPOINT"), 1),
    "line": (("LINESTRING", "MULTILINESTRING"), 2),
    "area": (("POLYGON", "MULTIPOLYGON"), 3),
}
REFUSALS = ("empty", "other_crs", "shape_kind", "not_finite", "open_ring", "null_island", "swapped", "range")


@dataclass(frozen=True)
class ShapeColumns:
    """The columns in which one field's shapes are judged.

    Args:
        steps: further columns `(name, expression)`, each step over the ones before.
        value: the shape that lands.
        errors: why a row is refused.
        warnings: what is counted.
    """

    steps: tuple[tuple[tuple[str, str], ...], ...]
    value: str
    errors: tuple[Condition, ...]
    warnings: tuple[Condition, ...]


def judge_shape(field: Field, number: int, source: str, *, is_text: bool, coordinates: Coordinates) -> ShapeColumns:
    """How the shapes of field `number` are judged; `source` is the column of the source's value."""
    read, lake, verdict, mended = (f"_{letter}{number}" for letter in "glvm")
    parsed = _from_text(source) if is_text else f"TRY(CAST({source} AS GEOMETRY))"
    if coordinates.is_north_first:
        parsed = f"ST_FlipCoordinates({parsed})"
    turned = shape_in_lake(read, coordinates)
    shape = read if turned == read else lake
    other_crs = _names_other_crs(source, coordinates) if is_text else "false"
    steps = [
        ((read, parsed),),
        *([((lake, turned),)] if shape == lake else []),
        ((verdict, _verdict(field, read, shape, other_crs, coordinates)),),
        ((mended, f"CASE WHEN {verdict} = {literal(_INVALID)} THEN {_made_valid(shape)} END"),),
    ]
    name = field.name
    is_invalid = f"{verdict} = {literal(_INVALID)}"
    return ShapeColumns(
        tuple(steps),
        f"CASE WHEN {verdict} = {literal(_SOUND)} THEN {shape} ELSE {mended} END",
        (
            Condition(f"type:{name}", f"{source} IS NOT NULL AND {read} IS NULL"),
            *([Condition(f"required:{name}", f"{source} IS NULL")] if field.is_required else []),
            *(Condition(f"{refusal}:{name}", f"{verdict} = {literal(refusal)}") for refusal in REFUSALS),
            Condition(f"{_INVALID}:{name}", f"{is_invalid} AND {mended} IS NULL"),
        ),
        (Condition(told.label(told.MENDED_SHAPES), f"{is_invalid} AND {mended} IS NOT NULL"),),
    )


def outside(field: Field) -> str:
    """The condition that a shape which has landed lies outside of its field's extent; false where it has none."""
    return "false" if field.extent is None else f"NOT {_is_in(quoted(field.name), field.extent)}"


def _verdict(field: Field, read: str, shape: str, other_crs: str, coordinates: Coordinates) -> str:
    """The first thing that is wrong with a shape, `sound`, or `invalid` for what has to be made valid."""
    box = common((coordinates.area, field.extent or coordinates.area))
    flipped = shape_in_lake(f"ST_FlipCoordinates({read})", coordinates)
    allowed = [kind for word in field.shapes for kind in _KINDS[word][0]]
    is_kind = f"ST_GeometryType({shape}) IN ({', '.join(map(literal, allowed))})" if allowed else "true"
    is_origin = " AND ".join(f"ST_{end}({read}) = 0" for end in ("XMax", "XMin", "YMax", "YMin"))
    is_in = _is_in(shape, box)
    return (
        f"CASE WHEN {read} IS NULL THEN NULL"
        f" WHEN ST_IsEmpty({read}) THEN 'empty'"
        f" WHEN {other_crs} THEN 'other_crs'"
        f" WHEN NOT ({is_kind}) THEN 'shape_kind'"
        f" WHEN {is_origin} THEN 'null_island'"
        f" WHEN {is_in} AND (ST_GeometryType({shape}) = 'POINT' OR ST_IsValid({shape})) THEN {literal(_SOUND)}"
        f" WHEN regexp_matches(ST_AsText({read}), '(?i)nan|inf') THEN 'not_finite'"
        f" WHEN {_has_open_ring(read)} THEN 'open_ring'"
        f" WHEN NOT coalesce({is_in}, false) THEN"
        f" CASE WHEN {_is_in(flipped, box)} THEN 'swapped' ELSE 'range' END"
        f" ELSE {literal(_INVALID)} END"
    )


def _is_in(shape: str, box: Box) -> str:
    # The outline of a point without a number begins beyond every box.
    return (
        f"(ST_XMin({shape}) BETWEEN {box.west} AND {box.east} AND ST_XMax({shape}) <= {box.east}"
        f" AND ST_YMin({shape}) BETWEEN {box.south} AND {box.north} AND ST_YMax({shape}) <= {box.north})"
    )


def _has_open_ring(shape: str) -> str:
    """Whether a ring of any part does not end where it began."""
    rings = (
        "list_prepend(ST_ExteriorRing(d.geom), list_transform(range(1, ST_NInteriorRings(d.geom) + 1),"
        " lambda n: ST_InteriorRingN(d.geom, CAST(n AS INTEGER))))"
    )
    is_open = f"list_bool_or(list_transform({rings}, lambda r: NOT ST_IsClosed(r)))"
    parts = f"list_filter(ST_Dump({shape}), lambda d: ST_GeometryType(d.geom) = 'POLYGON')"
    return f"coalesce(list_bool_or(list_transform({parts}, lambda d: {is_open})), false)"


def _made_valid(shape: str) -> str:
    """The shape made valid, NULL where that makes another thing of it."""
    kept = " ".join(
        f"WHEN ST_GeometryType({shape}) IN ({', '.join(map(literal, kinds))}) THEN"
        f" CASE WHEN ST_GeometryType(m) IN ({', '.join(map(literal, kinds))}) THEN m"
        f" ELSE ST_CollectionExtract(m, {dimension}) END"
        for kinds, dimension in _KINDS.values()
    )
    part = f"list_transform([TRY(ST_MakeValid({shape}))], lambda m: CASE {kept} ELSE m END)[1]"
    single = (
        f"list_transform([{part}], lambda m: CASE WHEN ST_NGeometries(m) = 1 THEN ST_Dump(m)[1].geom ELSE m END)[1]"
    )
    is_same = (
        f"NOT ST_IsEmpty(m) AND ST_IsValid(m) AND abs(ST_Area(m) - ST_Area({shape})) <= {CHANGE_ALLOWED} * ST_Area(m)"
    )
    return f"list_transform([{single}], lambda m: CASE WHEN {is_same} THEN m END)[1]"


def _from_text(source: str) -> str:
    """A shape out of text: GeoJSON, WKT, or the bytes of WKB, of a PostGIS column or of a GeoPackage, as digits."""
    text = f"ltrim({source})"
    # Of a GeoPackage: two letters, version, flags, number of the system, and an outline as long as the flags say.
    flags = f"(TRY_CAST(concat('0x', substring({text}, 9, 2)) AS INTEGER) // 2) % 8"
    package = f"substring({text}, [19, 83, 115, 115, 147][{flags} + 1])"
    digits = f"CASE WHEN starts_with({text}, '0x4750') THEN {package} WHEN starts_with({text}, '0x')"
    digits += f" THEN substring({text}, 3) ELSE trim({source}) END"
    return (
        f"CASE WHEN starts_with({text}, '{{') THEN TRY(ST_GeomFromGeoJSON({source}))"
        f" WHEN starts_with({text}, '0') THEN TRY(ST_GeomFromHEXEWKB({digits}))"
        f" ELSE TRY(ST_GeomFromText({source})) END"
    )


def _names_other_crs(source: str, coordinates: Coordinates) -> str:
    """Whether the text names the number of another system: `SRID=4549;POINT (…)`, PostGIS, or a GeoPackage."""
    codes = sorted(codes_of(coordinates))
    text = f"upper(ltrim({source}))"
    numbers = ", ".join(literal(str(code)) for code in codes)
    little = ", ".join(literal(struct.pack("<I", code).hex().upper()) for code in codes)
    big = ", ".join(literal(struct.pack(">I", code).hex().upper()) for code in codes)
    return (
        f"CASE WHEN starts_with({source}, '{{') THEN false"
        f" WHEN starts_with({text}, 'SRID=') THEN regexp_extract({text}, '^SRID=([0-9]+)', 1) NOT IN ({numbers})"
        f" WHEN starts_with({text}, '0X4750') THEN"
        f" substring({text}, 11, 8) NOT IN ({little}, 'FFFFFFFF', '00000000')"
        f" WHEN starts_with({text}, '01') AND substring({text}, 9, 2) IN ('20', '60', 'A0', 'E0') THEN"
        f" substring({text}, 11, 8) NOT IN ({little})"
        f" WHEN starts_with({text}, '00') AND substring({text}, 3, 2) IN ('20', '60', 'A0', 'E0') THEN"
        f" substring({text}, 11, 8) NOT IN ({big}) ELSE false END"
    )
