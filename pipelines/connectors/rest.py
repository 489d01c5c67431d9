"""JSON services over HTTP, Open311 GeoReport v2 among them: paging, rate limit, retries, time-outs.

The pages of one pull are kept in the spool as they came and are landed together as one delivery, so a pull
that breaks off in the middle leaves nothing and moves no watermark.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from catalog.contract import Contract
from pipelines.connectors.json_reader import document_batch
from pipelines.landing.batch import Batch, Delivery
from pipelines.landing.changes import position_of
from pipelines.landing.watermark import window_start
from pipelines.source import DatasetSource, Paging, RestConnection, SourceError, SourceSystem, expand
from warehouse.settings import Settings

log = logging.getLogger(__name__)
_MAX_RETRY_AFTER_SECONDS = 60.0


class _Transient(Exception):
    """An answer that may be better next time."""


@dataclass
class _Client:
    """One service: keeps to the rate limit, tries again with back-off, tells what it asked for."""

    http: httpx.Client
    connection: RestConnection
    pause: Callable[[float], None] = time.sleep
    _last: float = 0.0

    def get(self, url: str, params: dict[str, str]) -> httpx.Response:
        """One answer with status 200.

        Raises:
            SourceError: the service refuses, or keeps failing after all attempts.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self.connection.attempts),
            wait=wait_random_exponential(multiplier=0.2, max=20),
            retry=retry_if_exception_type((_Transient, httpx.TransportError)),
            sleep=self.pause,
        )
        try:
            response: httpx.Response = retrying(self._once, url, params)
            return response
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise SourceError(
                f"no good answer after {self.connection.attempts} attempts: {type(cause).__name__} {cause}",
                where=_shown(url, params),
                fix="run it again when the service answers; nothing was landed and the watermark did not move",
            ) from None

    def _once(self, url: str, params: dict[str, str]) -> httpx.Response:
        wait = self._last + 1 / self.connection.requests_per_second - time.monotonic()
        if wait > 0:
            self.pause(wait)
        self._last = time.monotonic()
        response = self.http.get(url, params=params)
        if response.status_code == 429 or response.status_code >= 500:
            self._obey(response)
            raise _Transient(f"HTTP {response.status_code}")
        if response.status_code != 200:
            hint = "check the token" if response.status_code in (401, 403) else "check `path` and `params`"
            raise SourceError(f"the service answered {response.status_code}", where=_shown(url, params), fix=hint)
        return response

    def _obey(self, response: httpx.Response) -> None:
        after = response.headers.get("Retry-After", "")
        if after.isdigit():
            self.pause(min(float(after), _MAX_RETRY_AFTER_SECONDS))


def batches(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    entry: DatasetSource,
    contract: Contract,
    spool: Path,
    since: str | None = None,
) -> Iterator[Batch]:
    """One batch: all pages of one pull.

    Raises:
        SourceError: the service cannot be reached, refuses, or pages in circles.
    """
    if system.rest is None:
        raise SourceError("is not a service", where=system.system, fix="add the block `rest`")
    base = expand(system.rest.base_url, settings, where=system.system).rstrip("/")
    token = expand(system.rest.token, settings, where=system.system)
    begin = window_start(connection, system.system, entry.dataset, entry.cursor, since) if entry.cursor else None
    position = position_of(connection, system.system, entry.dataset)
    params = dict(entry.params)
    if entry.cursor and begin is not None:
        params[entry.cursor.param or entry.cursor.field] = _formatted(begin, entry.cursor.format)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with httpx.Client(headers=headers, timeout=system.rest.timeout_seconds, follow_redirects=False) as http:
        client = _Client(http, system.rest)
        url = f"{base}/{entry.path.lstrip('/')}"
        pages, digest, size, largest = _save_pages(client, url, params, entry, spool)
    uri = f"{entry.path}?{'&'.join(f'{k}={v}' for k, v in sorted(params.items()))}"
    delivery = Delivery(uri, f"{position}-{digest}", size)
    if not pages:
        return
    batch = document_batch(
        connection,
        entry.model_copy(update={"format": "json"}),
        pages,
        (delivery,),
        wanted=frozenset(name for f in contract.fields for name in entry.source_names(f.name)),
        largest_bytes=largest,
        is_one_delivery=True,
    )
    yield replace(
        batch,
        mode="changes" if entry.cursor else "whole_table",
        cursor_from=begin,
        position=position,
    )


