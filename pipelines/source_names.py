"""The seed `source_system`: what dbt is told of the source files, so that people read a system's name and not its code.

The source files are the truth; the seed is written by `gridlake contracts generate` and never edited, and a test
tells when it is out of date.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from catalog.generate import differing, write
from pipelines.source import SOURCES, SourceSystem, load_sources
from warehouse.settings import PROJECT_ROOT

SEED = PROJECT_ROOT / "dbt" / "seeds" / "contracts" / "source_system.csv"


def source_systems_csv(systems: Iterable[SourceSystem]) -> str:
    """The text of the seed: one row a source system of any city, by city and name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("city", "code", "name_zh", "name_en"))
    for system in sorted(systems, key=lambda of: (of.city, of.system)):
        writer.writerow((system.city, system.system, system.title_zh, system.title_en))
    return text.getvalue()


def all_systems() -> list[SourceSystem]:
    """The source systems of all cities.

    Raises:
        SourceError: a source file is wrong.
    """
    cities = sorted(path.name for path in SOURCES.iterdir() if path.is_dir())
    return [system for city in cities for system in load_sources(city)]


def generate(seed: Path = SEED) -> bool:
    """Write the seed where it is out of date; whether it was.

    Raises:
        SourceError: a source file is wrong.
    """
    return bool(write(differing({seed: source_systems_csv(all_systems())})))
