"""Checking what a contract says of positions: the shapes of a geometry, its extent, fields that are one point."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from open_data_contract_standard.model import SchemaProperty

from catalog import vocabulary
from catalog.check.common import Report
from catalog.contract import custom


def check_places(properties: list[SchemaProperty], report: Report) -> None:
    """Report the faults of `shapes`, `extent` and `pointWith` of all fields."""
    by_name = {prop.name: prop for prop in properties}
    points: Counter[object] = Counter()
    for prop in properties:
        own = custom(prop.customProperties)
        place = prop.name or "properties"
        for key in ("shapes", "extent"):
            if key in own and prop.logicalType != "object":
                report(f"{place}.{key}", f"means nothing for the type {prop.logicalType}", "take it out")
        if "shapes" in own:
            _check_shapes(own["shapes"], f"{place}.shapes", report)
        if "extent" in own:
            _check_extent(own["extent"], f"{place}.extent", report)
        if "pointWith" in own:
            _check_pair(prop, own["pointWith"], by_name, f"{place}.pointWith", report)
            points.update({prop.name, own["pointWith"]} if isinstance(own["pointWith"], str) else {prop.name})
    for name, count in points.items():
        if count > 1:
            report(f"{name}.pointWith", f"the field is part of {count} points", "let each field belong to one")


def _check_shapes(value: Any, place: str, report: Report) -> None:
    words = list(vocabulary.SHAPES)
    if not isinstance(value, list) or not value or any(word not in words for word in value):
        report(place, f"{value!r} are no kinds of shapes", f"write a list of some of {words}")


def _check_extent(value: Any, place: str, report: Report) -> None:
    fix = "write [west, south, east, north] in degrees, with west < east and south < north"
    is_numbers = isinstance(value, list) and all(
        isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end) for end in value
    )
    if not is_numbers or len(value) != 4:
        report(place, f"{value!r} is no extent", fix)
        return
    west, south, east, north = value
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        report(place, f"{value!r} is no extent in degrees", fix)


def _check_pair(
    prop: SchemaProperty, other: Any, by_name: dict[str | None, SchemaProperty], place: str, report: Report
) -> None:
    partner = by_name.get(other) if isinstance(other, str) else None
    if partner is None or partner is prop:
        report(place, f"{other!r} is no other field", "name the field of the north coordinate")
        return
    for field in (prop, partner):
        if field.logicalType != "number":
            report(place, f"the field {field.name} is {field.logicalType}, no number", "make both fields numbers")
