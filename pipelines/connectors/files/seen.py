"""The content hash of a file without reading it again, as long as nothing about the file has changed.

A memo of this host in the lake's home: size, times, inode and hash by path. The time of change (ctime) is set by
the system and cannot be set back, so a file that was rewritten in place with its old size and time is seen as
well. Losing the memo costs one reading of all files and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import stat_result
from pathlib import Path

from warehouse.settings import Settings

# A file that changed so shortly before it was read may change again without a new time: clocks of file systems tick.
_TICK_NS = 2_000_000_000


@dataclass(frozen=True)
class Stamp:
    """What the file system tells of a file's content without reading it."""

    size_bytes: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, status: stat_result) -> Stamp:
        """The stamp of a file's status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def as_list(self) -> list[int]:
        """As the memo keeps it."""
        return [self.size_bytes, self.modified_ns, self.changed_ns, self.inode]


class SeenFiles:
    """The memo of one data set of one source."""

    def __init__(self, settings: Settings, source: str, dataset: str) -> None:
        self._path = settings.home_path / "seen" / f"{source}.{dataset}.json"
        self._held: dict[str, list[int | str]] = {}
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._held = found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            pass  # none yet, or cut off by a kill: all files are read again

    def digest(self, uri: str, stamp: Stamp) -> str | None:
        """The hash of the file's content, or None where it has to be read."""
        entry = self._held.get(uri)
        return str(entry[4]) if entry is not None and entry[:4] == stamp.as_list() else None

    def read(self, files: Iterable[tuple[str, Path, Stamp]]) -> dict[str, str]:
        """The hashes of files that have to be read, by uri; empty where a file cannot be read."""
        listed = list(files)
        started_ns = time.time_ns()
        with ThreadPoolExecutor() as pool:
            digests = list(pool.map(_digest, [path for _, path, _ in listed]))
        for (uri, _, stamp), digest in zip(listed, digests, strict=True):
            if digest and max(stamp.changed_ns, stamp.modified_ns) < started_ns - _TICK_NS:
                self._held[uri] = [*stamp.as_list(), digest]
            else:
                self._held.pop(uri, None)
        if listed:
            self._save()
        return {uri: digest for (uri, _, _), digest in zip(listed, digests, strict=True)}

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps(self._held, ensure_ascii=False), encoding="utf-8")
        written.replace(self._path)


def _digest(path: Path) -> str:
    """The hash of a file's content; empty where it cannot be read, which the look at it then reports."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""
