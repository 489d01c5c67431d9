"""What a contract says of shapes and points is checked with all else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.check.contracts import check_contracts
from catalog.contract import Box, load_contracts
from tests.unit.catalog.samples import Document, custom, field, sound, write

EAST = {"name": "lon", "businessName": "经度", "description": "Longitude", "logicalType": "number"}
NORTH = {"name": "lat", "businessName": "纬度", "description": "Latitude", "logicalType": "number"}


def with_point(**changes: Any) -> Document:
    document = sound()
    pair = [{**EAST, "physicalType": "DOUBLE", "customProperties": custom(pointWith="lat")} | changes]
    document["schema"][0]["properties"] += [*pair, {**NORTH, "physicalType": "DOUBLE"}]
    return document


def problems(folder: Path, document: Document) -> list[str]:
    write(folder, document)
    return [f"{fault.place}: {fault.problem}. {fault.fix}" for fault in check_contracts(folder, "demo")]


def test_what_is_sound_reaches_the_contract(tmp_path: Path) -> None:
    document = with_point()
    field(document, "location")["customProperties"] = custom(shapes=["area", "line"], extent=[123, 32.5, 124, 33])
    assert problems(tmp_path, document) == []
    (contract,) = load_contracts(tmp_path).values()
    assert contract.field_named("location").shapes == ("area", "line")
    assert contract.field_named("location").extent == Box(123, 32.5, 124, 33)
    assert contract.field_named("lon").point_with == "lat"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"shapes": ["polygon"]},
            "['polygon'] are no kinds of shapes. write a list of some of ['point', 'line', 'area']",
        ),
        ({"shapes": "area"}, "'area' are no kinds of shapes"),
        ({"shapes": []}, "[] are no kinds of shapes"),
        ({"extent": [123, 32, 124]}, "[123, 32, 124] is no extent. write [west, south, east, north] in degrees"),
        ({"extent": [32, 123, 33, 124]}, "is no extent in degrees"),
        ({"extent": [124, 32, 123, 33]}, "is no extent in degrees"),
        ({"extent": "city"}, "'city' is no extent"),
        ({"pointWith": "lat"}, "the field location is object, no number"),
        ({"crs": "EPSG:4549"}, "is no property of this project"),
    ],
)
def test_faults_of_a_geometry_are_told(tmp_path: Path, values: dict[str, Any], told: str) -> None:
    document = with_point(customProperties=[])
    field(document, "location")["customProperties"] = custom(**values)
    found = problems(tmp_path, document)
    assert any(told in problem for problem in found), found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"customProperties": custom(pointWith="latitude")},
            "'latitude' is no other field. name the field of the north",
        ),
        ({"customProperties": custom(pointWith="lon")}, "'lon' is no other field"),
        ({"customProperties": custom(pointWith="order_no")}, "the field order_no is string, no number"),
        ({"customProperties": custom(pointWith="lat", shapes=["point"])}, "shapes: means nothing for the type number"),
        (
            {"customProperties": custom(pointWith="lat", extent=[1, 1, 2, 2])},
            "extent: means nothing for the type number",
        ),
    ],
)
def test_faults_of_a_point_are_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    found = problems(tmp_path, with_point(**changes))
    assert any(told in problem for problem in found), found


def test_a_field_is_part_of_one_point(tmp_path: Path) -> None:
    document = with_point()
    field(document, "lat")["customProperties"] = custom(pointWith="lon")
    found = problems(tmp_path, document)
    assert any("the field is part of 2 points" in problem for problem in found), found
