"""GCJ-02 and BD-09: the coordinates of Chinese web maps, shifted against the ground by some hundred metres.

GCJ-02 adds a shift that is known as a formula of the true position, BD-09 adds another one to that. Neither has a way
back but to search: the true position is the one whose shift leads to what was told. The search goes in steps, each of
which leaves a hundredth of the error or (BD-09) a fiftieth; in the end less than 1e-9 degrees are left. Outside of a
rectangle around China GCJ-02 shifts nothing.

All is written as SQL, so that DuckDB computes whole columns; Python only writes the text.
"""

from __future__ import annotations

from warehouse.identifiers import literal

GCJ02 = "GCJ-02"
BD09 = "BD-09"
# The ellipsoid of Krassowski, which the formula of the shift uses.
_AXIS, _ECCENTRICITY = 6378245.0, 0.00669342162296594323
_CHINA = "(v.x < 72.004 OR v.x > 137.8347 OR v.y < 0.8293 OR v.y > 55.8271)"
# The kinds of shapes as GeoJSON calls them, with the depth of their lists of positions.
_KINDS = {
    "POINT": ("Point", 0),
    "MULTIPOINT": ("MultiPoint", 1),
    "LINESTRING": ("LineString", 1),
    "MULTILINESTRING": ("MultiLineString", 2),
    "POLYGON": ("Polygon", 2),
    "MULTIPOLYGON": ("MultiPolygon", 3),
}


def _let(name: str, value: str, body: str) -> str:
    """`body` with a value that has a name, so that it is computed once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def _waves(*terms: tuple[float, str]) -> str:
    return "(" + " + ".join(f"{height} * sin({angle} * pi())" for height, angle in terms) + ") * 2.0 / 3.0"


def _gcj_shift() -> str:
    """The shift of the true position `v` as `{x, y}` in degrees."""
    east, north = "(v.x - 105.0)", "(v.y - 35.0)"
    common = _waves((20.0, f"6.0 * {east}"), (20.0, f"2.0 * {east}"))
    dx = (
        f"300.0 + {east} + 2.0 * {north} + 0.1 * {east} * {east} + 0.1 * {east} * {north} + 0.1 * sqrt(abs({east}))"
        f" + {common} + {_waves((20.0, east), (40.0, f'{east} / 3.0'))}"
        f" + {_waves((150.0, f'{east} / 12.0'), (300.0, f'{east} / 30.0'))}"
    )
    dy = (
        f"-100.0 + 2.0 * {east} + 3.0 * {north} + 0.2 * {north} * {north} + 0.1 * {east} * {north}"
        f" + 0.2 * sqrt(abs({east})) + {common} + {_waves((20.0, north), (40.0, f'{north} / 3.0'))}"
        f" + {_waves((160.0, f'{north} / 12.0'), (320.0, f'{north} / 30.0'))}"
    )
    magic = f"(1.0 - {_ECCENTRICITY} * pow(sin(radians(v.y)), 2))"
    along = f"({_AXIS} / sqrt({magic}) * cos(radians(v.y)))"
    across = f"({_AXIS} * (1.0 - {_ECCENTRICITY}) / ({magic} * sqrt({magic})))"
    shift = f"{{'x': degrees(({dx}) / {along}), 'y': degrees(({dy}) / {across})}}"
    return f"CASE WHEN {_CHINA} THEN {{'x': 0.0, 'y': 0.0}} ELSE {shift} END"


def _bd_shift() -> str:
    """The shift of the GCJ-02 position `v` as `{x, y}` in degrees."""
    turn = "pi() * 3000.0 / 180.0"
    radius = f"(sqrt(v.x * v.x + v.y * v.y) + 0.00002 * sin(v.y * {turn}))"
    angle = f"(atan2(v.y, v.x) + 0.000003 * cos(v.x * {turn}))"
    return f"{{'x': {radius} * cos({angle}) + 0.0065 - v.x, 'y': {radius} * sin({angle}) + 0.006 - v.y}}"


def _unshifted(shift: str, told: str, steps: int) -> str:
    """The position `{x, y}` whose shift leads to the one that was told, an expression of the same form."""
    step = _let("d", shift, "{'x': t.x - d.x, 'y': t.y - d.y}")
    found = "t"
    for _ in range(steps):
        found = _let("v", found, step)
    return _let("t", told, found)


def _true(x: str, y: str, crs: str) -> str:
    told = f"{{'x': CAST({x} AS DOUBLE), 'y': CAST({y} AS DOUBLE)}}"
    if crs == BD09:
        told = _unshifted(_bd_shift(), told, 5)
    return _unshifted(_gcj_shift(), told, 4)


def point_from_shifted(x: str, y: str, crs: str) -> str:
    """The true position as a list of longitude and latitude."""
    return _let("w", _true(x, y, crs), "[w.x, w.y]")


def shape_from_shifted(shape: str, crs: str) -> str:
    """The shape in its true place, position by position; NULL for a collection of shapes of several kinds."""
    turned = _let("w", _true("p[1]", "p[2]", crs), "list_concat([w.x, w.y], p[3:])")
    branches = []
    for kind, (name, depth) in _KINDS.items():
        told = f"CAST(json_extract(ST_AsGeoJSON({shape}), '$.coordinates') AS DOUBLE[]{'[]' * depth})"
        positions = _let("p", told, turned) if depth == 0 else _each(told, depth, turned)
        written = f'concat(\'{{"type":"{name}","coordinates":\', to_json({positions}), \'}}\')'
        branches.append(f"WHEN {literal(kind)} THEN ST_GeomFromGeoJSON({written})")
    return f"TRY(CASE ST_GeometryType({shape}) {' '.join(branches)} END)"


def _each(lists: str, depth: int, turned: str) -> str:
    """The lists of that depth with every position `p` turned."""
    if depth == 1:
        return f"list_transform({lists}, lambda p: {turned})"
    return f"list_transform({lists}, lambda l{depth}: {_each(f'l{depth}', depth - 1, turned)})"
