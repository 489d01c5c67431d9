"""Two fields of numbers that are one point are judged together and land in the lake's coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipelines.landing.landings import Place, contract, field, files
from warehouse.settings import Settings


def points(settings: Settings, root: Path, *, limits: bool = True, required: bool = False, **entry: Any) -> Place:
    lon, lat = ({"minimum": 119, "maximum": 123}, {"minimum": 35, "maximum": 38}) if limits else ({}, {})
    described = contract(
        field("code", is_required=True, key_position=1),
        field("lon", "DOUBLE", point_with="lat", is_required=required, **lon),
        field("lat", "DOUBLE", is_required=required, **lat),
    )
    return files(settings, root, described, **entry)


def judged(place: Place, *rows: str) -> list[Any]:
    """For each row the position that lands, or the rules that refuse it."""
    place.drop("a.csv", "code,lon,lat\n" + "".join(f"{n:02},{row}\n" for n, row in enumerate(rows)))
    place.land()
    found: dict[str, Any] = {code: (lon, lat) for code, lon, lat in place.rows("code, round(lon, 7), round(lat, 7)")}
    found |= {original["code"]: rules for original, rules, _ in place.quarantine()}
    return [found[f"{n:02}"] for n in range(len(rows))]


def test_each_fault_of_a_point_has_its_reason(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = points(sqlite_settings, tmp_path)
    assert judged(place, "120,36", ",", "120,", ",36", "36,120", "0,0", "120,39", "130,39", "here,36", "nan,36") == [
        (120, 36),
        (None, None),
        ["half_point:lon"],
        ["half_point:lon"],
        ["swapped:lon"],
        ["null_island:lon"],
        ["range:lat"],
        ["range:lat", "range:lon"],
        ["type:lon"],
        ["type:lon"],
    ]


def test_of_a_required_point_the_missing_half_is_named(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = points(sqlite_settings, tmp_path, required=True)
    assert judged(place, "120,", ",", "120,36") == [
        ["required:lat"],
        ["required:lat", "required:lon"],
        (120, 36),
    ]


def test_without_limits_only_what_is_nowhere_on_earth_is_refused(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = points(sqlite_settings, tmp_path, limits=False)
    assert judged(place, "-77,38.9", "38.9,-77", "36,120", "500,36") == [
        (-77, 38.9),
        (38.9, -77),
        ["swapped:lon"],
        ["range:lon"],
    ]


def test_zeros_of_a_source_that_means_nothing_by_them_can_be_declared(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    why = {"reason": "the app writes 0 where it has no position", "learned": "2026-04"}
    fixes = [{"field": name, "value": "0", "replacement": None, **why} for name in ("lon", "lat")]
    assert judged(points(sqlite_settings, tmp_path, fixes=fixes), "0,0", "120,36") == [(None, None), (120, 36)]


@pytest.mark.parametrize(
    ("placing", "row"),
    [
        ({"crs": "EPSG:4549"}, "500000,3985542.670296"),
        ({"crs": "EPSG:4528", "axes": "north_east"}, "3985542.670296,40500000"),
        ({"axes": "north_east"}, "36,120"),
        ({"crs": "GCJ-02"}, "120.00525,36"),
    ],
)
def test_points_land_in_the_lakes_coordinates(
    sqlite_settings: Settings, tmp_path: Path, placing: dict[str, str], row: str
) -> None:
    place = points(sqlite_settings, tmp_path, coordinates={"lon": placing})
    ((lon, lat),) = judged(place, row)
    assert (lon, lat) == pytest.approx((120, 36), abs=1e-7 if placing.get("crs") != "GCJ-02" else 1e-3)


def test_faults_of_turned_points_have_the_same_reasons(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = points(sqlite_settings, tmp_path, coordinates={"*": {"crs": "EPSG:4549"}})
    assert judged(place, "3985542,500000", "120,36", "0,0", "500000,", "1e12,1", "x,3985542", "500000,3600000") == [
        ["swapped:lon"],
        ["range:lat", "range:lon"],
        ["null_island:lon"],
        ["half_point:lon"],
        ["range:lat", "range:lon"],
        ["type:lon"],
        ["range:lat"],
    ]


def test_a_delivery_without_one_of_the_two_columns_has_halves_of_points(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    place = points(sqlite_settings, tmp_path)
    place.drop("a.csv", "code,lon\n01,120\n02,\n")
    place.land()
    assert [rules for _, rules, _ in place.quarantine()] == [["half_point:lon"]]
    assert place.rows("code, lon, lat") == [("02", None, None)]
