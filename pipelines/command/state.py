"""What state the lake is in, for people: what has landed, how fresh it is, what is refused, what fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from catalog.contract import load_contracts
from pipelines.build import built_state, current_state
from pipelines.command.strays import strays
from pipelines.serving_tables import NAME, is_published, may_publish
from pipelines.sources.declared import load_sources
from quality.held_back import holding
from quality.refusals import KeptRefusal, open_refusals
from quality.results import CheckResult, latest
from quality.withdrawals import IN_FORCE, withdrawals
from warehouse.lake.layout import tables
from warehouse.lake.session import open_lake
from warehouse.serving.publish import current
from warehouse.settings import Settings

LEAST_FREE_BYTES = 2_000_000_000
# How far each model has come; of no use to people.
_BOOKKEEPING = {"build_position", "touched_key", "case_touched_day"}


@dataclass(frozen=True)
class DatasetStatus:
    """One data set: counts over all its deliveries, and when the last of them landed."""

    dataset: str
    title_zh: str
    title_en: str
    delivery_count: int
    read_count: int
    accepted_count: int
    quarantined_count: int
    loaded_at: datetime | None


@dataclass(frozen=True)
class Status:
    """The whole lake.

    Attributes:
        datasets: of the city's contracts, by name.
        tables: rows of each table of core and indicator.
        is_build_due: whether something has landed, or models changed, since the last build.
        failing: the newest results of the checks that fail.
        refusals: deliveries and sources that could not be read and are not mended yet.
        withdrawn: the withdrawals in force, newest first, each a line.
        strays: files in its sources' folders that no source takes.
        troubles: what an operator has to look at, each a sentence.
    """

    datasets: tuple[DatasetStatus, ...]
    tables: tuple[tuple[str, int], ...]
    is_build_due: bool
    failing: tuple[CheckResult, ...]
    refusals: tuple[KeptRefusal, ...]
    withdrawn: tuple[str, ...]
    strays: tuple[str, ...]
    troubles: tuple[str, ...]


def status(settings: Settings) -> Status:
    """The state of the lake of these settings.

    Raises:
        LakeError: there is no lake yet.
    """
    with open_lake(settings, read_only=True, spatial=False) as lake:
        loads = {
            row[0]: row[1:]
            for row in lake.execute(
                "SELECT dataset, count(*), sum(read_count), sum(accepted_count), sum(quarantined_count),"
                " max_by(loaded_at, load_seq)"
                " FROM lake.ops.load GROUP BY dataset"
            ).fetchall()
        }
        built = []
        for schema, name in sorted(tables(lake)):
            if schema in ("core", "indicator") and name not in _BOOKKEEPING:
                ((count,),) = lake.execute(f'SELECT count(*) FROM lake.{schema}."{name}"').fetchall()
                built.append((f"{schema}.{name}", int(count)))
        is_due = built_state(lake) != current_state(lake, settings)
        refusals = tuple(open_refusals(lake))
        withdrawn = tuple(f"{one.number}: {one.what}: {one.reason}" for one in withdrawals(lake, IN_FORCE)[::-1])
    datasets = []
    for contract in load_contracts(settings.city_path).values():
        deliveries, read, accepted, quarantined, loaded_at = loads.get(contract.name, (0, 0, 0, 0, None))
        titles = (contract.title_zh, contract.title_en)
        counts = (int(deliveries), int(read), int(accepted), int(quarantined))
        datasets.append(DatasetStatus(contract.name, *titles, *counts, loaded_at))
    failing = tuple(result for result in latest(settings) if not result.is_passed)
    untaken = tuple(strays(settings, load_sources(settings.city_path)))
    troubles = tuple(_troubles(settings, failing))
    return Status(tuple(datasets), tuple(built), is_due, failing, refusals, withdrawn, untaken, troubles)


def _troubles(settings: Settings, failing: Sequence[CheckResult]) -> Iterator[str]:
    """What an operator has to look at besides checks: each a sentence."""
    from pipelines.services.dagster_home import stuck_runs

    for result in holding(failing):
        yield f"held back is what depends on {result.layer}.{result.dataset}: {result.message}"
    for told in stuck_runs(settings):
        yield f"{told}; the next `gridlake run` or `gridlake up` ends it"
    free = shutil.disk_usage(settings.home_path).free
    if free < LEAST_FREE_BYTES:
        yield f"only {free / 1e9:.1f} GB of disk are free at {settings.home_path}: make room"
    if stale := _stale_publish(settings):
        yield stale
    with open_lake(settings, read_only=True, spatial=False) as lake:
        ((newest,),) = lake.execute("SELECT max(loaded_at) FROM lake.ops.load").fetchall()
    now = datetime.now(UTC).replace(tzinfo=None)
    if newest is None:
        yield "nothing has landed yet: look at GRIDLAKE_DATA and at the sources, then `gridlake run`"
    elif newest > now + timedelta(minutes=5):
        yield f"the newest landing is dated {newest:%Y-%m-%d %H:%M} UTC, later than the clock: one of both is wrong"


def _stale_publish(settings: Settings) -> str:
    """What is wrong with what the dashboards show; empty where it is what was built and found."""
    from pipelines.services.superset import is_content_current

    if not may_publish(settings):
        return ""
    command = "`gridlake run` publishes it"
    if not is_published(settings):
        served = current(settings, NAME)
        if served is None:
            return f"what is built has never been published: {command}"
        return f"the dashboards show version {served.version}, which is older than what is built and found: {command}"
    if not is_content_current(settings):
        return "dashboards and access rules are older than their files: `gridlake run` brings them in"
    return ""
