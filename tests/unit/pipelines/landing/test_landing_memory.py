"""A delivery that does not fit into memory is told as that, with the setting to change, whatever reads it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.pipelines.connectors.databases import executor, office
from tests.unit.pipelines.landing.landings import Place, contract, field, files
from warehouse.settings import Settings

PLACES = contract(field("place", is_required=True, key_position=1), field("note"))
_LONG = 2_000_000
Rows = list[tuple[str, str]]


def _csv(rows: Rows) -> bytes:
    return ("place,note\n" + "".join(f"{place},{note}\n" for place, note in rows)).encode()


def _objects(rows: Rows) -> list[dict[str, str]]:
    return [{"place": place, "note": note} for place, note in rows]


def _geojson(rows: Rows) -> bytes:
    features = [{"type": "Feature", "geometry": None, "properties": one} for one in _objects(rows)]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _parquet(rows: Rows) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_objects(rows)), file)
    return file.getvalue()


def _xlsx(rows: Rows) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    # A cell holds 32,767 characters at most.
    for row in (("place", "note"), *((f"{place}-{n}", note[:30_000]) for place, note in rows for n in range(20))):
        sheet.append(row)
    book.save(file)
    return file.getvalue()


FORMATS: dict[str, Callable[[Rows], bytes]] = {
    "csv": _csv,
    "json": lambda rows: json.dumps(_objects(rows)).encode(),
    "ndjson": lambda rows: "".join(json.dumps(one) + "\n" for one in _objects(rows)).encode(),
    "geojson": _geojson,
    "parquet": _parquet,
    "xlsx": _xlsx,
}


# Too little for what is big here, and enough for what is small: readers of text take 32 MB to begin with.
_LITTLE = {"csv": "70MB", "json": "70MB", "ndjson": "70MB", "geojson": "70MB", "parquet": "30MB", "xlsx": "30MB"}


def assert_told(place: Place) -> None:
    (refusal,) = place.land().refusals
    assert "does not fit into the memory that DuckDB may use" in refusal.problem
    assert "GRIDLAKE_MEMORY" in refusal.problem
    assert "whole file" not in refusal.problem


def names(place: Place) -> set[str]:
    return {name.split("-")[0] for (name,) in place.rows("place")}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_does_not_fit_into_memory_says_so_and_lands_with_more(
    sqlite_settings: Settings, tmp_path: Path, kind: str
) -> None:
    place = files(sqlite_settings, tmp_path / "drops", PLACES, path=f"*.{kind}", format=kind)
    # An array is parsed as one value, which takes many times its size, and its shapes once more.
    count = {"json": 10, "geojson": 2}.get(kind, 20)
    big: Rows = [(str(n), "x" * _LONG) for n in range(count)]
    place.drop(f"big.{kind}", FORMATS[kind](big))
    place.settings = sqlite_settings.model_copy(update={"memory": _LITTLE[kind], "threads": 1})
    # What lies beside it lands all the same.
    place.drop(f"small.{kind}", FORMATS[kind]([("small", "short")]))
    assert_told(place)
    assert names(place) == {"small"}
    place.settings = sqlite_settings
    assert place.land().refusals == ()
    assert names(place) == {"small", *map(str, range(count))}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_table_that_does_not_fit_into_memory_says_so_and_lands_with_more(
    sqlite_settings: Settings, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    is_file = engine == "sqlite"
    url = f"sqlite:///{tmp_path}/office.db" if is_file else request.getfixturevalue("postgres_database")
    execute = executor(engine, url)
    if not is_file:
        execute("CREATE SCHEMA office")
    execute("CREATE TABLE office.permit (place TEXT, note TEXT)")
    for n in range(30):
        execute(f"INSERT INTO office.permit VALUES ('{n}', '{'x' * _LONG}')")
    place = office(sqlite_settings, engine, url, tmp_path).with_contract(PLACES)
    place.settings = sqlite_settings.model_copy(update={"memory": "30MB", "threads": 1})
    assert_told(place)
    place.settings = sqlite_settings
    assert place.land().refusals == ()
    assert place.rows("place, length(note)", order="CAST(place AS INTEGER)") == [(str(n), _LONG) for n in range(30)]
