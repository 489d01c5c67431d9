"""Running a city from the command line: land, then tell Dagster whatever there is to tell, so that its pages show it.

A run in which nothing is new ends without Dagster (`look`): there is nothing to show.
"""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.contract import load_contracts
from pipelines.build import is_build_due
from pipelines.command.strays import looked_for
from pipelines.landing.commit import Counts
from pipelines.landing.land import LandingResult
from pipelines.look import Landed, land_systems
from pipelines.serving_tables import is_published, may_publish
from pipelines.sources.check import require_sound
from pipelines.sources.declared import SourceSystem, load_sources
from quality.contract_checks import contract_checks, covered
from quality.held_back import holding
from quality.results import CheckResult, latest, position, record
from warehouse.errors import GridLakeError
from warehouse.lake.session import open_lake
from warehouse.lake.turn import run_turn
from warehouse.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

log = logging.getLogger("gridlake")


class RunFailed(GridLakeError):
    """A run did not end well; the message names what failed."""


@dataclass(frozen=True)
class RunReport:
    """What a run did, for people.

    Attributes:
        landed: the data sets of which something landed.
        in_raw: rows of each of them in `raw` now.
        refused: deliveries that were refused whole, place first.
        unread: data sets whose source could not be read, with what was met.
        is_built: whether models were built.
        errors, warnings: checks of this run that failed.
        held_back_by: why nothing is built on some data sets.
        seconds: how long it took.
    """

    landed: tuple[LandingResult, ...]
    in_raw: Mapping[str, int]
    refused: tuple[str, ...]
    unread: tuple[str, ...]
    is_built: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    held_back_by: tuple[str, ...]
    seconds: float


def run_city(
    settings: Settings,
    *,
    systems: Sequence[str] = (),
    since: str | None = None,
    full_refresh: bool = False,
    build: bool = True,
) -> RunReport:
    """Land what is new (of some systems), then build and check if anything is due, then publish if anything changed.

    A second run of the same home waits for the first.

    Raises:
        RunFailed: a step failed; what other steps had finished stays.
    """
    with run_turn(settings):
        return _run_alone(settings, systems, since, full_refresh=full_refresh, build=build)


def _run_alone(
    settings: Settings, systems: Sequence[str], since: str | None, *, full_refresh: bool, build: bool
) -> RunReport:
    started = time.monotonic()
    require_sound(settings.city_path)
    chosen = [s for s in load_sources(settings.city_path) if not systems or s.system in systems]
    landed = land_systems(settings, chosen, load_contracts(settings.city_path), since)
    return _finish(settings, chosen, landed, started, full_refresh=full_refresh, build=build)


def follow_up(settings: Settings, source: str, dataset: str, *, build: bool = True) -> RunReport:
    """Check a data set of which something was withdrawn or came back, then build and publish as a run does.

    Raises:
        RunFailed: a step failed; what other steps had finished stays.
    """
    with run_turn(settings):
        started = time.monotonic()
        known = [name for system in load_sources(settings.city_path) for name in system.dataset_names]
        if dataset in known:
            landed = Landed({dataset: LandingResult(source, dataset, Counts(), ())}, {}, frozenset({dataset}))
        else:  # its source has no file any more, so Dagster does not know it
            judged = [load_contracts(settings.city_path)[dataset]]
            record(settings, contract_checks(settings, judged), covering=covered(settings, judged))
            landed = Landed({}, {}, frozenset())
        return _finish(settings, (), landed, started, full_refresh=False, build=build)


def _finish(
    settings: Settings,
    chosen: Sequence[SourceSystem],
    landed: Landed,
    started: float,
    *,
    full_refresh: bool,
    build: bool,
) -> RunReport:
    """Tell what landed of these systems, build and publish what is due."""
    found = _Found()
    if landed.to_tell:
        found.add(_tell_landing(settings, landed))
    _refuse_empty(settings, chosen, landed)
    held = holding(latest(settings))
    # A source that cannot be read, or is described wrongly, keeps nobody from what the others have brought.
    is_built = build and landed.is_sound and (full_refresh or is_build_due(settings))
    is_whole = True
    if is_built:
        log.info("building core and indicator%s", _without(held))
        outcome = _build(settings, full_refresh=full_refresh)
        is_whole = not outcome.failures
        found.add(outcome)
    # Also where nothing was built: what is refused, late or held back must be seen on the pages, a run may have been
    # killed after its build, or a published file be lost.
    if build and is_whole and may_publish(settings) and not _is_all_published(settings):
        found.add(_publish(settings))
    if found.failures:
        raise RunFailed("the run failed:\n  " + "\n  ".join(found.failures))
    news = tuple(result for result in landed.results.values() if result.has_changed)
    return RunReport(
        landed=news,
        in_raw=_in_raw(settings, news),
        refused=tuple(f"{r.dataset}: {r.uri}: {r.problem}" for each in landed.results.values() for r in each.refusals),
        unread=landed.unread,
        is_built=is_built,
        errors=tuple(found.errors),
        warnings=tuple(found.warnings),
        held_back_by=tuple(f"{r.layer}.{r.dataset}: {r.message}" for r in held),
        seconds=time.monotonic() - started,
    )


