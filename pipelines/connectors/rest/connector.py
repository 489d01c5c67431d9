"""JSON services over HTTP, Open311 GeoReport v2 among them: one pull becomes one batch.

The pages of one pull are kept in the spool as they came and are landed together as one delivery, so a pull
that breaks off in the middle leaves nothing and moves no watermark.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import httpx

from pipelines.connectors.batch import Batch, Delivery, UnreadableDelivery
from pipelines.connectors.cursor import as_the_source_tells
from pipelines.connectors.fetch import Fetch
from pipelines.connectors.files.json_reader import document_batch
from pipelines.connectors.rest.client import ServiceClient
from pipelines.connectors.rest.paging import Progress, pages
from pipelines.sources.declared import DatasetSource, PullError, SourceError, expand, secrets_of

log = logging.getLogger(__name__)
_PULLS = 3
"""So often a pull is made whose rows do not add up to the total that the service tells."""


def batches(connection: duckdb.DuckDBPyConnection, fetch: Fetch) -> Iterator[Batch]:
    """One batch: all pages of one pull.

    Raises:
        SourceError: the source file is wrong.
        PullError: the service cannot be reached, refuses, or pages in circles.
    """
    settings, system, entry, begin = fetch.settings, fetch.system, fetch.entry, fetch.begin
    if system.rest is None:
        raise SourceError("is not a service", where=system.system, fix="add the block `rest`")
    where = system.system
    base = expand(system.rest.base_url, settings, where=where).rstrip("/")
    token = expand(system.rest.token, settings, where=where)
    asked = dict(entry.params)
    if entry.cursor and begin is not None:
        asked[entry.cursor.param or entry.cursor.field] = as_the_source_tells(
            begin, entry.cursor.format, entry.telling(entry.cursor.field), settings.timezone
        )
    params = {name: expand(value, settings, where=where) for name, value in asked.items()}
    # A parameter out of the environment may be a key.
    hidden = [token, *secrets_of(base), *(value for name, value in params.items() if value != asked[name])]
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        url = httpx.URL(f"{base}/{entry.path.lstrip('/')}").copy_merge_params(params)
    except httpx.InvalidURL:
        raise SourceError("is no address", where=f"{where}: rest.base_url", fix="correct base_url and path") from None
    block = system.rest
    uri = f"{entry.path}?{'&'.join(f'{k}={v}' for k, v in sorted(asked.items()))}".rstrip("?")

    def pull() -> Batch:
        with httpx.Client(headers=headers, timeout=block.timeout_seconds, follow_redirects=False) as http:
            client = ServiceClient(http, block, entry.success, tuple(text for text in hidden if text), fetch.pause)
            saved = _save(client, url, entry, fetch.spool)
        delivery = Delivery(uri, f"{fetch.position}-{saved.digest}", saved.size)
        try:
            batch = document_batch(
                connection,
                entry.model_copy(update={"format": "json"}),
                saved.paths,
                (delivery,),
                wanted=entry.wanted(f.name for f in fetch.contract.fields),
                largest_bytes=saved.largest,
                is_one_delivery=True,
            )
        except UnreadableDelivery as error:
            raise PullError(error.problem, where=f"{where} ({uri})") from None
        return replace(
            batch,
            mode="changes" if entry.cursor else "whole_table",
            cursor_from=begin,
            position=fetch.position,
            is_one_answer=len(saved.paths) < 2,
            again=pull,
        )

    yield pull()


@dataclass(frozen=True)
class _Saved:
    """The pages of one pull in the spool: a hash of all, the bytes of all and of the largest."""

    paths: list[str]
    digest: str
    size: int
    largest: int


def _save(client: ServiceClient, url: httpx.URL, entry: DatasetSource, spool: Path) -> _Saved:
    """Fetch page after page into the spool; again, where other rows came than the service told.

    Raises:
        PullError: also the last of the pulls did not add up.
    """
    for _ in range(_PULLS):
        progress = Progress()
        saved = _save_once(pages(client, url, entry, progress), entry.dataset, spool / uuid.uuid4().hex)
        if progress.adds_up:
            return saved
        log.info("%s: %d rows came, the service told %s", entry.dataset, progress.received, progress.total)
    raise PullError(
        f"the service tells {progress.total} rows and {progress.received} came"
        f"{', and rows went meanwhile' if progress.has_shrunk else ''}, also in the last of {_PULLS} pulls",
        where=client.shown(url),
        fix="ask the provider for pages in a fixed order (`params`); if its total is wrong, take `total_path` out",
    )


def _save_once(bodies: Iterator[bytes], dataset: str, folder: Path) -> _Saved:
    folder.mkdir(parents=True)
    digest = hashlib.sha256()
    paths: list[str] = []
    size = largest = 0
    for number, body in enumerate(bodies, start=1):
        digest.update(hashlib.sha256(body).digest())
        path = folder / f"page-{number:06d}.json"
        path.write_bytes(body)
        paths.append(str(path))
        size += len(body)
        largest = max(largest, len(body))
        if number % 50 == 0:
            log.info("%s: %d pages, %.1f MB", dataset, number, size / 1e6)
    return _Saved(paths, digest.hexdigest(), size, largest)
