"""Dagster's launcher of runs, which also knows whether the process of a run still lives.

The usual one does not, so Dagster's own monitoring could never end a run whose process was killed.

Numbers of processes mean something only where they were given. So each run carries the place of its process, and of
one that began elsewhere (in another container, on another host, before the machine was started again) the locks tell
whether it can be under way: who starts runs for others holds the services' one, the command line its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

from pipelines.services.processes import Register
from warehouse.lake.turn import is_run_under_way

# Who works at a run: a process that Dagster's services started, or one of the command line.
Worker = Literal["services", "command"]
_PLACE_TAG = "gridlake/place"
_WORKER_TAG = "gridlake/worker"

# The clock that stamps an event and the kernel's count of a process's age are not the same.
_CLOCK_SECONDS = 2.0


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs as usual, and tells of each whether its process is still there."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Always."""
        return True

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch it, and remember where."""
        self._instance.add_run_tags(context.dagster_run.run_id, worker_tags("services"))
        super().launch_run(context)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run that is under way lives."""
        if is_dead(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def worker_tags(worker: Worker) -> dict[str, str]:
    """What a run is to carry that is worked at from here."""
    return {_PLACE_TAG: _place(), _WORKER_TAG: worker}


def worker_of(run: dg.DagsterRun) -> Worker:
    """Who works, or was to work, at a run."""
    return "command" if run.tags.get(_WORKER_TAG) == "command" else "services"


def is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun, mine: Worker | None = None) -> bool:
    """Whether the process that works at a run is gone; False where the run has not told its process yet.

    `mine` is the kind of worker of which the caller holds the lock: no other one is at work elsewhere.
    """
    if run.tags.get(_PLACE_TAG, _place()) != _place():
        return worker_of(run) == mine or not _is_at_work(Path(instance.root_directory).parent, worker_of(run))
    return _is_process_gone(instance, run)


def _is_at_work(home: Path, worker: Worker) -> bool:
    return is_run_under_way(home) if worker == "command" else Register(home).is_held()


def _place() -> str:
    """What gives processes their numbers: this start of the machine, and the namespace within it."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _is_process_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    told = []
    for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        data = event.dagster_event.engine_event_data if event.dagster_event else None
        pid = data.metadata.get("pid") if data else None
        if pid is not None:
            told.append((int(str(pid.value)), event.timestamp))
    if not told:
        return False
    pid_number, told_at = told[-1]
    began_at = _began_at(pid_number)
    # A process that began after the run told its number has only been given the same number.
    return began_at is None or began_at > told_at + _CLOCK_SECONDS


def _began_at(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None where there is none, or only what is left of one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    return float(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
