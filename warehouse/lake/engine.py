"""How much of the machine DuckDB may use: one place for the limits of every session, dbt's and Superset's included.

Belongs here: what follows from the settings of memory and threads together. Sessions are opened elsewhere.
"""

from __future__ import annotations

import logging
import os
from functools import cache

from warehouse.settings import Settings

log = logging.getLogger("gridlake")

# What a thread takes for itself while the cube is summed to all levels at once: each of its ten hash tables is cut
# into as many parts as there are threads, and each part holds a block. 1400 MB are too little for 16 threads and
# enough for 8 (tests/bench/bench_build.py).
MEMORY_PER_THREAD = 175_000_000
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def memory_bytes(settings: Settings) -> int:
    """The memory of the settings in bytes."""
    unit = settings.memory.lstrip("0123456789. ")
    return int(float(settings.memory.removesuffix(unit)) * _UNITS[unit])


def engine_threads(settings: Settings) -> int:
    """The threads DuckDB works with: as many as the settings wish, and no more than the memory is enough for."""
    wished = settings.threads or os.cpu_count() or 1
    return _within(wished, max(memory_bytes(settings) // MEMORY_PER_THREAD, 1), settings.memory)


@cache
def _within(wished: int, most: int, memory: str) -> int:
    # kept, so that a process tells it once
    if wished > most:
        log.info(
            "DuckDB works with %d threads instead of %d, because %s are not enough for more. Set GRIDLAKE_MEMORY to"
            " %d MB or more to use all.",
            most,
            wished,
            memory,
            wished * MEMORY_PER_THREAD // 10**6,
        )
    return min(wished, most)
