"""What Dagster sees: jobs, pools, sensors. The graph itself is kept as a snapshot in tests/conventions."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from catalog.contract import load_contracts
from pipelines.assets.raw import WRITER_POOL, raw_assets
from pipelines.jobs import jobs
from pipelines.schedules import schedules
from pipelines.sensors import ATTEMPTS, STATE_TAG, attempt, drops_fingerprint, sensors
from pipelines.sources.declared import load_sources
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


def test_the_drop_sensor_asks_until_a_run_has_landed_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRIDLAKE_DATA", str(tmp_path / "drops"))
    (tmp_path / "drops").mkdir()
    system = next(s for s in load_sources("demo") if s.kind == "files")
    sensor = next(s for s in sensors([system]) if s.name == f"drops_{system.system}")
    with dg.DagsterInstance.ephemeral() as instance:
        with dg.build_sensor_context(instance=instance) as context:
            (asked,) = sensor(context).run_requests
        assert asked.run_key.endswith("-1")
        end(instance, f"land_{system.system}", asked.tags, dg.DagsterRunStatus.SUCCESS)
        with dg.build_sensor_context(instance=instance) as context:
            landed = sensor(context)
        assert not landed.run_requests
        with dg.build_sensor_context(instance=instance, cursor=landed.cursor) as context:
            assert not sensor(context).run_requests


def end(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str], status: dg.DagsterRunStatus) -> None:
    """Put a run of a job on record that has ended so."""
    run = instance.add_run(dg.DagsterRun(job_name=job, run_id=str(uuid.uuid4()), tags=dict(tags)))
    ended = {
        dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
        dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
    }[status]
    instance.report_dagster_event(dg.DagsterEvent(ended.value, job, message="ended"), run.run_id)


def test_what_failed_is_asked_for_again_a_few_times_with_growing_pauses() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert attempt(instance, "build", "state", 0) == 1
        for number in range(1, ATTEMPTS):
            end(instance, "build", {STATE_TAG: "state"}, dg.DagsterRunStatus.FAILURE)
            (newest, *_) = instance.get_run_records(dg.RunsFilter(tags={STATE_TAG: "state"}))
            assert newest.end_time is not None
            pause = 60 * 4 ** (number - 1)
            assert "next attempt" in str(attempt(instance, "build", "state", newest.end_time + pause - 1))
            assert attempt(instance, "build", "state", newest.end_time + pause + 1) == number + 1
        end(instance, "build", {STATE_TAG: "state"}, dg.DagsterRunStatus.FAILURE)
        assert "by hand" in str(attempt(instance, "build", "state", time.time() + 1e9))
        assert attempt(instance, "build", "another state", 0) == 1
        end(instance, "build", {}, dg.DagsterRunStatus.SUCCESS)
        assert attempt(instance, "build", "state", time.time() + 1e9) == ""


def test_no_build_is_asked_for_before_anything_has_landed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_HOME", str(tmp_path / "home"))
    from pipelines.resources import LakeResource
    from pipelines.sensors import build_when_landed

    with dg.build_sensor_context(resources={"lake": LakeResource()}) as context:
        assert isinstance(build_when_landed(context), dg.SkipReason)
