"""Copies of files that are known by their size and checksum."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from warehouse.durable import make_folder

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Copied:
    """One file of a copy: its place below a folder, size, SHA-256 and access bits."""

    path: str
    byte_count: int
    sha256: str
    mode: int

    @classmethod
    def of(cls, file: Path, path: str) -> Copied:
        """What a file that is there looks like."""
        digest = hashlib.sha256()
        size = 0
        with file.open("rb") as handle:
            while block := handle.read(_BLOCK):
                digest.update(block)
                size += len(block)
        return cls(path, size, digest.hexdigest(), file.stat().st_mode & 0o777)


def copy_file(source: Path, target: Path, path: str) -> Copied:
    """Copy a file with its access bits; it appears whole or not at all, and is never readable by more than the source.

    Returns what was copied, with `path` as its place.
    """
    make_folder(target.parent)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as old:
        mode = os.fstat(old.fileno()).st_mode & 0o777
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as new:
                while block := old.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    new.write(block)
            temporary.chmod(mode)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    return Copied(path, size, digest.hexdigest(), mode)


def is_sqlite(path: Path) -> bool:
    """Whether the file is an SQLite database, which cannot be copied byte by byte while it is used."""
    with path.open("rb") as handle:
        return handle.read(16) == b"SQLite format 3\0"
