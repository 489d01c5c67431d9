"""The real files of Washington, read without any part of the project, to compare the lake with."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shapely import STRtree  # type: ignore[import-untyped]
from shapely.geometry import Point, shape  # type: ignore[import-untyped]

_DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "data"
# Read at import: the test session takes all GRIDLAKE_ variables out of the environment.
DATA = Path(os.environ.get("GRIDLAKE_TEST_DATA", _DEFAULT)) / "washington_dc"
MISSING = f"the real files of Washington are not at {DATA}; set GRIDLAKE_TEST_DATA to the folder above washington_dc"
SNAPSHOTS = ("2015-10-11", "2016-08-16")
EPOCH = "1970-01-01"
Feature = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One 311 request as one file shows it; dates are the source's text, None where they stand for nothing."""

    snapshot: str
    layer: str
    number: str | None
    resolved: str | None
    due: str | None
    written_due: str | None
    ward: str | None
    point: tuple[float, float] | None


def is_there() -> bool:
    """Whether the files are on this machine."""
    return DATA.is_dir()


def files() -> list[Path]:
    """Every GeoJSON file of the city."""
    return sorted(p for p in DATA.rglob("*.geojson*") if p.is_file())


def features(path: Path) -> list[Feature]:
    """The features of one file."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as handle:
        found: list[Feature] = json.load(handle)["features"]
    return found


@cache
def feature_counts() -> dict[str, int]:
    """Features by file, the path being relative to the city's folder."""
    return {path.relative_to(DATA).as_posix(): len(features(path)) for path in files()}


@cache
def requests() -> tuple[Request, ...]:
    """All rows of all request layers; vision zero reports are no requests."""
    return tuple(_requests())


def _requests() -> Iterator[Request]:
    for path in files():
        if path.parts[-3] != "requests" or "vision-zero" in path.name:
            continue
        for feature in features(path):
            properties = feature["properties"]
            geometry = feature["geometry"]
            yield Request(
                snapshot=path.parts[-2],
                layer=path.name.split(".")[0],
                number=properties["SERVICEREQUESTID"],
                resolved=_known(properties["RESOLUTIONDATE"]),
                due=_known(properties["SERVICEDUEDATE"]),
                written_due=properties["SERVICEDUEDATE"],
                ward=properties["WARD"] if properties["WARD"] != "NULL" else None,
                point=(geometry["coordinates"][0], geometry["coordinates"][1]) if geometry else None,
            )


def _known(date: str | None) -> str | None:
    return None if date is None or date.startswith(EPOCH) else date


@cache
def epoch_counts() -> Counter[tuple[str, str]]:
    """How often a date column of the request layers holds the start of the Unix clock, by snapshot and column."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in files():
        if path.parts[-3] == "requests":
            for feature in features(path):
                for name, value in feature["properties"].items():
                    if isinstance(value, str) and value.startswith(EPOCH):
                        counts[path.parts[-2], name] += 1
    return counts


@cache
def ward_agreements() -> dict[str, int]:
    """By snapshot: requests whose point lies in the ward (of 2016-08-16) that their WARD column names."""
    boundaries = features(DATA / "boundaries" / "2016-08-16" / "ward-2012.geojson.gz")
    names = [feature["properties"]["WARD_ID"] for feature in boundaries]
    tree = STRtree([shape(feature["geometry"]) for feature in boundaries])
    agreeing: Counter[str] = Counter()
    for request in requests():
        if request.point is not None and request.ward is not None:
            hits = {names[i] for i in tree.query(Point(request.point), predicate="covered_by")}
            agreeing[request.snapshot] += request.ward in hits
    return dict(agreeing)
