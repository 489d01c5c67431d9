"""Writing that a power cut does not undo: what is named on disk is there with all it holds."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(draft: Path, target: Path) -> None:
    """Give a file that is written to its end its name, in whose folder it may replace another; whole or not at all."""
    sync(draft)
    draft.rename(target)
    sync(target.parent)


def make_folder(path: Path) -> Path:
    """Make a folder and those above it, with their names on the disk; returns it."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)
    return path
