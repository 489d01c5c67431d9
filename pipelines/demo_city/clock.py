"""Working time: 08-12 and 14-18 on every day of the week, in whole arrays of seconds since 1970 (local time).

Weekends and holidays count as working days here, as in a supervision centre that works in shifts; the legal clock
with its swapped days is not the made-up city's business.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.int64]

HOUR = 3600
DAY = 24 * HOUR
_MORNING = 8 * HOUR
_AFTERNOON = 14 * HOUR
_HALF = 4 * HOUR
_WORK_DAY = 2 * _HALF


def seconds(text: str) -> int:
    """Seconds since 1970 of an ISO date or time without offset."""
    return int((datetime.fromisoformat(text) - datetime(1970, 1, 1)).total_seconds())


def to_work(at: Seconds) -> Seconds:
    """Working seconds that have passed at each instant."""
    day, second = at // DAY, at % DAY
    morning = np.clip(second - _MORNING, 0, _HALF)
    afternoon = np.clip(second - _AFTERNOON, 0, _HALF)
    return np.asarray(day * _WORK_DAY + morning + afternoon, dtype=np.int64)


def from_work(work: Seconds) -> Seconds:
    """The earliest instant at which so many working seconds have passed."""
    day, rest = work // _WORK_DAY, work % _WORK_DAY
    day = np.where(rest == 0, day - 1, day)
    rest = np.where(rest == 0, _WORK_DAY, rest)
    second = np.where(rest <= _HALF, _MORNING + rest, _AFTERNOON + rest - _HALF)
    return np.asarray(day * DAY + second, dtype=np.int64)


def add(at: Seconds, spans: NDArray[np.float64], is_continuous: NDArray[np.bool_]) -> Seconds:
    """Each instant plus a span in seconds, on the round-the-clock or the working clock; never earlier than `at`."""
    whole = np.maximum(spans, 1.0).astype(np.int64)
    return np.where(is_continuous, at + whole, from_work(to_work(at) + whole))