def _formatted(value: str, pattern: str) -> str:
    try:
        return datetime.fromisoformat(value).strftime(pattern)
    except ValueError:
        return value  # the cursor is a number


def _save_pages(
    client: _Client, url: str, params: dict[str, str], entry: DatasetSource, spool: Path
) -> tuple[list[str], str, int, int]:
    """Fetch page after page into the spool; returns their paths, a hash, the bytes of all and of the largest."""
    spool.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    seen: set[bytes] = set()
    pages: list[str] = []
    size = largest = 0
    for number, response in enumerate(_pages(client, url, params, entry), start=1):
        body = response.content
        fingerprint = hashlib.sha256(body).digest()
        if fingerprint in seen:
            raise SourceError(
                f"page {number} repeats an earlier page",
                where=str(response.url.copy_with(query=None)),
                fix="the service ignores the paging parameters: check `paging` in the source file",
            )
        seen.add(fingerprint)
        digest.update(fingerprint)
        path = spool / f"page-{number:06d}.json"
        path.write_bytes(body)
        pages.append(str(path))
        size += len(body)
        largest = max(largest, len(body))
        if number % 50 == 0:
            log.info("%s: %d pages, %.1f MB", entry.dataset, number, size / 1e6)
    return pages, digest.hexdigest(), size, largest


def _pages(client: _Client, url: str, params: dict[str, str], entry: DatasetSource) -> Iterator[httpx.Response]:
    paging = entry.paging
    if paging is None:
        response = client.get(url, params)
        _rows(response, entry)
        yield response
        return
    address, query = url, params | _first_query(paging)
    for number in range(paging.max_pages):
        response = client.get(address, query)
        document, count = _rows(response, entry)
        if count or number == 0:
            yield response
        following = _following(paging, response, document, count, number, params, url)
        if following is None:
            return
        address, query = following
    raise SourceError(f"more than {paging.max_pages} pages", where=url, fix="raise paging.max_pages or page size")


def _first_query(paging: Paging) -> dict[str, str]:
    size = {paging.size_param: str(paging.size)}
    if paging.style == "page":
        return size | {paging.page_param: str(paging.first)}
    if paging.style == "offset":
        return size | {paging.offset_param: "0"}
    return size


def _following(
    paging: Paging,
    response: httpx.Response,
    document: Any,
    count: int,
    number: int,
    params: dict[str, str],
    url: str,
) -> tuple[str, dict[str, str]] | None:
    """Address and parameters of the next page, or None after the last one."""
    size = {paging.size_param: str(paging.size)}
    if paging.style == "link":
        link = response.links.get("next", {}).get("url")
        return (str(response.url.join(link)), {}) if link else None
    if paging.style == "cursor":
        token = at_path(document, paging.next_path)
        return (url, params | size | {paging.cursor_param: str(token)}) if token not in (None, "") else None
    if count < paging.size:
        return None
    if paging.style == "page":
        return url, params | size | {paging.page_param: str(paging.first + number + 1)}
    return url, params | size | {paging.offset_param: str((number + 1) * paging.size)}


def _rows(response: httpx.Response, entry: DatasetSource) -> tuple[Any, int]:
    """The parsed page and how many rows it has.

    Raises:
        SourceError: the answer is not JSON, or has no array where the source file says.
    """
    address = str(response.url.copy_with(query=None))
    try:
        document = json.loads(response.content)
    except ValueError as error:
        raise SourceError(f"the answer is not JSON ({error})", where=address, fix="ask the provider") from None
    rows = at_path(document, entry.records)
    if not isinstance(rows, list):
        raise SourceError(
            "the answer has no array of rows", where=address, value=entry.records, fix="correct `records`"
        )
    return document, len(rows)


def at_path(document: Any, path: str) -> Any:
    """The value at a simple JSON path such as `$.meta.next`; None where it is not there."""
    for part in re.findall(r"[^.$\[\]]+", path):
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document


def _shown(url: str, params: dict[str, str]) -> str:
    return f"{url}?{'&'.join(f'{k}={v}' for k, v in params.items())}" if params else url
