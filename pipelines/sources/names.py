"""The seeds `source_system` and `source_record`: what dbt is told of the source files, names and what is recorded.

The source files are the truth; the seeds are written into the lake's dbt project whenever it is put together.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from pipelines.sources.declared import SourceSystem


def source_systems_csv(systems: Iterable[SourceSystem]) -> str:
    """The text of the seed: one row a source system of any city, by city and name."""
    rows = [(system.city, system.system, system.title_zh, system.title_en) for system in _in_order(systems)]
    return _csv(("city", "code", "name_zh", "name_en"), rows)


def source_records_csv(systems: Iterable[SourceSystem]) -> str:
    """The text of the seed: one row a thing that a source system of any city records, in the order of its file."""
    rows = [
        (system.city, system.system, entry.code, entry.since.isoformat() if entry.since else "")
        for system in _in_order(systems)
        for entry in system.records
    ]
    return _csv(("city", "source_system", "record", "since_date"), rows)


def _in_order(systems: Iterable[SourceSystem]) -> list[SourceSystem]:
    return sorted(systems, key=lambda of: (of.city, of.system))


def _csv(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
