"""What Dagster sees: jobs, pools, sensors. The graph itself is kept as a snapshot in tests/conventions."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from catalog.contract import load_contracts
from pipelines.assets.raw import WRITER_POOL, raw_assets
from pipelines.jobs import jobs
from pipelines.schedules import schedules
from pipelines.sensors import drops_fingerprint, sensors
from pipelines.source import load_sources
from warehouse.settings import load_settings

CITIES = ("demo", "washington_dc")


@pytest.mark.parametrize("city", CITIES)
def test_every_data_set_is_an_asset_that_waits_for_the_writers_turn(city: str) -> None:
    assets = raw_assets(load_sources(city), load_contracts(city))
    names = [name for system in load_sources(city) for name in system.dataset_names]
    assert [a.key.path for a in assets] == [["raw", name] for name in names]
    assert {a.op.pool for a in assets} == {WRITER_POOL}


@pytest.mark.parametrize("city", CITIES)
def test_every_source_has_a_job_and_those_with_a_time_a_schedule(city: str) -> None:
    systems = load_sources(city)
    job_names = {job.name for job in jobs(systems)}
    assert {f"land_{s.system}" for s in systems} | {"city", "land", "build", "publish"} == job_names
    timed = {s.job_name for s in schedules(systems, "Asia/Shanghai")} - {"build", "upkeep"}
    assert timed == {f"land_{s.system}" for s in systems if s.schedule}


def test_a_dropped_or_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", data=tmp_path / "drops")
    system = next(s for s in load_sources("demo") if s.kind == "files" and s.datasets[0].format == "csv")
    pattern = system.datasets[0].path
    file = tmp_path / "drops" / pattern.replace("{", "").replace("}", "").replace("*", "x")
    file.parent.mkdir(parents=True)
    before = drops_fingerprint(settings, system)
    file.write_text("a,b\n1,2\n")
    dropped = drops_fingerprint(settings, system)
    os.utime(file, ns=(1, 1))
    assert len({before, dropped, drops_fingerprint(settings, system)}) == 3


def test_the_drop_sensor_asks_once_for_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRIDLAKE_DATA", str(tmp_path / "drops"))
    (tmp_path / "drops").mkdir()
    system = next(s for s in load_sources("demo") if s.kind == "files")
    sensor = next(s for s in sensors([system]) if s.name == f"drops_{system.system}")
    with dg.build_sensor_context() as context:
        first = sensor(context)
        assert isinstance(first, dg.SensorResult)
        assert first.cursor is not None
    with dg.build_sensor_context(cursor=first.cursor) as context:
        assert isinstance(sensor(context), dg.SkipReason)


def test_no_build_is_asked_for_before_anything_has_landed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_HOME", str(tmp_path / "home"))
    from pipelines.resources import LakeResource
    from pipelines.sensors import build_when_landed

    with dg.build_sensor_context(resources={"lake": LakeResource()}) as context:
        assert isinstance(build_when_landed(context), dg.SkipReason)
