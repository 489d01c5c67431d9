"""Systems of coordinates: known answers, ways there and back, names, areas of use."""

from __future__ import annotations

import math
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quality.place import epsg
from quality.place.coordinates import Coordinates, codes_of, contradicts, named, point_in_lake
from warehouse.lake.extensions import connect

QUICK = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
IN_CHINA = st.tuples(st.floats(73, 135), st.floats(4, 53.5))


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(extensions=("spatial",))
    connection.execute("SET threads = 1")
    yield connection
    connection.close()


def true_place(db: duckdb.DuckDBPyConnection, crs: str, told: list[tuple[float, float]]) -> list[tuple[float, float]]:
    rows = db.execute(
        f"SELECT {point_in_lake('x', 'y', Coordinates(crs))} FROM (SELECT unnest($x) AS x, unnest($y) AS y)",
        {"x": [x for x, _ in told], "y": [y for _, y in told]},
    ).fetchall()
    return [(lon, lat) for ((lon, lat),) in rows]


def gcj02(lon: float, lat: float) -> tuple[float, float]:
    """The published formula, written for single numbers."""
    if not (72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271):
        return lon, lat
    x, y, pi, sin = lon - 105, lat - 35, math.pi, math.sin
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    east += (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3 + (
        150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)
    ) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    north += (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    axis, square = 6378245.0, 0.00669342162296594323
    radians = lat / 180 * pi
    magic = 1 - square * sin(radians) ** 2
    return (
        lon + east * 180 / (axis / math.sqrt(magic) * math.cos(radians) * pi),
        lat + north * 180 / (axis * (1 - square) / (magic * math.sqrt(magic)) * pi),
    )


def bd09(lon: float, lat: float) -> tuple[float, float]:
    """The published formula from GCJ-02 on."""
    turn = math.pi * 3000 / 180
    radius = math.sqrt(lon * lon + lat * lat) + 0.00002 * math.sin(lat * turn)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * turn)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


@pytest.mark.parametrize(
    ("crs", "told", "true"),
    [
        # Pairs that the open conversion libraries publish: Shanghai, Shenzhen, Beijing.
        ("GCJ-02", (121.531541859215, 31.17530398364597), (121.5272106, 31.1774276)),
        ("GCJ-02", (113.9171764808363, 22.540796131694766), (113.912316, 22.543847)),
        ("GCJ-02", (116.38404722455657, 39.91334545536069), (116.377817, 39.911954)),
        ("GCJ-02", (116.41024449916938, 39.91640428150164), (116.404, 39.915)),
        ("GCJ-02", (2.3522, 48.8566), (2.3522, 48.8566)),
        # The meridian arc of GRS 80 to 45 degrees, and the length of a degree of the equator.
        ("EPSG:4549", (500000.0, 4984944.377857987), (120.0, 45.0)),
        ("EPSG:3857", (111319.49079327358, 0.0), (1.0, 0.0)),
    ],
)
def test_known_answers(
    db: duckdb.DuckDBPyConnection, crs: str, told: tuple[float, float], true: tuple[float, float]
) -> None:
    (found,) = true_place(db, crs, [told])
    assert found == pytest.approx(true, abs=1e-8)


@QUICK
@given(IN_CHINA)
def test_shifted_coordinates_come_back(db: duckdb.DuckDBPyConnection, place: tuple[float, float]) -> None:
    shifted = gcj02(*place)
    (from_gcj,) = true_place(db, "GCJ-02", [shifted])
    (from_bd,) = true_place(db, "BD-09", [bd09(*shifted)])
    assert from_gcj == pytest.approx(place, abs=1e-9)
    assert from_bd == pytest.approx(place, abs=1e-8)


@QUICK
@given(st.tuples(st.floats(-180, 180), st.floats(-90, 90)).filter(lambda p: p == gcj02(*p)))
def test_outside_of_china_nothing_is_shifted(db: duckdb.DuckDBPyConnection, place: tuple[float, float]) -> None:
    assert true_place(db, "GCJ-02", [place]) == [place]


