"""Dagster's own records of one lake: where they lie, how Dagster is set, which runs died, and which are old.

Does not belong here: what Dagster runs (`definitions`), and starting it (`run`, `up`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import yaml

from pipelines.services.launcher import Worker, is_dead, worker_of
from warehouse.settings import Settings

_UNDER_WAY = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
# Asked for, but without a process yet: who was to start one may be gone.
_STARTING = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED)
_DELETED_AT_ONCE = 200


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's own records, with its settings as they are now."""
    home = settings.home_path / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config, text = home / "dagster.yaml", yaml.safe_dump(_configuration(settings), sort_keys=False)
    if not config.exists() or config.read_text(encoding="utf-8") != text:
        temporary = config.with_name(f".dagster.{os.getpid()}.yaml")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(config)
    return home


def _configuration(settings: Settings) -> dict[str, object]:
    days = settings.dagster_days
    return {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "concurrency": {"pools": {"granularity": "run", "default_limit": 1}},
        # A run whose process is gone would stay under way, and hold the pool's one place, for ever.
        "run_launcher": {"module": "pipelines.services.launcher", "class": "WatchedRunLauncher"},
        "run_monitoring": {"enabled": True, "poll_interval_seconds": 30, "start_timeout_seconds": 180},
        # What is killed begins again, where it is asked for (`jobs.AGAIN_IF_KILLED`); what fails is for people.
        "run_retries": {"enabled": True, "max_retries": 0, "retry_on_asset_or_op_failure": False},
        "retention": {
            "schedule": {"purge_after_days": days},
            "sensor": {"purge_after_days": {"skipped": 2, "failure": days, "success": days, "started": days}},
        },
    }


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance of this lake."""
    os.environ["DAGSTER_HOME"] = str(dagster_home(settings))
    with dg.DagsterInstance.get() as instance:
        yield instance


def end_dead_runs(instance: dg.DagsterInstance, mine: Worker) -> list[str]:
    """Mark runs as failed whose process is gone (a kill, a power cut), and free what they held; gives their jobs.

    `mine` is the kind of worker that the caller is the only one of, by its lock: a run of that kind that was only being
    started is dead too. Dagster starts what died by itself again, where its run says so (`jobs.AGAIN_IF_KILLED`).
    """
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[*_UNDER_WAY, *_STARTING])):
        if worker_of(run) == mine if run.status in _STARTING else is_dead(instance, run, mine):
            instance.report_run_failed(run, "The process of this run is gone: it was killed, or the machine went down.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.job_name)
    return ended


def stuck_runs(settings: Settings, minutes: float = 10) -> list[str]:
    """What of Dagster's queue does not move: dead runs, and runs that wait for longer than that though none works.

    Empty where Dagster has never been used for this lake.
    """
    if not (settings.home_path / "dagster" / "history").exists():
        return []
    with dagster_instance(settings) as instance:
        working = instance.get_runs(dg.RunsFilter(statuses=list(_UNDER_WAY)))
        dead = [run for run in working if is_dead(instance, run)]
        told = [f"the run of `{run.job_name}` is marked as under way, but its process is gone" for run in dead]
        if len(dead) == len(working):
            waiting = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
            old = [r for r in waiting if time.time() - r.create_timestamp.timestamp() > minutes * 60]
            told += [f"a run of `{r.dagster_run.job_name}` waits in Dagster's queue, and nothing works" for r in old]
        return told


def prune(instance: dg.DagsterInstance, days: int) -> int:
    """Delete finished runs older than so many days, with their events; gives how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    count = 0
    while records := _old_runs(instance, finished, before):
        for record in records:
            instance.delete_run(record.dagster_run.run_id)
        count += len(records)
    return count


def _old_runs(
    instance: dg.DagsterInstance, statuses: Sequence[dg.DagsterRunStatus], before: datetime
) -> Sequence[dg.RunRecord]:
    return instance.get_run_records(
        dg.RunsFilter(statuses=list(statuses), created_before=before), limit=_DELETED_AT_ONCE
    )
