"""The pages of one pull, and where they end: which is declared or seen, and never guessed.

A page that is shorter than another one proves nothing: services cap the size, or hide single rows. The end is a
page without rows, a declared total that was reached, a declared flag that says so, a missing next link or token, a
declared status beyond the last page, or the last page given once more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from pipelines.connectors.rest.client import Answer, ServiceClient, as_text, at_path
from pipelines.sources.declared import DatasetSource, PullError
from pipelines.sources.parts import Paging

_EMPTY_PAGES = 3
"""So many pages without rows in a row, with the same token, are the end."""


@dataclass(frozen=True)
class Page:
    """One answer: its rows, and what tells where the next one is."""

    answer: Answer
    rows: list[Any]

    @property
    def fingerprint(self) -> bytes:
        """A hash of the rows alone: around them a service may write what changes with every answer."""
        return hashlib.sha256(json.dumps(self.rows, sort_keys=True).encode()).digest()


@dataclass
class Progress:
    """What is known of a pull after some pages."""

    received: int = 0
    total: int | None = None
    has_shrunk: bool = False
    has_told_more: bool = False
    empty: int = 0
    last: bytes = b""
    seen: set[bytes] = field(default_factory=set)

    @property
    def adds_up(self) -> bool:
        """Whether as many rows came as the service told, and none went while the pages were read.

        Where one goes, those after it move one place forward, past a page that was read already.
        """
        return self.total is None or (self.received == self.total and not self.has_shrunk)


def pages(client: ServiceClient, first: httpx.URL, entry: DatasetSource, progress: Progress) -> Iterator[bytes]:
    """The bodies of all pages with rows, and of the first one in any case; `progress` tells what came.

    Raises:
        PullError: the pages go in circles or never end.
    """
    paging = entry.paging
    if paging is None:
        page = _page(client, first, entry, None)
        if page is not None:
            yield page.answer.response.content
        return
    url: httpx.URL | None = first.copy_merge_params(_first_query(paging))
    for number in range(paging.max_pages):
        if url is None:
            return
        address = client.shown(url.copy_with(query=None))
        page = _page(client, url, entry, paging.end_status if number else None)
        if page is None or _is_repeated(page, paging, progress, number, address):
            return
        progress.received += len(page.rows)
        if page.rows or number == 0:
            yield page.answer.response.content
        following = _following(paging, page, client, first, number=number, received=progress.received)
        progress.empty = 0 if page.rows or following != url else progress.empty + 1
        if _is_last(page, paging, progress, address):
            return
        url = following
    raise PullError(
        f"more than {paging.max_pages} pages", where=client.shown(first), fix="raise paging.max_pages or page size"
    )


def _is_repeated(page: Page, paging: Paging, progress: Progress, number: int, address: str) -> bool:
    """Whether the service gives its last page again, as some do beyond their end.

    Raises:
        PullError: the page is an earlier one, or the first page of full length comes again, which looks the same
            as a service that knows no pages.
    """
    if not page.rows:
        return False
    fingerprint = page.fingerprint
    if fingerprint not in progress.seen:
        progress.seen.add(fingerprint)
        progress.last = fingerprint
        return False
    is_short = paging.style in ("page", "offset") and len(page.rows) < paging.size
    if fingerprint == progress.last and (number > 1 or is_short):
        return True
    raise PullError(
        f"page {number + 1} repeats an earlier page",
        where=address,
        fix="the service ignores the paging parameters, or gives its only page again: check `paging` in the source"
        " file, or declare `total_path`",
    )


def _is_last(page: Page, paging: Paging, progress: Progress, address: str) -> bool:
    """Whether the answer says that nothing follows.

    Raises:
        PullError: the answer has no total where one is declared.
    """
    if paging.total_path is not None:
        total = _total(page, paging.total_path, progress, address)
        progress.has_shrunk |= progress.total is not None and total < progress.total
        progress.total = total
        if progress.received >= progress.total:
            return True
    if paging.more_path is not None:
        more = at_path(page.answer.document, paging.more_path)
        if more is None:
            # Some leave the flag out on the last page only. One that never came may be named wrongly.
            return progress.has_told_more or not page.rows
        progress.has_told_more = True
        return as_text(more).lower() in ("false", "0", "", "n", "no")
    if paging.style in ("page", "offset"):
        return not page.rows
    return progress.empty >= _EMPTY_PAGES


def _total(page: Page, path: str, progress: Progress, address: str) -> int:
    text = as_text(at_path(page.answer.document, path)).strip()
    if text.isdigit():
        return int(text)
    if progress.total is None:
        raise PullError(
            "the answer tells no total", where=address, value=path, fix="correct `paging.total_path`, or take it out"
        )
    return progress.total


def _first_query(paging: Paging) -> dict[str, str]:
    size = {paging.size_param: str(paging.size)}
    if paging.style == "page":
        return size | {paging.page_param: str(paging.first)}
    if paging.style == "offset":
        return size | {paging.offset_param: "0"}
    return size


def _following(
    paging: Paging, page: Page, client: ServiceClient, first: httpx.URL, *, number: int, received: int
) -> httpx.URL | None:
    """Address of the next page, or None where the answer names none."""
    if paging.style == "link":
        response = page.answer.response
        link = response.links.get("next", {}).get("url")
        if not link:
            return None
        following = response.url.join(link)
        if (following.scheme, following.host, following.port) != (first.scheme, first.host, first.port):
            # The token would be sent there.
            raise PullError(
                "the next page is on another server",
                where=client.shown(first),
                value=client.shown(following),
                fix="ask the provider; a redirecting proxy may be named as base_url",
            )
        return following
    size = {paging.size_param: str(paging.size)}
    if paging.style == "cursor":
        token = at_path(page.answer.document, paging.next_path)
        return None if token in (None, "") else first.copy_merge_params(size | {paging.cursor_param: as_text(token)})
    if paging.style == "page":
        return first.copy_merge_params(size | {paging.page_param: str(paging.first + number + 1)})
    return first.copy_merge_params(size | {paging.offset_param: str(received)})


def _page(client: ServiceClient, url: httpx.URL, entry: DatasetSource, end_status: int | None) -> Page | None:
    """One page, or None beyond the last one.

    Raises:
        PullError: the answer has no array where the source file says.
    """
    answer = client.get(url, end_status=end_status)
    if answer is None:
        return None
    rows = at_path(answer.document, entry.records)
    if not isinstance(rows, list):
        raise PullError(
            "the answer has no array of rows",
            where=client.shown(url.copy_with(query=None)),
            value=entry.records,
            fix="correct `records`; if the service answers errors so, declare `success`",
        )
    return Page(answer, rows)
