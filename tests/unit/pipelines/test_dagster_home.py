"""Dagster's records of a lake: settings that follow ours, runs whose process is gone, runs that are old."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.events import EngineEventData

from pipelines.jobs import AGAIN_IF_KILLED
from pipelines.services.dagster_home import dagster_home, dagster_instance, end_dead_runs, prune, stuck_runs
from pipelines.services.launcher import Worker, worker_tags
from pipelines.services.processes import Register
from warehouse.lake.turn import run_turn
from warehouse.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(settings) as opened:
        yield opened


def under_way(
    instance: dg.DagsterInstance, pid: int | None, status: str = "STARTED", tags: dict[str, str] | None = None
) -> str:
    """Put a run on record that was begun by a process."""
    run = instance.add_run(
        dg.DagsterRun(job_name="land", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus(status), tags=tags or {})
    )
    if pid is not None:
        metadata = {"pid": dg.MetadataValue.text(str(pid))}
        instance.report_engine_event("Executing steps in process", run, EngineEventData(metadata))
    return run.run_id


def a_process_that_is_gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def status_of(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status.value


def test_its_settings_are_written_again_when_ours_change(settings: Settings) -> None:
    file = dagster_home(settings) / "dagster.yaml"
    assert yaml.safe_load(file.read_text())["run_monitoring"]["enabled"] is True
    file.write_text("telemetry:\n  enabled: true\n")
    changed = settings.model_copy(update={"dagster_days": 7})
    written = yaml.safe_load((dagster_home(changed) / "dagster.yaml").read_text())
    assert written["telemetry"]["enabled"] is False
    assert written["retention"]["schedule"]["purge_after_days"] == 7


def test_a_run_whose_process_was_killed_is_ended_and_a_living_one_is_left(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    dead, alive = under_way(instance, a_process_that_is_gone()), under_way(instance, os.getpid())
    starting = under_way(instance, None, "STARTING")
    assert [told for told in stuck_runs(settings) if "land" in told]
    assert end_dead_runs(instance, "command") == ["land"]
    assert [status_of(instance, run) for run in (dead, alive, starting)] == ["FAILURE", "STARTED", "STARTING"]
    assert stuck_runs(settings) == []
    assert end_dead_runs(instance, "services") == ["land"]
    assert status_of(instance, starting) == "FAILURE"


def test_a_number_that_was_given_to_another_process_is_not_taken_for_the_run(instance: dg.DagsterInstance) -> None:
    run_id = under_way(instance, None)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        event = EngineEventData({"pid": dg.MetadataValue.text(str(process.pid))})
        long_before = 1_000_000_000.0
        instance.handle_new_event(
            dg.EventLogEntry(
                error_info=None,
                level=20,
                user_message="",
                run_id=run_id,
                timestamp=long_before,
                job_name="land",
                dagster_event=dg.DagsterEvent("ENGINE_EVENT", "land", message="", event_specific_data=event),
            )
        )
        assert end_dead_runs(instance, "command") == ["land"]
    finally:
        process.communicate(b"\n")


@pytest.mark.parametrize("worker", ["services", "command"])
def test_a_run_that_began_elsewhere_is_dead_when_nobody_of_its_kind_is_at_work(
    settings: Settings, instance: dg.DagsterInstance, worker: Worker
) -> None:
    """Its number says nothing here, where it may be that of any program: of this test, for example."""
    elsewhere = {**worker_tags(worker), "gridlake/place": "another boot pid:[4026531836]"}
    with Register(settings.home_path).held() if worker == "services" else run_turn(settings):
        under_way(instance, os.getpid(), tags=elsewhere)
        other: Worker = "command" if worker == "services" else "services"
        assert end_dead_runs(instance, other) == []
        assert stuck_runs(settings) == []
        assert end_dead_runs(instance, worker) == ["land"]
    under_way(instance, os.getpid(), tags=elsewhere)
    assert len(stuck_runs(settings)) == 1
    assert end_dead_runs(instance, other) == ["land"]


def test_a_run_of_the_command_line_that_only_begins_is_not_ended_by_the_services(instance: dg.DagsterInstance) -> None:
    run_id = under_way(instance, None, "NOT_STARTED", worker_tags("command"))
    assert end_dead_runs(instance, "services") == []
    assert status_of(instance, run_id) == "NOT_STARTED"
    assert end_dead_runs(instance, "command") == ["land"]


@pytest.mark.parametrize(("tags", "begins_again"), [(AGAIN_IF_KILLED, "true"), ({}, "false")])
def test_dagster_begins_a_killed_run_again_where_it_is_asked_to(
    instance: dg.DagsterInstance, tags: dict[str, str], begins_again: str
) -> None:
    run_id = under_way(instance, a_process_that_is_gone(), tags=tags)
    assert end_dead_runs(instance, "services") == ["land"]
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags["dagster/will_retry"] == begins_again


def test_the_launcher_tells_dagsters_own_monitoring(instance: dg.DagsterInstance) -> None:
    launcher = instance.run_launcher
    assert launcher.supports_check_run_worker_health
    run = instance.get_run_by_id(under_way(instance, a_process_that_is_gone()))
    assert run is not None
    assert launcher.check_run_worker_health(run).status.value == "FAILED"


def test_old_finished_runs_are_forgotten_and_others_kept(instance: dg.DagsterInstance) -> None:
    old, running = under_way(instance, None), under_way(instance, os.getpid())
    run = instance.get_run_by_id(old)
    assert run is not None
    instance.report_run_failed(run)
    assert prune(instance, days=1) == 0
    assert prune(instance, days=0) == 1
    assert instance.get_run_by_id(old) is None
    assert status_of(instance, running) == "STARTED"