@QUICK
@given(st.integers(4513, 4554), st.floats(-1.4, 1.4), st.floats(18, 53))
def test_zones_of_china_come_back(db: duckdb.DuckDBPyConnection, code: int, east: float, lat: float) -> None:
    lon = 75 + 3 * ((code - 4513) % 21) + east
    ((x, y),) = db.execute(
        f"SELECT ST_X(g), ST_Y(g) FROM (SELECT ST_Transform(ST_Point({lon!r}, {lat!r}), 'EPSG:4326', 'EPSG:{code}',"
        " always_xy := true) AS g)"
    ).fetchall()
    # The number of the zone stands before the easting, or does not.
    assert int(x // 1_000_000) == (25 + code - 4513 if code <= 4533 else 0)
    (found,) = true_place(db, f"EPSG:{code}", [(x, y)])
    assert found == pytest.approx((lon, lat), abs=1e-9)


@pytest.mark.parametrize(
    ("text", "crs"),
    [
        ("EPSG:4549", "EPSG:4549"),
        (" epsg:4549 ", "EPSG:4549"),
        ("urn:ogc:def:crs:EPSG::4549", "EPSG:4549"),
        ("urn:ogc:def:crs:EPSG:6.9:4326", "EPSG:4326"),
        ("https://www.opengis.net/def/crs/EPSG/0/4326", "EPSG:4326"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("https://www.opengis.net/def/crs/OGC/1.3/CRS84", "OGC:CRS84"),
        ("gcj02", "GCJ-02"),
        ("GCJ-02", "GCJ-02"),
        ("BD09LL", "BD-09"),
        ("EPSG:4979", None),  # three axes
        ("EPSG:999999", None),
        ("ESRI:102012", None),
        ("城市独立坐标系", None),
        ("", None),
    ],
)
def test_names_of_systems(text: str, crs: str | None) -> None:
    assert named(text) == crs


def test_what_a_file_tells_of_its_system_is_compared_with_what_is_declared() -> None:
    declared = Coordinates("EPSG:4549")
    assert contradicts("EPSG:4326", declared)
    assert not contradicts("urn:ogc:def:crs:EPSG::4549", declared)
    assert not contradicts("a grid of our own", declared)
    assert contradicts("EPSG:4549", Coordinates())
    # Web maps' coordinates are written by programs that know only WGS 84.
    assert not contradicts("OGC:CRS84", Coordinates("GCJ-02"))
    assert contradicts("BD-09", Coordinates("GCJ-02"))
    assert codes_of(declared) == {0, 4549}
    assert codes_of(Coordinates("BD-09")) == {0, 4326, 4490}


def test_the_area_of_use_reaches_into_the_neighbouring_zone_and_not_beyond_the_earth() -> None:
    zone = Coordinates("EPSG:4549").area
    assert (zone.west, zone.east) == (116.5, 123.5)
    assert Coordinates().area == epsg.WORLD
    assert Coordinates("EPSG:3857").area.north <= 90
    # Crosses the 180th meridian.
    assert Coordinates("EPSG:2636").area == epsg.WORLD


def test_the_list_of_systems_is_what_proj_knows() -> None:
    lines = epsg.FILE.read_text(encoding="utf-8").splitlines()
    assert lines == [",".join(epsg.COLUMNS), *(",".join(row) for row in epsg.listed())], "run `python -m quality.epsg`"


@pytest.mark.parametrize("code", epsg.UNUSABLE)
def test_left_out_systems_cannot_be_used(db: duckdb.DuckDBPyConnection, code: int) -> None:
    with pytest.raises(duckdb.Error, match="projection"):
        db.execute(f"SELECT ST_Transform(ST_Point(0, 0), 'EPSG:4326', 'EPSG:{code}')")
