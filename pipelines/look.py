"""Landing without Dagster, and whether anything has come of it: most runs find nothing new and need no more.

Starting Dagster and keeping its events costs more than such a run itself. So the command line lands by itself and
tells Dagster of the data sets of which there is something to tell (`run`). Does not belong here: what is then told.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from catalog.contract import Contract
from pipelines.landing.land import LandingResult, land
from pipelines.sources.declared import PullError, SourceError, SourceSystem
from quality.contract_checks import contract_checks, covered
from quality.refusals import open_refusals
from quality.results import changed_since, latest_of, left_over
from quality.withdrawals import last_changes
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

log = logging.getLogger("gridlake")


@dataclass(frozen=True)
class Landed:
    """What landing the data sets of some systems did.

    Attributes:
        results: of each data set that could be landed, also where nothing was new.
        failures: what kept the others from it; that a source could not be read is kept as a refusal as well.
        to_tell: the data sets of which there is something to tell: rows, a failure, a refusal that is new or mended, a
            check that turns out otherwise, or a landing whose checks were never finished.
    """

    results: Mapping[str, LandingResult]
    failures: Mapping[str, Exception]
    to_tell: frozenset[str]

    @property
    def unread(self) -> tuple[str, ...]:
        """The data sets whose source could not be read, each with what it says."""
        return tuple(f"{name}: {error}" for name, error in self.failures.items() if isinstance(error, PullError))

    @property
    def is_sound(self) -> bool:
        """Whether only sources are at fault: what landed of the others can be built on."""
        return all(isinstance(error, SourceError) for error in self.failures.values())

    def result_of(self, dataset: str) -> LandingResult | None:
        """What came of a data set; None where it was not landed here.

        Raises:
            Exception: what kept it from being landed.
        """
        if dataset in self.failures:
            raise self.failures[dataset]
        return self.results.get(dataset)


def land_systems(
    settings: Settings, systems: Sequence[SourceSystem], contracts: Mapping[str, Contract], since: str | None
) -> Landed:
    """Land all data sets of these systems; one that fails does not stop the others.

    Raises:
        LakeError: the lake cannot be opened.
    """
    results: dict[str, LandingResult] = {}
    failures: dict[str, Exception] = {}
    # One session for all: opening the lake, and reading its catalogue, costs more than looking for what is new.
    with open_lake(settings) as lake:
        before = _refusal_ids(lake)
        for system in systems:
            for name in system.dataset_names:
                try:
                    results[name] = land(
                        settings, system, name, contracts[name], progress=_tell, since=since, connection=lake
                    )
                except Exception as error:  # told by the step of this data set, whatever it is
                    failures[name] = error
        changed = {name for name, result in results.items() if result.has_changed}
        refused = {dataset for dataset, _ in before ^ _refusal_ids(lake)}
        unread = {name for name, error in failures.items() if isinstance(error, PullError)}
        judged = _judged_otherwise(lake, settings, [contracts[name] for name in (results.keys() | unread) - changed])
    return Landed(results, failures, frozenset(changed | refused | judged | (failures.keys() - unread)))


def _tell(line: str) -> None:
    # Data sets of which nothing is new are not worth a line each.
    if not line.partition(": ")[2].startswith("0 rows read"):
        log.info(line)


def _refusal_ids(lake: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    return {(refusal.dataset, refusal.refusal_id) for refusal in open_refusals(lake)}


def _judged_otherwise(lake: duckdb.DuckDBPyConnection, settings: Settings, contracts: Sequence[Contract]) -> set[str]:
    """Data sets of which a check turns out otherwise than recorded, or whose newest landing no suite has seen."""
    last = latest_of(lake)
    seen: dict[str, int] = {}
    for result in last:
        if result.kind == "gx" and result.layer == "raw":
            seen[result.dataset] = max(seen.get(result.dataset, 0), result.data_position)
    landed = dict(lake.execute("SELECT dataset, max(load_seq) FROM lake.ops.load GROUP BY dataset").fetchall())
    withdrawn = last_changes(lake)
    unseen = {c.name for c in contracts if max(landed.get(c.name, 0), withdrawn.get(c.name, 0)) > seen.get(c.name, 0)}
    found = contract_checks(settings, contracts, connection=lake)
    judged = {contract.name for contract in contracts}
    differing = [*changed_since(found, last), *left_over(found, last, covered(settings, contracts))]
    return unseen | {result.dataset for result in differing if result.dataset in judged}
