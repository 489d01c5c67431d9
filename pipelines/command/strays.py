"""Files in a city's folders and the templates of its sources: what none takes, and what was looked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pipelines.connectors.files.connector import path_pattern
from pipelines.sources.declared import SourceSystem, files_root
from warehouse.settings import Settings

# What systems and office programs leave in folders by themselves.
_NO_DATA = (".*", "~$*", "Thumbs.db", "desktop.ini")


def strays(settings: Settings, systems: Sequence[SourceSystem]) -> list[str]:
    """The files below the folders of these sources that none of them takes or names under `exclude`, `ignore`.

    As paths below their folder, sorted. A folder that is not there has none.

    Raises:
        SourceError: a variable of a source file is not set.
    """
    roots: dict[Path, list[SourceSystem]] = {}
    for system in systems:
        if system.files is not None:
            roots.setdefault(files_root(system, settings), []).append(system)
    return sorted(path for root, sharing in roots.items() for path in _untaken(root, sharing))


def looked_for(settings: Settings, systems: Sequence[SourceSystem]) -> list[str]:
    """Where the data of these sources are looked for: a line for each, a folder with the templates below it.

    Raises:
        SourceError: a variable of a source file is not set.
    """
    lines = []
    for system in systems:
        if system.files is None:
            lines.append(f"{system.system}: {', '.join(entry.path or entry.table for entry in system.datasets)}")
            continue
        root = files_root(system, settings)
        state = "" if root.is_dir() else " (is not there)"
        lines.append(f"{system.system}: {root}{state}: {', '.join(dict.fromkeys(e.path for e in system.datasets))}")
    return lines


def _untaken(root: Path, systems: Sequence[SourceSystem]) -> Iterator[str]:
    taken = [path_pattern(entry.path) for system in systems for entry in system.datasets]
    left_out = [pattern for system in systems for entry in system.datasets for pattern in entry.exclude]
    left_out += [pattern for system in systems if system.files is not None for pattern in system.files.ignore]
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(root)
        for name in names:
            path = (below / name).as_posix()
            if any(fnmatchcase(name, pattern) for pattern in _NO_DATA):
                continue
            if any(pattern.fullmatch(path) for pattern in taken):
                continue
            if not any(fnmatchcase(path, pattern) for pattern in left_out):
                yield path
