"""The seeds `source_system` and `source_record`: what dbt is told of the source files, names and what is recorded.

The source files are the truth; the seeds are written by `gridlake contracts generate` and never edited, and a test
tells when they are out of date.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from catalog.generate import differing, write
from pipelines.sources.declared import SourceSystem, cities, load_sources
from warehouse.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "dbt" / "seeds" / "contracts"


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


def all_systems() -> list[SourceSystem]:
    """The source systems of all cities.

    Raises:
        SourceError: a source file is wrong.
    """
    return [system for city in cities() for system in load_sources(city)]


def seeds(folder: Path = FOLDER) -> dict[Path, str]:
    """The path and the text of each seed.

    Raises:
        SourceError: a source file is wrong.
    """
    systems = all_systems()
    return {
        folder / "source_system.csv": source_systems_csv(systems),
        folder / "source_record.csv": source_records_csv(systems),
    }


def generate(folder: Path = FOLDER) -> list[Path]:
    """Write the seeds that are out of date; which they were.

    Raises:
        SourceError: a source file is wrong.
    """
    return write(differing(seeds(folder)))


def _in_order(systems: Iterable[SourceSystem]) -> list[SourceSystem]:
    return sorted(systems, key=lambda of: (of.city, of.system))


def _csv(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
