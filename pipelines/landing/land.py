"""Landing one data set of a source from end to end."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import duckdb

from catalog.contract import Contract
from pipelines.connectors.batch import Batch, Delivery, Refusal, UnreadableDelivery, UnusableHeader, not_read
from pipelines.connectors.database import connector as database
from pipelines.connectors.fetch import Fetch
from pipelines.connectors.files import connector as files
from pipelines.connectors.rest import connector as rest
from pipelines.landing.clock import Clock
from pipelines.landing.commit import Counts, commit
from pipelines.landing.second_look import look_again
from pipelines.landing.stage import stage
from pipelines.landing.standing import standing
from pipelines.sources.declared import DatasetSource, PullError, SourceError, SourceSystem, files_root
from quality.refusals import Refused, settle
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

log = logging.getLogger(__name__)
_STALE_SECONDS = 24 * 3600
Progress = Callable[[str], None]


class Connector(Protocol):
    """How the rows of one data set come, whatever its source is."""

    def batches(self, connection: duckdb.DuckDBPyConnection, fetch: Fetch, /) -> Iterator[Batch | Refusal]:
        """The rows as batches; what cannot be read at all as refusals."""


@dataclass(frozen=True)
class LandingResult:
    """What landing one data set did; `refusals` are deliveries that were not landed at all and are not accepted."""

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
    connection: duckdb.DuckDBPyConnection | None = None,
) -> LandingResult:
    """Fetch, check and write what is new of one data set.

    Every batch is a transaction of its own: a kill loses only the batch that was under way, and the next
    run takes up from there. `since` pulls again from that cursor value instead of from the watermark; `pause`
    waits that many seconds between attempts. `connection` is an open session of the lake with spatial functions;
    without it one is opened.

    Raises:
        PullError: the source system cannot be reached or answers what cannot be understood; that is kept as a refusal
            until a pull succeeds.
        SourceError: its file names a field that the contract does not have, or a variable that is not set.
        LakeError: the lake cannot be written.
    """
    if connection is None:
        entries = [entry for entry in system.datasets if entry.dataset == dataset]
        needs_spatial = any(
            f.is_geometry or (f.point_with and entry.placing(f.name).needs_projection)
            for f in contract.fields
            for entry in entries
        )
        with open_lake(settings, spatial=needs_spatial) as opened:
            return land(
                settings, system, dataset, contract, progress=progress, since=since, pause=pause, connection=opened
            )
    for entry in system.datasets:
        if entry.dataset == dataset:
            _refuse_unknown_fields(system, entry, contract)
    spool = settings.home_path / "spool" / uuid.uuid4().hex
    _sweep(spool.parent)
    counts = Counts()
    refusals: list[Refusal] = []
    try:
        for entry in (e for e in system.datasets if e.dataset == dataset):
            fetch = standing(connection, Fetch(settings, system, entry, contract, spool, pause=pause), since)
            pieces = _connector(system).batches(connection, fetch)
            for counted in _land_all(connection, settings, system, entry, contract, pieces, refusals):
                counts += counted
                progress(f"{dataset}: {counts.read_count:,} rows read, {counts.quarantined_count:,} quarantined")
        left = _settle(connection, settings, system, dataset, refusals)
    except PullError as error:
        problem = f"{error.problem}. Fix: {error.fix}" if error.fix else error.problem
        failed = Refusal(dataset, _place(system, entry), problem)
        _settle(connection, settings, system, dataset, [*refusals, failed], is_partial=True)
        raise
    finally:
        shutil.rmtree(spool, ignore_errors=True)
    for refusal in left:
        log.error("%s refused: %s: %s", refusal.dataset, refusal.uri, refusal.problem)
    return LandingResult(system.system, dataset, counts, tuple(left))


def _settle(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    dataset: str,
    refusals: Sequence[Refusal],
    *,
    is_partial: bool = False,
) -> list[Refusal]:
    """Remember what was refused until it is mended; gives the refusals that no steward has accepted.

    `is_partial`: not all of the source was read, so that nothing counts as mended.
    """
    entries = [entry for entry in system.datasets if entry.dataset == dataset]

    def is_whole(uri: str) -> bool:
        # A pull that was not refused has mended the one before. A file that was taken away has not: it may come again.
        if is_partial:
            return False
        if system.files is None or any(uri == _place(system, entry) for entry in entries):
            return True
        root = files_root(system, settings)
        return any(found == uri for entry in entries for found, _ in files.find(entry, root))

    found = {Refused(r.dataset, r.uri, r.content_hash, r.problem): r for r in refusals}
    return [found[refused] for refused in settle(connection, settings, system.system, dataset, list(found), is_whole)]


def _refusal(system: SourceSystem, entry: DatasetSource, delivery: Delivery, error: UnreadableDelivery) -> Refusal:
    # Only a file has one content each time; the hash and the address of a pull tell its moment.
    if delivery.modified_ns:
        return Refusal(entry.dataset, delivery.uri, error.problem, delivery.content_hash)
    return Refusal(entry.dataset, _place(system, entry), error.problem)


def _place(system: SourceSystem, entry: DatasetSource) -> str:
    """Where a data set is read, in the words of the source file: the same in every pull."""
    return f"{system.system}: {system.files.root if system.files is not None else entry.path or entry.table}"


def _refuse_unknown_fields(system: SourceSystem, entry: DatasetSource, contract: Contract) -> None:
    """A mistyped field would otherwise be a fix that never applies, or a column that is never read."""
    known = {f.name for f in contract.fields}
    named = {
        *entry.fields,
        *(fix.field for fix in entry.fixes),
        *(set(entry.moments) - {"*"}),
        *(set(entry.coordinates) - {"*"}),
        *([entry.cursor.field] if entry.cursor else []),
    }
    if named - known:
        raise SourceError(
            "the contract has no such field",
            where=f"{system.city}/{system.system}.yml, data set {entry.dataset}",
            value=sorted(named - known),
            fix=f"correct `fields`, `fixes`, `moments`, `coordinates` and `cursor`; the contract has {sorted(known)}",
        )


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed left behind; a day is longer than any run."""
    for left in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _connector(system: SourceSystem) -> Connector:
    if system.files is not None:
        return files
    return rest if system.rest is not None else database


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
        now = datetime.now(UTC)
        started_at = now.replace(tzinfo=None)
        clock = Clock(settings.timezone, now, system.as_of)
        try:
            staged = look_again(connection, entry, stage(connection, contract, entry, piece, clock), clock)
            yield commit(
                connection,
                settings,
                system,
                staged,
                entry=entry,
                started_at=started_at,
            )
        except UnusableHeader as error:
            refusals.extend(_refusal(system, entry, d, error) for d in piece.deliveries)
        except (UnreadableDelivery, duckdb.OutOfMemoryException) as failed:
            # A reader that leaves its work to the statements of landing meets the end of the memory here.
            cause = failed if isinstance(failed, UnreadableDelivery) else not_read(failed, str(failed))
            if piece.halves is None:
                refusals.extend(_refusal(system, entry, d, cause) for d in piece.deliveries)
            else:
                log.info("%s: %d deliveries are taken apart: %s", entry.dataset, len(piece.deliveries), cause.problem)
                yield from _land_all(connection, settings, system, entry, contract, piece.halves(), refusals)
        finally:
            piece.release()
