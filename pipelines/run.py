"""Running the city's jobs from the command line, through Dagster, so that every run is seen in its pages too."""

from __future__ import annotations

import io
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from pipelines.assets.checks import blocking_failures
from pipelines.build import is_build_due
from pipelines.jobs import BUILD, PUBLISH
from warehouse.errors import GridLakeError
from warehouse.settings import Settings

log = logging.getLogger("gridlake")

_BLOCKED = "DagsterAssetCheckFailedError"
_DAGSTER_YAML = """\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: run
    default_limit: 1
"""


class RunFailed(GridLakeError):
    """A run did not end well; the message names what failed."""


@dataclass(frozen=True)
class RunReport:
    """What a run did, for people: one line a landed data set, and what was built and found."""

    landed: tuple[dict[str, object], ...]
    refused: tuple[str, ...]
    is_built: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    held_back_by: tuple[str, ...]
    seconds: float


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's own records, with its settings written on first use."""
    home = settings.home_path / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(_DAGSTER_YAML, encoding="utf-8")
    return home


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance of this lake."""
    os.environ["DAGSTER_HOME"] = str(dagster_home(settings))
    with dg.DagsterInstance.get() as instance:
        yield instance


def run_city(
    settings: Settings,
    *,
    systems: Sequence[str] = (),
    since: str | None = None,
    full_refresh: bool = False,
    build: bool = True,
) -> RunReport:
    """Land what is new (of some systems), then build and check if anything is due.

    Raises:
        RunFailed: a step failed; what other steps had finished stays.
    """
    from pipelines.definitions import definitions  # reads all sources and dbt's manifest

    started = time.monotonic()
    defs = definitions(settings)
    with dagster_instance(settings) as instance:
        landed: list[dict[str, object]] = []
        refused: list[str] = []
        failed_checks: list[tuple[str, dg.AssetCheckSeverity]] = []
        failures: list[str] = []
        for name in [f"land_{system}" for system in systems] or ["land"]:
            result = _execute(defs, name, instance, _landing_config(defs, name, since))
            landed += _landed(result)
            refused += _refused(result)
            failed_checks += _failed_checks(result)
            failures += _failures(result, but=_BLOCKED)
        # What a blocking check of a landing found; it has stopped its step, and is told in words here.
        held_back = [f"{r.layer}.{r.dataset}: {r.message}" for r in blocking_failures(settings)]
        is_due = build and not held_back and (full_refresh or is_build_due(settings))
        if is_due and not failures:
            log.info("building core and indicator")
            config = {"ops": {"models": {"config": {"full_refresh": full_refresh}}}}
            result = _execute(defs, BUILD, instance, config)
            failed_checks += _failed_checks(result)
            failures += _failures(result)
        elif build and not held_back and not failures:
            # A run may have been killed after its build, or a published file be lost.
            failures += _failures(_execute(defs, PUBLISH, instance, {}))
    if failures:
        raise RunFailed("the run failed:\n  " + "\n  ".join(failures))
    seconds = time.monotonic() - started
    errors = [text for text, severity in failed_checks if severity is dg.AssetCheckSeverity.ERROR]
    warnings = [text for text, severity in failed_checks if severity is not dg.AssetCheckSeverity.ERROR]
    return RunReport(tuple(landed), tuple(refused), is_due, tuple(errors), tuple(warnings), tuple(held_back), seconds)


def _execute(
    defs: dg.Definitions, name: str, instance: dg.DagsterInstance, config: Mapping[str, object]
) -> dg.ExecuteInProcessResult:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    job = defs.resolve_job_def(name)
    with redirect_stdout(_DbtProgress()):
        return job.execute_in_process(run_config={**quiet, **config}, instance=instance, raise_on_error=False)


class _DbtProgress(io.TextIOBase):
    """Takes dbt's line for each node and tells only how far it is, and what failed."""

    _EVERY = 25

    def write(self, text: str) -> int:
        """Tell of every 25th node that is done, and of each that failed."""
        for line in text.splitlines():
            done = re.match(r"(\d+) of (\d+) (OK|PASS|WARN|FAIL|ERROR)", line)
            if done is None:
                continue
            number, total, outcome = int(done[1]), int(done[2]), done[3]
            if outcome in ("FAIL", "ERROR"):
                log.error("dbt: %s", line)
            elif total > self._EVERY and (number % self._EVERY == 0 or number == total):
                log.info("dbt: %d of %d models, seeds and tests done", number, total)
        return len(text)


def _landing_config(defs: dg.Definitions, name: str, since: str | None) -> dict[str, object]:
    if not since:
        return {}
    nodes = [node.name for node in defs.resolve_job_def(name).nodes if node.name.startswith("raw__")]
    return {"ops": {node: {"config": {"since": since}} for node in nodes}}


def _landed(result: dg.ExecuteInProcessResult) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        numbers = {k: v.value for k, v in materialization.metadata.items() if isinstance(v, dg.IntMetadataValue)}
        rows.append({"data set": materialization.asset_key.path[-1], **numbers})
    return rows


def _refused(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        str(e.metadata["refused"].value).removeprefix("- ")
        for e in result.get_asset_check_evaluations()
        if not e.passed and "refused" in e.metadata
    ]


def _failed_checks(result: dg.ExecuteInProcessResult) -> list[tuple[str, dg.AssetCheckSeverity]]:
    return [
        (f"{e.asset_key.to_user_string()}: {e.check_name}", e.severity)
        for e in result.get_asset_check_evaluations()
        if not e.passed
    ]


def _failures(result: dg.ExecuteInProcessResult, but: str = "") -> list[str]:
    """What failed, step by step, without errors of the class `but`."""
    failures = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None and error.cls_name == but:
                continue
            text = error.message.strip() if error else "failed"
            failures.append(f"{event.step_key}: {text}")
    return failures
