"""Dagster's launcher of runs, which also knows whether the process of a run still lives.

The usual one does not, so Dagster's own monitoring could never end a run whose process was killed.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

# The clock that stamps an event and the kernel's count of a process's age are not the same.
_CLOCK_SECONDS = 2.0


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs as usual, and tells of each whether its process is still there."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Always."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run that is under way lives."""
        if is_dead(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process that works at a run is gone; False where the run has not told its process yet."""
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