class _Found:
    """What several runs of Dagster found, put together."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def add(self, result: _Found) -> None:
        self.failures += result.failures
        self.errors += result.errors
        self.warnings += result.warnings


def _refuse_empty(settings: Settings, systems: Sequence[SourceSystem], landed: Landed) -> None:
    """Refuse to build what would be a city without a row: a folder that is not the right one looks like that.

    Raises:
        RunFailed: nothing has ever landed; tells where it was looked for.
    """
    with open_lake(settings, read_only=True, spatial=False) as lake:
        if position(lake):
            return
    refused = [f"{r.uri}: {r.problem}" for result in landed.results.values() for r in result.refusals]
    raise RunFailed(
        "nothing has ever landed, so there is nothing to build. Looked for:\n  "
        + "\n  ".join([*looked_for(settings, systems), *refused, *map(str, landed.failures.values())]),
        fix="\nset GRIDLAKE_DATA to the folder of the city's files, or drop them there under such names",
    )


def _without(held: Sequence[CheckResult]) -> str:
    return f", without what depends on {', '.join(sorted({r.dataset for r in held}))}" if held else ""


def _in_raw(settings: Settings, results: Sequence[LandingResult]) -> dict[str, int]:
    if not results:
        return {}
    with open_lake(settings, read_only=True, spatial=False) as lake:
        counted = {r.dataset: lake.execute(f"SELECT count(*) FROM lake.raw.{r.dataset}").fetchall() for r in results}
    return {dataset: int(count) for dataset, ((count,),) in counted.items()}


def _is_all_published(settings: Settings) -> bool:
    from pipelines.services.superset import is_content_current

    return is_published(settings) and is_content_current(settings)


def _tell_landing(settings: Settings, landed: Landed) -> _Found:
    import dagster as dg

    from pipelines.jobs import LAND
    from pipelines.run_definitions import run_definitions

    keys = [dg.AssetKey(["raw", name]) for name in sorted(landed.to_tell)]
    return _execute(run_definitions(settings, landed.result_of), LAND, settings, {}, keys)


def _build(settings: Settings, *, full_refresh: bool) -> _Found:
    from pipelines.definitions import definitions  # reads dbt's manifest, and imports dbt
    from pipelines.jobs import BUILD

    config = {"ops": {"models": {"config": {"full_refresh": full_refresh}}}}
    return _execute(definitions(settings), BUILD, settings, config)


def _publish(settings: Settings) -> _Found:
    from pipelines.jobs import PUBLISH
    from pipelines.run_definitions import run_definitions

    return _execute(run_definitions(settings), PUBLISH, settings, {})


def _execute(
    defs: dg.Definitions,
    name: str,
    settings: Settings,
    config: Mapping[str, object],
    selection: Sequence[dg.AssetKey] | None = None,
) -> _Found:
    from pipelines.services.dagster_home import dagster_instance, end_dead_runs
    from pipelines.services.launcher import worker_tags

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    job = defs.resolve_job_def(name)
    with dagster_instance(settings) as instance, redirect_stdout(_DbtProgress()):
        end_dead_runs(instance, "command")
        result = job.execute_in_process(
            run_config={**quiet, **config},
            instance=instance,
            raise_on_error=False,
            asset_selection=selection,
            tags=worker_tags("command"),
        )
    return _found(result)


def _found(result: dg.ExecuteInProcessResult) -> _Found:
    import dagster as dg

    found = _Found()
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            is_error = check.severity is dg.AssetCheckSeverity.ERROR
            told = found.errors if is_error else found.warnings
            told.append(f"{check.asset_key.to_user_string()}: {check.check_name}")
    found.failures += _failures(result)
    return found


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


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What failed, step by step."""
    failures = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            text = error.message.strip() if error else "failed"
            failures.append(f"{event.step_key}: {text}")
    return failures
