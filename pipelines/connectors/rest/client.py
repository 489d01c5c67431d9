"""Asking one HTTP service: rate limit, retries with back-off, time-outs, and answers that only look good.

Does not belong here: what the pages of a pull are and where they end (`paging`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pipelines.sources.declared import PullError, RestConnection, without
from pipelines.sources.parts import Success

_MAX_RETRY_AFTER_SECONDS = 60.0
_MAX_MESSAGE = 200
# Where services write what went wrong, if the source file does not say it.
_MESSAGES = ("message", "msg", "errmsg", "errMsg", "error", "description")
# It would log every address with its parameters, of which one may be a key.
logging.getLogger("httpx").setLevel(logging.WARNING)


class _Transient(Exception):
    """An answer that may be better next time."""


@dataclass(frozen=True)
class Answer:
    """One good answer: as it came, and read as JSON."""

    response: httpx.Response
    document: Any


@dataclass
class ServiceClient:
    """One service: keeps to the rate limit, tries again with back-off, tells what it asked for."""

    http: httpx.Client
    connection: RestConnection
    success: Success | None = None
    secrets: tuple[str, ...] = ()
    pause: Callable[[float], None] = time.sleep
    _last: float = 0.0

    def get(self, url: httpx.URL, *, end_status: int | None = None) -> Answer | None:
        """One answer with status 200 that is JSON and meets the declared condition; None for `end_status`.

        Raises:
            PullError: the service refuses, or keeps failing after all attempts.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self.connection.attempts),
            wait=wait_random_exponential(multiplier=0.2, max=20),
            retry=retry_if_exception_type((_Transient, httpx.RequestError)),
            sleep=self.pause,
        )
        try:
            answer: Answer | None = retrying(self._once, url, end_status)
        except RetryError as error:
            cause = error.last_attempt.exception()
            name = f"{type(cause).__name__} " if isinstance(cause, httpx.RequestError) else ""
            raise PullError(
                f"no good answer after {self.connection.attempts} attempts: {name}{without(self.secrets, str(cause))}",
                where=self.shown(url),
                fix="run it again when the service answers; nothing was landed and the watermark did not move",
            ) from None
        return answer

    def shown(self, url: httpx.URL) -> str:
        """The address as it may stand in a message."""
        return without(self.secrets, str(url.copy_with(username=None, password=None)))

    def _once(self, url: httpx.URL, end_status: int | None) -> Answer | None:
        wait = self._last + 1 / self.connection.requests_per_second - time.monotonic()
        if wait > 0:
            self.pause(wait)
        self._last = time.monotonic()
        response = self.http.get(url)
        if response.status_code == end_status:
            return None
        if response.status_code in (408, 429) or response.status_code >= 500:
            self._obey(response.headers.get("Retry-After", ""))
            raise _Transient(f"HTTP {response.status_code}")
        if response.status_code != 200:
            hints = {401: "check the token", 403: "check the token"}
            hints[404] = "check `path` and `params`; if it answers so beyond its last page, declare `paging.end_status`"
            raise PullError(
                f"the service answered {response.status_code}",
                where=self.shown(url),
                fix=hints.get(response.status_code, "check `path` and `params`"),
            )
        try:
            document = json.loads(response.content)
        except ValueError as error:
            address = self.shown(url.copy_with(query=None))
            raise PullError(f"the answer is not JSON ({error})", where=address, fix="ask the provider") from None
        self._expect_success(document)
        return Answer(response, document)

    def _expect_success(self, document: Any) -> None:
        """Many services answer errors with status 200; the code that they write is the only sign.

        Raises:
            _Transient: the answer does not meet the declared condition.
        """
        if self.success is None:
            return
        found = as_text(at_path(document, self.success.path))
        if found in self.success.equals:
            return
        if self.success.message is not None:
            said = at_path(document, self.success.message)
        else:
            here = document if isinstance(document, dict) else {}
            said = next((here[name] for name in _MESSAGES if here.get(name)), None)
        message = f", message {as_text(said)[:_MAX_MESSAGE]!r}" if said is not None else ""
        raise _Transient(f"the service reports an error: {self.success.path} is {found[:_MAX_MESSAGE]!r}{message}")

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


def as_text(value: Any) -> str:
    """A JSON value as a source file writes it: text as it is, `true`, `0`, `null`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def at_path(document: Any, path: str) -> Any:
    """The value at a simple JSON path such as `$.meta.next`; None where it is not there."""
    for part in re.findall(r"[^.$\[\]]+", path):
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document
