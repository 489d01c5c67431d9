"""JSON services over HTTP, Open311 GeoReport v2 among them: paging, rate limit, retries, time-outs.

The pages of one pull are kept in the spool as they came and are landed together as one delivery, so a pull
that breaks off in the middle leaves nothing and moves no watermark.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from catalog.contract import Contract
from pipelines.connectors.json_reader import document_batch
from pipelines.landing.batch import Batch, Delivery, UnreadableDelivery
from pipelines.landing.changes import position_of
from pipelines.landing.watermark import window_start
from pipelines.source import (
    DatasetSource,
    RestConnection,
    SourceError,
    SourceSystem,
    expand,
    secrets_of,
    without,
)
from pipelines.source_parts import Paging
from warehouse.settings import Settings

log = logging.getLogger(__name__)
_MAX_RETRY_AFTER_SECONDS = 60.0
# It would log every address with its parameters, of which one may be a key.
logging.getLogger("httpx").setLevel(logging.WARNING)


class _Transient(Exception):
    """An answer that may be better next time."""


@dataclass
class _Client:
    """One service: keeps to the rate limit, tries again with back-off, tells what it asked for."""

    http: httpx.Client
    connection: RestConnection
    secrets: tuple[str, ...] = ()
    pause: Callable[[float], None] = time.sleep
    _last: float = 0.0

    def get(self, url: httpx.URL, *, may_be_missing: bool = False) -> httpx.Response | None:
        """One answer with status 200; None for a 404 where the address may well not be there.

        Raises:
            SourceError: the service refuses, or keeps failing after all attempts.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self.connection.attempts),
            wait=wait_random_exponential(multiplier=0.2, max=20),
            retry=retry_if_exception_type((_Transient, httpx.RequestError)),
            sleep=self.pause,
        )
        try:
            response: httpx.Response = retrying(self._once, url)
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise SourceError(
                f"no good answer after {self.connection.attempts} attempts: {type(cause).__name__}"
                f" {without(self.secrets, str(cause))}",
                where=self.shown(url),
                fix="run it again when the service answers; nothing was landed and the watermark did not move",
            ) from None
        if response.status_code == 404 and may_be_missing:
            return None
        if response.status_code != 200:
            hint = "check the token" if response.status_code in (401, 403) else "check `path` and `params`"
            raise SourceError(f"the service answered {response.status_code}", where=self.shown(url), fix=hint)
        return response

    def shown(self, url: httpx.URL) -> str:
        """The address as it may stand in a message."""
        return without(self.secrets, str(url.copy_with(username=None, password=None)))

    def _once(self, url: httpx.URL) -> httpx.Response:
        wait = self._last + 1 / self.connection.requests_per_second - time.monotonic()
        if wait > 0:
            self.pause(wait)
        self._last = time.monotonic()
        response = self.http.get(url)
        if response.status_code in (408, 429) or response.status_code >= 500:
            self._obey(response.headers.get("Retry-After", ""))
            raise _Transient(f"HTTP {response.status_code}")
        return response

    def _obey(self, after: str) -> None:
        """Wait as long as the service asks for, in seconds or until a date, within reason."""
        seconds = 0.0
        if after.isdigit():
            seconds = float(after)
        elif after:
            with contextlib.suppress(ValueError):
                seconds = (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds()
        if seconds > 0:
            self.pause(min(seconds, _MAX_RETRY_AFTER_SECONDS))


def batches(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    system: SourceSystem,
    entry: DatasetSource,
    contract: Contract,
    spool: Path,
    since: str | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Batch]:
    """One batch: all pages of one pull.

    Raises:
        SourceError: the service cannot be reached, refuses, or pages in circles.
    """
    if system.rest is None:
        raise SourceError("is not a service", where=system.system, fix="add the block `rest`")
    where = system.system
    base = expand(system.rest.base_url, settings, where=where).rstrip("/")
    token = expand(system.rest.token, settings, where=where)
    begin = window_start(connection, system.system, entry.dataset, entry.cursor, since) if entry.cursor else None
    position = position_of(connection, system.system, entry.dataset)
    asked = dict(entry.params)
    if entry.cursor and begin is not None:
        asked[entry.cursor.param or entry.cursor.field] = _formatted(begin, entry.cursor.format)
    params = {name: expand(value, settings, where=where) for name, value in asked.items()}
    # A parameter out of the environment may be a key.
    hidden = [token, *secrets_of(base), *(value for name, value in params.items() if value != asked[name])]
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        url = httpx.URL(f"{base}/{entry.path.lstrip('/')}").copy_merge_params(params)
    except httpx.InvalidURL:
        raise SourceError("is no address", where=f"{where}: rest.base_url", fix="correct base_url and path") from None
    with httpx.Client(headers=headers, timeout=system.rest.timeout_seconds, follow_redirects=False) as http:
        client = _Client(http, system.rest, tuple(text for text in hidden if text), pause)
        pages, digest, size, largest = _save_pages(client, url, entry, spool)
    uri = f"{entry.path}?{'&'.join(f'{k}={v}' for k, v in sorted(asked.items()))}".rstrip("?")
    delivery = Delivery(uri, f"{position}-{digest}", size)
    try:
        batch = document_batch(
            connection,
            entry.model_copy(update={"format": "json"}),
            pages,
            (delivery,),
            wanted=entry.wanted(f.name for f in contract.fields),
            largest_bytes=largest,
            is_one_delivery=True,
        )
    except UnreadableDelivery as error:
        raise SourceError(error.problem, where=f"{where} ({uri})") from None
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


def _save_pages(client: _Client, url: httpx.URL, entry: DatasetSource, spool: Path) -> tuple[list[str], str, int, int]:
    """Fetch page after page into the spool; returns their paths, a hash, the bytes of all and of the largest."""
    spool.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    pages: list[str] = []
    size = largest = 0
    for number, body in enumerate(_pages(client, url, entry), start=1):
        digest.update(hashlib.sha256(body).digest())
        path = spool / f"page-{number:06d}.json"
        path.write_bytes(body)
        pages.append(str(path))
        size += len(body)
        largest = max(largest, len(body))
        if number % 50 == 0:
            log.info("%s: %d pages, %.1f MB", entry.dataset, number, size / 1e6)
    return pages, digest.hexdigest(), size, largest


@dataclass(frozen=True)
class _Page:
    """One answer: its rows, and what tells where the next one is."""

    response: httpx.Response
    document: Any
    rows: list[Any]

    @property
    def fingerprint(self) -> bytes:
        """A hash of the rows alone: around them a service may write what changes with every answer."""
        return hashlib.sha256(json.dumps(self.rows, sort_keys=True).encode()).digest()


def _pages(client: _Client, first: httpx.URL, entry: DatasetSource) -> Iterator[bytes]:
    """The bodies of all pages with rows, and of the first one in any case.

    A page that is shorter than asked for is no proof of the end, because a service may cap the size: the next
    one is asked for until one is empty, missing, shorter than those before it, or the same again.

    Raises:
        SourceError: the pages go in circles or never end.
    """
    paging = entry.paging
    if paging is None:
        page = _page(client, first, entry)
        if page is not None:
            yield page.response.content
        return
    url: httpx.URL | None = first.copy_merge_params(_first_query(paging))
    seen: set[bytes] = set()
    total = length = 0
    for number in range(paging.max_pages):
        if url is None:
            return
        page = _page(client, url, entry, may_be_missing=number > 0 and length < paging.size)
        if page is None or (number and not page.rows and paging.style in ("page", "offset")):
            return
        if page.rows and page.fingerprint in seen:
            if number == 1 and length < paging.size and paging.style in ("page", "offset"):
                return  # beyond its end the service gives the last page again
            raise SourceError(
                f"page {number + 1} repeats an earlier page",
                where=client.shown(url.copy_with(query=None)),
                fix="the service ignores the paging parameters: check `paging` in the source file",
            )
        seen.add(page.fingerprint)
        if page.rows or number == 0:
            yield page.response.content
        total += len(page.rows)
        is_last = not page.rows or (number > 0 and len(page.rows) < length)
        length = length if number else len(page.rows)
        url = _following(paging, page, client, first, number=number, total=total, is_last=is_last)
    raise SourceError(
        f"more than {paging.max_pages} pages", where=client.shown(first), fix="raise paging.max_pages or page size"
    )


def _first_query(paging: Paging) -> dict[str, str]:
    size = {paging.size_param: str(paging.size)}
    if paging.style == "page":
        return size | {paging.page_param: str(paging.first)}
    if paging.style == "offset":
        return size | {paging.offset_param: "0"}
    return size


def _following(
    paging: Paging, page: _Page, client: _Client, first: httpx.URL, *, number: int, total: int, is_last: bool
) -> httpx.URL | None:
    """Address of the next page, or None after the last one."""
    if paging.style == "link":
        link = page.response.links.get("next", {}).get("url")
        if not link:
            return None
        following = page.response.url.join(link)
        if (following.scheme, following.host, following.port) != (first.scheme, first.host, first.port):
            # The token would be sent there.
            raise SourceError(
                "the next page is on another server",
                where=client.shown(first),
                value=client.shown(following),
                fix="ask the provider; a redirecting proxy may be named as base_url",
            )
        return following
    size = {paging.size_param: str(paging.size)}
    if paging.style == "cursor":
        token = at_path(page.document, paging.next_path)
        return None if token in (None, "") else first.copy_merge_params(size | {paging.cursor_param: str(token)})
    if is_last:
        return None
    if paging.style == "page":
        return first.copy_merge_params(size | {paging.page_param: str(paging.first + number + 1)})
    return first.copy_merge_params(size | {paging.offset_param: str(total)})


def _page(client: _Client, url: httpx.URL, entry: DatasetSource, *, may_be_missing: bool = False) -> _Page | None:
    """One parsed page.

    Raises:
        SourceError: the answer is not JSON, or has no array where the source file says.
    """
    response = client.get(url, may_be_missing=may_be_missing)
    if response is None:
        return None
    address = client.shown(url.copy_with(query=None))
    try:
        document = json.loads(response.content)
    except ValueError as error:
        raise SourceError(f"the answer is not JSON ({error})", where=address, fix="ask the provider") from None
    rows = at_path(document, entry.records)
    if not isinstance(rows, list):
        raise SourceError(
            "the answer has no array of rows", where=address, value=entry.records, fix="correct `records`"
        )
    return _Page(response, document, rows)


def at_path(document: Any, path: str) -> Any:
    """The value at a simple JSON path such as `$.meta.next`; None where it is not there."""
    for part in re.findall(r"[^.$\[\]]+", path):
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document
