"""Shapes are judged when they land: each kind of fault has its reason, what can be mended is mended and counted."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.contract import Box, load_contracts
from pipelines.sources.declared import SourceError, load_sources
from tests.unit.pipelines.landing.landings import Place, contract, field, files, system
from warehouse.lake.extensions import connect
from warehouse.settings import Settings

PLACES = contract(field("code", is_required=True, key_position=1), field("shape", "GEOMETRY"))
SQUARE = [[120, 30], [121, 30], [121, 31], [120, 31], [120, 30]]


def drop_wkt(place: Place, *texts: str) -> None:
    place.drop("a.csv", "code,shape\n" + "".join(f'{n:02},"{text}"\n' for n, text in enumerate(texts)))


def judged(settings: Settings, root: Path, *texts: str, shape: dict[str, Any] | None = None, **entry: Any) -> list[str]:
    """For each text what lands, or the rules that refuse it."""
    described = contract(PLACES.fields[0], field("shape", "GEOMETRY", **(shape or {})))
    place = files(settings, root, described, **entry)
    drop_wkt(place, *texts)
    place.land()
    found = dict(place.rows("code, ST_AsText(shape)"))
    found |= {original["code"]: " ".join(rules) for original, rules, _ in place.quarantine()}
    return [found[f"{n:02}"] for n in range(len(texts))]


def feature(code: str, kind: str, coordinates: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"code": code}, "geometry": {"type": kind, "coordinates": coordinates}}


def geojson(settings: Settings, root: Path, *features: dict[str, Any], **members: Any) -> Place:
    place = files(settings, root, PLACES, path="*.geojson", format="geojson", fields={"shape": "$geometry"})
    place.drop("a.geojson", json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return place


def test_one_open_ring_of_the_unit_grids_goes_to_quarantine_and_the_others_land(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    (drops,) = (source for source in load_sources("demo") if source.system == "department_drops")
    data = tmp_path / "data"
    place = Place(sqlite_settings.model_copy(update={"data": data}), drops, load_contracts("demo")["unit_grid"], data)

    def grid(number: int) -> dict[str, Any]:
        west, south = 123.5 + number * 0.0005, 32.99
        ring = [[west, south], [west + 0.0005, south], [west + 0.0005, south + 0.001], [west, south + 0.001]]
        ring += [] if number == 11 else [[west, south]]
        street = {"admin_code": "990102", "street_code": "990102001", "street_name": "望湖街道"}
        community = {"community_code": "990102001001", "community_name": "晴川社区"}
        measures = {"area_m2": 5170.0, "perimeter_m": 316.0, "start_date": "2026-04-01", "end_date": None}
        code = f"990102001001{number + 1:03}"
        properties = {"grid_code": code, "grid_name": f"第{number}网格", **street, **community, **measures}
        return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}

    place.drop("planning/unit_grid.geojson", json.dumps({"features": [grid(number) for number in range(30)]}))
    result = place.land()
    assert (result.counts.accepted_count, result.counts.quarantined_count) == (29, 1)
    ((original, rules, row),) = place.quarantine()
    assert (rules, row) == (["open_ring:geometry"], 12)
    assert original["properties"]["grid_code"] == "990102001001012"
    assert place.sql("SELECT bool_and(ST_IsValid(geometry)) FROM lake.raw.unit_grid") == [(True,)]


def test_each_fault_of_a_shape_has_its_reason(sqlite_settings: Settings, tmp_path: Path) -> None:
    assert judged(
        sqlite_settings,
        tmp_path,
        "POINT (120 30)",
        "here",
        "POLYGON EMPTY",
        "GEOMETRYCOLLECTION EMPTY",
        "POLYGON ((120 30, 121 30, 121 31, 120 31))",
        "POLYGON ((120 30, 124 30, 124 34, 120 30), (121 30.5, 122 30.5, 122 31))",
        "MULTIPOLYGON (((120 30, 121 30, 121 31, 120 30)), ((125 35, 126 35, 126 36)))",
        "POLYGON ((120 30, 121 30, 120 30))",
        "POINT (30 120)",
        "POINT (500000 3985542)",
        "POINT (0 0)",
        "LINESTRING (120 30, 120 30)",
        "POLYGON ((120 30, 122 32, 122 30, 120 32, 120 30))",
        "0101000000000000000000F87F0000000000003E40",
        "0101000000000000000000F07F0000000000003E40",
    ) == [
        "POINT (120 30)",
        "type:shape",
        "empty:shape",
        "empty:shape",
        "open_ring:shape",
        "open_ring:shape",
        "open_ring:shape",
        "invalid:shape",
        "swapped:shape",
        "range:shape",
        "null_island:shape",
        "invalid:shape",
        "invalid:shape",
        "not_finite:shape",
        "not_finite:shape",
    ]


def test_valid_shapes_keep_every_bit(sqlite_settings: Settings, tmp_path: Path) -> None:
    texts = (
        "POLYGON ((120 30, 120 31, 121 31, 121 30, 120 30))",  # clockwise
        "POLYGON ((120 30, 121 30, 121 30, 121 31, 120 30))",  # a point twice
        "LINESTRING Z (120.123456789012 30 5, 121 31 6)",
        "MULTIPOINT (120 30, 121 31)",
        "GEOMETRYCOLLECTION (POINT (120 30), LINESTRING (120 30, 121 31))",
    )
    assert judged(sqlite_settings, tmp_path, *texts) == list(texts)


def test_what_is_made_valid_keeps_its_kind_and_is_counted(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path, PLACES)
    drop_wkt(
        place,
        "POLYGON ((120 30, 124 30, 124 34, 120 34, 122 34, 122 39, 122 34, 120 34, 120 30))",  # a spike
        "POLYGON ((120 30, 124 30, 124 34, 120 34, 120 32, 119.99 32.01, 120 32.01, 119.99 32, 120 30))",  # crosses
        "POLYGON ((120 30, 124 30, 124 34, 120 34, 120 30), (125 35, 126 35, 126 36, 125 35))",  # a hole outside
        "MULTIPOLYGON (((120 30, 124 30, 124 34, 120 34, 120 30)), ((121 31, 122 31, 122 32, 121 31)))",  # one in one
        "POLYGON ((120 30, 121 30, 121 31, 120 30))",
    )
    place.land()
    assert place.rows("code, ST_GeometryType(shape)::varchar, ST_IsValid(shape), round(ST_Area(shape), 2)") == [
        ("00", "POLYGON", True, 16.0),
        ("01", "MULTIPOLYGON", True, 16.01),
        ("04", "POLYGON", True, 0.5),
    ]
    assert [rules for _, rules, _ in place.quarantine()] == [["invalid:shape"], ["invalid:shape"]]
    (load,) = place.loads()
    assert json.loads(load["warning_counts"])["told:mended_shapes"] == 2


def test_a_contract_says_which_kinds_of_shapes_and_where_they_lie(sqlite_settings: Settings, tmp_path: Path) -> None:
    assert judged(
        sqlite_settings,
        tmp_path,
        "POLYGON ((-77 38.9, -76.9 38.9, -76.9 39, -77 38.9))",
        "MULTIPOLYGON (((-77 38.9, -76.9 38.9, -76.9 39, -77 38.9)))",
        "LINESTRING (-77 38.9, -76.9 39)",
        "POINT (-77 38.9)",
        "POLYGON ((38.9 -77, 38.9 -76.9, 39 -76.9, 38.9 -77))",
        "POLYGON ((-77 38.9, -76.9 38.9, -76.9 49, -77 38.9))",
        shape={"shapes": ("area", "line"), "extent": Box(-77.2, 38.7, -76.8, 39.1)},
    ) == [
        "POLYGON ((-77 38.9, -76.9 38.9, -76.9 39, -77 38.9))",
        "MULTIPOLYGON (((-77 38.9, -76.9 38.9, -76.9 39, -77 38.9)))",
        "LINESTRING (-77 38.9, -76.9 39)",
        "shape_kind:shape",
        "swapped:shape",
        "range:shape",
    ]


# The crossing of a zone's meridian with 36 degrees north lies 3 985 542.67 m along the meridian of CGCS2000.
@pytest.mark.parametrize(
    ("placing", "told", "lon", "lat"),
    [
        ({"crs": "EPSG:4549"}, "500000 3985542.670296", 120, 36),
        ({"crs": "EPSG:4528"}, "40500000 3985542.670296", 120, 36),
        ({"crs": "EPSG:4549", "axes": "north_east"}, "3985542.670296 500000", 120, 36),
        ({"crs": "epsg:4490"}, "120 36", 120, 36),
        ({"crs": "EPSG:4490", "axes": "north_east"}, "36 120", 120, 36),
        ({"crs": "EPSG:3857"}, "13358338.895193 4300621.372044", 120, 36),
        ({"crs": "EPSG:2248"}, "1312333.333 449163.476292", -77, 38.9),  # US survey feet
        ({"crs": "EPSG:27700"}, "530043.194981 180358.208620", -0.1276, 51.5072),
        ({"crs": "GCJ-02"}, "116.41024449916938 39.91640428150164", 116.404, 39.915),
        ({"crs": "BD-09"}, "116.41662724378733 39.922699552216216", 116.404, 39.915),
        ({"crs": "gcj02"}, "-77 38.9", -77, 38.9),
    ],
)
def test_raw_holds_the_lakes_coordinates_whatever_the_source_tells(
    sqlite_settings: Settings, tmp_path: Path, placing: dict[str, str], told: str, lon: float, lat: float
) -> None:
    place = files(sqlite_settings, tmp_path, PLACES, coordinates={"shape": placing})
    drop_wkt(place, f"POINT ({told})")
    place.land()
    ((x, y),) = place.rows("ST_X(shape), ST_Y(shape)")
    # A millimetre; PROJ's way back from the old datum of Britain is as exact as a centimetre.
    assert (x, y) == pytest.approx((lon, lat), abs=1e-7 if placing.get("crs") == "EPSG:27700" else 1e-8)


def test_all_kinds_of_shapes_are_turned(sqlite_settings: Settings, tmp_path: Path) -> None:
    texts = (
        "POLYGON ((116.4 39.9, 116.5 39.9, 116.5 40, 116.4 39.9), (116.45 39.92, 116.46 39.92, 116.46 39.93, 116.45"
        " 39.92))",
        "MULTIPOLYGON (((116.4 39.9, 116.5 39.9, 116.5 40, 116.4 39.9)))",
        "LINESTRING Z (116.4 39.9 5, 116.5 39.9 6)",
        "MULTILINESTRING ((116.4 39.9, 116.5 39.9))",
        "MULTIPOINT (116.4 39.9)",
    )
    found = judged(sqlite_settings, tmp_path, *texts, coordinates={"*": {"crs": "GCJ-02"}})
    assert [text.partition(" ")[0] for text in found] == [text.partition(" ")[0] for text in texts]
    # A corner of each, turned as a point is.
    corner = judged(sqlite_settings, tmp_path / "b", "POINT (116.4 39.9)", coordinates={"*": {"crs": "GCJ-02"}})
    assert all(corner[0].removeprefix("POINT (").rstrip(")") in text for text in found)
    assert "5, " in found[2]


def test_coordinates_beyond_the_use_of_their_system_are_refused(sqlite_settings: Settings, tmp_path: Path) -> None:
    texts = ("POINT (3985542 500000)", "POINT (120 36)", "POINT (40500000 3985542)", "POINT (1e12 3985542)")
    found = judged(sqlite_settings, tmp_path, *texts, coordinates={"shape": {"crs": "EPSG:4549"}})
    assert found == ["swapped:shape", "range:shape", "range:shape", "range:shape"]
    found = judged(sqlite_settings, tmp_path / "b", "POINT (2.3 48.9)", coordinates={"shape": {"crs": "EPSG:4490"}})
    assert found == ["range:shape"]


def test_a_shape_that_names_another_system_is_refused(sqlite_settings: Settings, tmp_path: Path) -> None:
    texts = (
        "SRID=4549;POINT (500000 3985542)",
        "SRID=4490;POINT (120 36)",
        "0101000020C51100000000000000005E400000000000004240",  # PostGIS, 4549
        "0101000020E61000000000000000005E400000000000004240",  # PostGIS, 4326
        "0020000001000010E6405E0000000000004042000000000000",  # the other order of bytes
    )
    assert judged(sqlite_settings, tmp_path, *texts) == [
        "other_crs:shape",
        "POINT (120 36)",
        "other_crs:shape",
        "POINT (120 36)",
        "POINT (120 36)",
    ]


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", True),
        ("urn:ogc:def:crs:EPSG::4490", True),
        ("EPSG:4326", True),
        ("urn:ogc:def:crs:EPSG::4549", False),
        ("https://www.opengis.net/def/crs/EPSG/0/3857", False),
    ],
)
def test_a_geojson_file_that_tells_another_system_is_refused_whole(
    sqlite_settings: Settings, tmp_path: Path, name: str, is_taken: bool
) -> None:
    place = geojson(
        sqlite_settings,
        tmp_path,
        feature("1", "Polygon", [SQUARE]),
        crs={"type": "name", "properties": {"name": name}},
    )
    place.drop("b.geojson", json.dumps({"features": [feature("2", "Polygon", [SQUARE])]}))
    result = place.land()
    assert [code for (code,) in place.rows("code", order="1")] == (["1", "2"] if is_taken else ["2"])
    if not is_taken:
        ((uri, problem),) = [(refusal.uri, refusal.problem) for refusal in result.refusals]
        assert uri == "a.geojson"
        assert "the source file says EPSG:4326" in problem
        assert "coordinates: {shape: {crs: EPSG:" in problem


@pytest.mark.parametrize(
    ("crs", "told"),
    [
        ({"type": "name", "properties": {"name": "the grid of the city"}}, "'the grid of the city'"),
        ({"type": "name", "properties": {"name": "EPSG:999999"}}, "'EPSG:999999'"),
        ({"type": "link", "properties": {"href": "https://maps.example/city.prj", "type": "proj4"}}, "maps.example"),
        ({"type": "ours"}, "ours"),
    ],
)
def test_a_system_that_nobody_knows_is_refused_until_the_source_file_says_it(
    sqlite_settings: Settings, tmp_path: Path, crs: dict[str, object], told: str
) -> None:
    place = geojson(sqlite_settings, tmp_path, feature("1", "Polygon", [SQUARE]), crs=crs)
    (refusal,) = place.land().refusals
    assert told in refusal.problem
    assert "no system of coordinates that is known here" in refusal.problem
    assert "coordinates: {shape: {crs: EPSG:<number>}}" in refusal.problem
    assert place.with_entry(coordinates={"shape": {"crs": "EPSG:4490"}}).land().refusals == ()
    assert place.rows("code") == [("1",)]


def test_a_number_of_the_oldest_kind_is_understood_and_nothing_said_is_nothing_wrong(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    place = geojson(
        sqlite_settings, tmp_path, feature("1", "Polygon", [SQUARE]), crs={"type": "EPSG", "properties": {"code": 4549}}
    )
    place.drop("b.geojson", json.dumps({"crs": None, "features": [feature("2", "Polygon", [SQUARE])]}))
    assert ["EPSG:4549" in refusal.problem for refusal in place.land().refusals] == [True]
    assert place.rows("code") == [("2",)]


def test_a_geojson_file_that_tells_the_declared_system_lands(sqlite_settings: Settings, tmp_path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4549"}}
    place = geojson(sqlite_settings, tmp_path, feature("1", "Point", [500000, 3985542.670296]), crs=crs)
    place = place.with_entry(coordinates={"shape": {"crs": "EPSG:4549"}})
    place.land()
    assert place.rows("round(ST_X(shape), 8), round(ST_Y(shape), 8)") == [(120.0, 36.0)]


def test_geoparquet_tells_its_system_and_bytes_are_shapes(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path, PLACES, path="*.parquet", format="parquet")
    with connect(extensions=("spatial",)) as db:
        for name, crs in (("same", "EPSG:4490"), ("other", "EPSG:4549")):
            db.execute(
                f"COPY (SELECT '{name}' AS code, ST_SetCRS(ST_Point(120, 36), '{crs}') AS shape)"
                f" TO '{tmp_path}/{name}.parquet'"
            )
    point = bytes.fromhex("01010000000000000000005E400000000000004240")
    pq.write_table(pa.table({"code": ["plain", "cut"], "shape": [point, point[:9]]}), tmp_path / "plain.parquet")
    result = place.land()
    assert place.rows("code, ST_AsText(shape)", order="1") == [("plain", "POINT (120 36)"), ("same", "POINT (120 36)")]
    assert [rules for _, rules, _ in place.quarantine()] == [["type:shape"]]
    assert [(r.uri, "EPSG:4549" in r.problem) for r in result.refusals] == [("other.parquet", True)]


_PLAIN = {"type": "ProjectedCRS", "name": "Local grid of the city"}
_KNOWN = {"type": "ProjectedCRS", "name": "3-degree zone", "id": {"authority": "EPSG", "code": 4549}}


@pytest.mark.parametrize(
    ("crs", "told"),
    [
        (_PLAIN, "'Local grid of the city', which is no system"),
        (_KNOWN, "EPSG:4549, the source file says EPSG:4326"),
        ({"type": "CompoundCRS", "name": "with heights", "components": [_KNOWN]}, "'with heights', which is no system"),
        (None, None),
    ],
)
def test_geoparquet_tells_its_system_in_full_and_one_without_a_number_is_refused(
    sqlite_settings: Settings, tmp_path: Path, crs: dict[str, object] | None, told: str | None
) -> None:
    place = files(sqlite_settings, tmp_path, PLACES, path="*.parquet", format="parquet")
    column = {"encoding": "WKB", "geometry_types": ["Point"], "crs": crs}
    about = {"version": "1.0.0", "primary_column": "shape", "columns": {"shape": column}}
    table = pa.table({"code": ["1"], "shape": [bytes.fromhex("01010000000000000000005E400000000000004240")]})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(about)}), tmp_path / "a.parquet")
    refusals = place.land().refusals
    assert [told in refusal.problem for refusal in refusals if told] == ([True] if told else [])
    assert [load["uri"] for load in place.loads()] == ([] if told else ["a.parquet"])
    if crs is _PLAIN:
        assert place.with_entry(coordinates={"shape": {"crs": "EPSG:4326"}}).land().refusals == ()


def test_shapes_of_a_geopackage_are_read(sqlite_settings: Settings, tmp_path: Path) -> None:
    point = bytes.fromhex("01010000000000000000005E400000000000004240")
    head = b"GP\x00"
    srs = (4326).to_bytes(4, "little")
    values = (
        head + b"\x01" + srs + point,
        head + b"\x03" + srs + b"\x00" * 32 + point,  # with an outline
        head + b"\x01" + (4549).to_bytes(4, "little") + point,
        point,
        b"GP\x00\x01",
    )
    with sqlite3.connect(tmp_path / "a.gpkg") as db:
        db.execute("CREATE TABLE place (code TEXT, shape BLOB)")
        db.executemany("INSERT INTO place VALUES (?, ?)", [(str(n), value) for n, value in enumerate(values)])
    block = {"engine": "sqlite", "url": f"sqlite:///{tmp_path}/a.gpkg"}
    place = Place(sqlite_settings, system("database", block, {"table": "place"}), PLACES, tmp_path)
    place.land()
    assert place.rows("code, ST_AsText(shape)", order="1") == [(n, "POINT (120 36)") for n in ("0", "1", "3")]
    assert [rules for _, rules, _ in place.quarantine()] == [["other_crs:shape"], ["type:shape"]]


def test_a_system_or_field_that_is_not_there_is_named(sqlite_settings: Settings, tmp_path: Path) -> None:
    for crs in ("EPSG:999999", "EPSG:4979", "Beijing", "4549"):
        with pytest.raises(ValueError, match="use EPSG:<code> of a flat one, GCJ-02 or BD-09"):
            files(sqlite_settings, tmp_path, PLACES, coordinates={"shape": {"crs": crs}})
    place = files(sqlite_settings, tmp_path, PLACES, coordinates={"geom": {"crs": "GCJ-02"}})
    with pytest.raises(SourceError, match="geom"):
        place.land()
