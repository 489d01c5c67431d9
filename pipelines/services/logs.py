"""Logs of long-running processes: appended to, bounded while they are written, and read across that.

A service holds its log open for weeks, so a large one cannot be put aside by its name alone: its content is copied,
then the file is cut to nothing. Writers append, so the next line stands at the beginning again. What a service writes
in the instant between the copy's end and the cut is lost.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from warehouse.settings import Settings


@dataclass(frozen=True)
class LogLimits:
    """How large a log may become, in bytes, and how many earlier parts of it are kept: `<name>.1` is the newest."""

    most_bytes: int
    kept: int

    @classmethod
    def of(cls, settings: Settings) -> LogLimits:
        """What the settings say."""
        return cls(settings.log_megabytes * 1_000_000, settings.log_kept)


def open_log(file: Path) -> BinaryIO:
    """A log to write on, made with its folder where it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("ab")


def rotate(folder: Path, limits: LogLimits) -> list[str]:
    """Put aside what has become too large of the logs of a folder, also while they are written; gives their names."""
    rotated = []
    for file in sorted(folder.glob("*.log")):
        if file.stat().st_size > limits.most_bytes:
            _put_aside(file, limits.kept)
            rotated.append(file.name)
    return rotated


def _put_aside(file: Path, kept: int) -> None:
    copy = file.with_name(f".{file.name}.copy")
    with file.open("rb+") as source:
        with copy.open("wb") as target:
            shutil.copyfileobj(source, target)
            os.fsync(target.fileno())
            for number in range(kept - 1, 0, -1):
                part = _part(file, number)
                if part.exists():
                    part.replace(_part(file, number + 1))
            shutil.copyfileobj(source, target)  # what came while the first copy was made
        copy.replace(_part(file, 1))
        source.truncate(0)
    for part in file.parent.glob(f"{file.name}.*"):
        number_text = part.name.removeprefix(f"{file.name}.")
        if number_text.isdigit() and int(number_text) > kept:
            part.unlink()


def _part(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")


class Follower:
    """Reads on in a log from where it stood, also when the log was put aside meanwhile."""

    def __init__(self, file: Path) -> None:
        """Begin at the end of what the log holds now."""
        self._file = file
        self._at = file.stat().st_size if file.exists() else 0
        self._aside = self._newest_part()

    def read(self) -> bytes:
        """What was written since the last reading."""
        text = b""
        if self._newest_part() != self._aside:
            self._aside = self._newest_part()
            text, self._at = _from(_part(self._file, 1), self._at), 0
        more = _from(self._file, self._at)
        self._at += len(more)
        return text + more

    def _newest_part(self) -> tuple[int, int] | None:
        try:
            found = _part(self._file, 1).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns


def last_lines(file: Path, count: int) -> str:
    """The last lines of a log, also where it has just been put aside."""
    lines: list[str] = []
    for part in (file, _part(file, 1)):
        if len(lines) < count and part.exists():
            lines = part.read_text(encoding="utf-8", errors="replace").splitlines()[-(count - len(lines)) :] + lines
    return "\n".join(lines)


def _from(file: Path, at: int) -> bytes:
    with file.open("rb") as handle:
        handle.seek(at)
        return handle.read()
