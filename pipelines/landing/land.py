"""Landing one data set of a source from end to end."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from catalog.contract import Contract
from pipelines.connectors import database, files, rest
from pipelines.landing.batch import Batch, Refusal, UnreadableDelivery, UnusableHeader
from pipelines.landing.commit import Counts, commit
from pipelines.landing.stage import stage
from pipelines.source import DatasetSource, SourceError, SourceSystem, expand
from warehouse.lake import open_lake
from warehouse.settings import Settings

log = logging.getLogger(__name__)
_STALE_SECONDS = 24 * 3600
Progress = Callable[[str], None]


@dataclass(frozen=True)
class LandingResult:
    """What landing one data set did; `refusals` are deliveries that were not landed at all."""

    source: str
    dataset: str
    counts: Counts
    refusals: tuple[Refusal, ...]

    @property
    def has_changed(self) -> bool:
        """Whether anything was written."""
        return self.counts.delivery_count > 0


def land(
    settings: Settings,
    system: SourceSystem,
    dataset: str,
    contract: Contract,
    *,
    progress: Progress = log.info,
    since: str | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> LandingResult:
    """Fetch, check and write what is new of one data set.

    Every batch is a transaction of its own: a kill loses only the batch that was under way, and the next
    run takes up from there. `since` pulls again from that cursor value instead of from the watermark; `pause`
    waits that many seconds between attempts.

    Raises:
        SourceError: the source system cannot be reached or answers what cannot be understood, or its file names
            a field that the contract does not have.
        LakeError: the lake cannot be written.
    """
    for entry in system.datasets:
        if entry.dataset == dataset:
            _refuse_unknown_fields(system, entry, contract)
    spool = settings.home_path / "spool" / uuid.uuid4().hex
    _sweep(spool.parent)
    counts = Counts()
    refusals: list[Refusal] = []
    needs_spatial = any(f.is_geometry for f in contract.fields)
    with open_lake(settings, spatial=needs_spatial) as connection:
        try:
            for entry in (e for e in system.datasets if e.dataset == dataset):
                pieces = _fetch(connection, settings, system, entry, contract, spool, since, pause)
                for counted in _land_all(connection, settings, system, entry, contract, pieces, refusals):
                    counts += counted
                    progress(f"{dataset}: {counts.read_count:,} rows read, {counts.quarantined_count:,} quarantined")
        finally:
            shutil.rmtree(spool, ignore_errors=True)
    for refusal in refusals:
        log.error("%s refused: %s: %s", refusal.dataset, refusal.uri, refusal.problem)
    return LandingResult(system.system, dataset, counts, tuple(refusals))


def _refuse_unknown_fields(system: SourceSystem, entry: DatasetSource, contract: Contract) -> None:
    """A mistyped field would otherwise be a fix that never applies, or a column that is never read."""
    known = {f.name for f in contract.fields}
    named = {*entry.fields, *(fix.field for fix in entry.fixes), *([entry.cursor.field] if entry.cursor else [])}
    if named - known:
        raise SourceError(
            "the contract has no such field",
            where=f"{system.city}/{system.system}.yml, data set {entry.dataset}",
            value=sorted(named - known),
            fix=f"correct `fields`, `fixes` and `cursor`; the contract has {sorted(known)}",
        )


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed left behind; a day is longer than any run."""
    for left in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _fetch(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    entry: DatasetSource,
    contract: Contract,
    spool: Path,
    since: str | None,
    pause: Callable[[float], None],
) -> Iterator[Batch | Refusal]:
    if system.files is not None:
        root = Path(expand(system.files.root, settings, where=system.system))
        wanted = entry.wanted(f.name for f in contract.fields)
        return files.batches(connection, entry, root, spool, wanted)
    if system.rest is not None:
        return rest.batches(connection, settings, system, entry, contract, spool, since, pause)
    return database.batches(connection, settings, system, entry, contract, since)


def _land_all(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    entry: DatasetSource,
    contract: Contract,
    pieces: Iterator[Batch | Refusal],
    refusals: list[Refusal],
) -> Iterator[Counts]:
    """Land batch after batch; refusals are collected, a batch that fails as a whole is taken apart."""
    for piece in pieces:
        if isinstance(piece, Refusal):
            refusals.append(piece)
            continue
        started_at = datetime.now(UTC).replace(tzinfo=None)
        try:
            staged = stage(connection, contract, entry, piece)
            yield commit(
                connection,
                settings,
                system,
                staged,
                cursor=entry.cursor,
                may_be_empty=entry.may_be_empty,
                started_at=started_at,
            )
        except UnusableHeader as error:
            refusals.extend(Refusal(entry.dataset, d.uri, error.problem) for d in piece.deliveries)
        except UnreadableDelivery as error:
            if piece.halves is None:
                refusals.append(Refusal(entry.dataset, piece.deliveries[0].uri, error.problem))
            else:
                log.info("%s: %d deliveries are taken apart: %s", entry.dataset, len(piece.deliveries), error.problem)
                yield from _land_all(connection, settings, system, entry, contract, piece.halves(), refusals)
        finally:
            piece.release()
