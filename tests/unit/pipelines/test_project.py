"""The dbt project of a lake: put together from the shared models, the city's folder and what is made from it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from pipelines.build import ensure_manifest, prepare, run_dbt
from pipelines.project import SHARED, assemble
from warehouse.lake.session import open_lake
from warehouse.settings import CITIES, Settings


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A copy of the made-up city outside the checkout, in a folder with a blank and Chinese letters."""
    return Path(shutil.copytree(CITIES / "demo", tmp_path / "某市 repository"))


def texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_city_outside_is_built_and_nothing_is_written_where_its_files_lie(
    city: Path, sqlite_settings: Settings
) -> None:
    settings = sqlite_settings.model_copy(update={"city_folder": city})
    # A model by hand takes the place of the feed of its name.
    own = city / "models" / "staging" / "stg_permit_office__department.sql"
    own.parent.mkdir(parents=True)
    made = assemble(settings) / "made" / "models" / "staging" / own.name
    own.write_text(made.read_text(encoding="utf-8").replace("'window_'", "'desk_'"), encoding="utf-8")
    shared, folder = texts(SHARED), texts(city)
    prepare(settings)
    run_dbt(settings, ["build", "--select", "+int_department_version", "--exclude-resource-type", "unit_test"])
    assert not made.exists()
    assert (texts(SHARED), texts(city)) == (shared, folder)
    with open_lake(settings, read_only=True) as lake:
        found = lake.execute("SELECT count(*) FROM duckdb_views() WHERE view_name = 'stg_permit_office__department'")
        assert found.fetchall() == [(1,)]


def test_what_is_made_follows_the_folder(city: Path, sqlite_settings: Settings) -> None:
    settings = sqlite_settings.model_copy(update={"city_folder": city})
    folder = assemble(settings)
    before = {path: path.stat().st_mtime_ns for path in (folder / "made").rglob("*") if path.is_file()}
    manifest = ensure_manifest(settings)
    assemble(settings)
    assert {path: path.stat().st_mtime_ns for path in (folder / "made").rglob("*") if path.is_file()} == before
    (city / "feeds" / "patrol_yunhe__case.yml").unlink()
    for mapping in (city / "mappings").glob("map_patrol_yunhe__*.csv"):
        mapping.unlink()
    assert ensure_manifest(settings) != manifest
    gone = folder / "made" / "models" / "staging" / "stg_patrol_yunhe__case.sql"
    assert gone in before
    assert not gone.exists()
    assert "stg_patrol_yunhe" not in (folder / "made" / "macros" / "city_feeds.sql").read_text(encoding="utf-8")


def test_another_city_in_the_same_place_leaves_nothing_of_the_first(city: Path, sqlite_settings: Settings) -> None:
    first = assemble(sqlite_settings.model_copy(update={"city_folder": city}))
    assert (first / "city").resolve() == city
    second = assemble(sqlite_settings.model_copy(update={"city": "washington_dc", "city_folder": None}))
    assert second == first
    assert (second / "city").resolve() == CITIES / "washington_dc"
    assert {path.name.split("__")[0] for path in (second / "made/models/staging").glob("*.sql")} == {
        "stg_dc_311",
        "stg_dc_agency",
        "stg_dc_boundary",
        "stg_dc_certificate_of_occupancy",
        "stg_dc_inventory",
        "stg_dc_licensed_site",
        "stg_dc_public_space",
        "stg_dc_street_vendor",
        "stg_dc_street_vendor_location",
        "stg_dc_vision_zero",
    }
