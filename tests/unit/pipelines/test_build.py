"""When a build is due, and what the models are told of the lake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from catalog.contract import load_contracts
from pipelines.build import (
    BuildError,
    BuildState,
    current_state,
    dbt_environment,
    ensure_manifest,
    is_build_due,
    prepare,
    record_build,
    run_dbt,
    target_path,
)
from pipelines.landing.tables import column_types
from pipelines.project import models_hash
from tests.unit.warehouse.layout_1 import LAYOUT_1, lay_out
from warehouse.lake.session import open_lake
from warehouse.settings import CITIES, PROJECT_ROOT, Settings, load_settings


def test_a_new_lake_is_due_and_a_built_one_is_not(sqlite_settings: Settings) -> None:
    assert is_build_due(sqlite_settings)
    with open_lake(sqlite_settings) as connection:
        state = current_state(connection, sqlite_settings)
    record_build(sqlite_settings, state)
    assert not is_build_due(sqlite_settings)


def test_other_models_make_a_build_due(sqlite_settings: Settings) -> None:
    record_build(sqlite_settings, BuildState(0, "what the models were before"))
    assert is_build_due(sqlite_settings)


def test_another_time_zone_makes_a_build_due(sqlite_settings: Settings) -> None:
    with open_lake(sqlite_settings) as connection:
        record_build(sqlite_settings, current_state(connection, sqlite_settings))
    assert not is_build_due(sqlite_settings)
    assert is_build_due(sqlite_settings.model_copy(update={"timezone": "America/New_York"}))


def test_models_hash_follows_content_only(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared, city = tmp_path / "dbt", tmp_path / "city"
    (shared / "models").mkdir(parents=True)
    shutil.copytree(CITIES / "demo", city)
    monkeypatch.setattr("pipelines.project.SHARED", shared)
    settings = sqlite_settings.model_copy(update={"city_folder": city})
    model = shared / "models" / "m.sql"
    model.write_text("select 1")
    first = models_hash(settings)
    (shared / "target").mkdir()
    (shared / "target" / "m.sql").write_text("compiled")
    model.touch()
    # How a source is reached shapes no table; a schedule or a comment builds nothing anew.
    source = city / "sources" / "patrol_yunhe.yml"
    source.write_text(source.read_text() + "# a remark\n")
    assert models_hash(settings) == first
    model.write_text("select 2")
    second = models_hash(settings)
    mapping = city / "mappings" / "map_patrol_yunhe__status.csv"
    mapping.write_text(mapping.read_text() + "new,,none\n")
    third = models_hash(settings)
    feed = city / "feeds" / "patrol_yunhe__case.yml"
    feed.write_text(feed.read_text().replace('{is: "990102"}', '{is: "990101"}'))
    assert len({first, second, third, models_hash(settings)}) == 4


def test_the_manifest_is_whole_whatever_a_killed_build_left(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT_ROOT / "dbt", project, ignore=shutil.ignore_patterns("target", "logs", "models", "tests"))
    (project / "models").mkdir()
    monkeypatch.setattr("pipelines.project.SHARED", project)
    folder = target_path(sqlite_settings)
    run_dbt(sqlite_settings, ["parse"])
    killed = folder / "manifest.json"
    killed.write_text(killed.read_text()[:1000])
    manifest = ensure_manifest(sqlite_settings)
    assert "metadata" in json.loads(manifest.read_text())
    killed.write_text("{")
    assert ensure_manifest(sqlite_settings) == manifest
    assert "metadata" in json.loads(manifest.read_text())
    # Another text of the models makes another manifest, and only that one stays.
    (project / "dbt_project.yml").write_text((project / "dbt_project.yml").read_text() + "\n# changed\n")
    other = ensure_manifest(sqlite_settings)
    assert sorted(folder.glob("parsed-*")) == [other] != [manifest]


def test_prepare_makes_a_table_for_every_contract(sqlite_settings: Settings) -> None:
    prepare(sqlite_settings)
    with open_lake(sqlite_settings, read_only=True) as connection:
        for contract in load_contracts("demo").values():
            types = column_types(connection, "raw", contract.name)
            assert list(types)[: len(contract.fields)] == [f.name for f in contract.fields]
            assert column_types(connection, "quarantine", contract.name)


def test_dbt_finds_a_lake_of_an_earlier_release_brought_up_to_date(sqlite_settings: Settings) -> None:
    lay_out(sqlite_settings, LAYOUT_1)
    run_dbt(sqlite_settings, ["seed", "--select", "case_status"])
    with open_lake(sqlite_settings, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM lake.ops.withdrawal").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) > 3 FROM lake.staging.case_status").fetchall() == [(True,)]


def test_prepare_twice_writes_once(sqlite_settings: Settings) -> None:
    def snapshots() -> int:
        with open_lake(sqlite_settings, read_only=True) as connection:
            return len(connection.execute("FROM lake.snapshots()").fetchall())

    prepare(sqlite_settings)
    before = snapshots()
    prepare(sqlite_settings)
    assert snapshots() == before


def test_dbt_is_told_of_a_postgresql_catalogue(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, catalog="postgresql://someone@host/lake")
    told = dbt_environment(settings)
    assert told["GRIDLAKE_DBT_ATTACH_PATH"] == "ducklake:postgres:postgresql://someone@host/lake"
    assert told["GRIDLAKE_DBT_META"] == ""


def test_a_failing_dbt_tells_what_it_said(sqlite_settings: Settings) -> None:
    with pytest.raises(BuildError, match="no-such-option"):
        run_dbt(sqlite_settings, ["parse", "--no-such-option"])
