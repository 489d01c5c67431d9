"""What every file reader offers: look at a file, group files that can be read together, open a group as a batch."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import duckdb
import pyarrow as pa

from pipelines.connectors.batch import Batch, Delivery, Held, UnreadableDelivery
from pipelines.sources.declared import DatasetSource

# Of every format that is read line by line.
MAX_LINE_BYTES = 16 << 20
# DuckDB's own size for usual lines; of the longest line it would take 16 times as much, for each thread at once.
BUFFER_BYTES = 32 << 20
CHUNK_BYTES = 1 << 20
_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class Look:
    """What a file holds, found by other means than the reader that will bring its rows.

    Args:
        content_bytes: size once decompressed.
        row_count: rows that the reader has to bring, without header and blank lines; a quick count that may be
            wrong where the reader's `recount` is right; None where only the reader can tell.
        told: how often something was met that is worth telling (see `quality.told`).
        shape: what files must have in common to be read together.
        is_ended: whether the last line has its line end; true of formats that know no lines.
    """

    content_bytes: int
    row_count: int | None
    told: tuple[tuple[str, int], ...] = ()
    shape: Hashable = None
    is_ended: bool = True


@dataclass(frozen=True)
class SourceFile:
    """A file as found; `delivery.uri` is its path below the root, `look` what it holds once it was looked at."""

    path: Path
    delivery: Delivery
    look: Look = Look(0, 0)

    @property
    def compression(self) -> str | None:
        """`gzip`, `zstd`, or None for a plain file."""
        return _COMPRESSION.get(self.path.suffix.lower())

    def stream(self) -> IO[bytes]:
        """The content, decompressed.

        DuckDB reads a truncated gzip file without an error and returns fewer rows; this stream raises `OSError`
        or `ArrowInvalid` at the place where the file is cut off.
        """
        if self.compression is None:
            return self.path.open("rb")
        stream: IO[bytes] = pa.input_stream(str(self.path), compression=self.compression)
        return stream


class Reader(Protocol):
    """Reads one format."""

    def look(self, entry: DatasetSource, file: SourceFile) -> Look:
        """Read the whole file once, to know that it arrived whole and what it holds.

        Raises:
            UnreadableDelivery: it cannot be read, or ends where it must not.
            OSError: the file cannot be read, or its compression is damaged; `pa.ArrowInvalid` likewise.
        """
        ...

    def recount(self, entry: DatasetSource, file: SourceFile) -> tuple[int, dict[str, int]]:
        """The exact number of rows, asked where the quick count and the reader differ; and what is told besides."""
        ...

    def group(self, entry: DatasetSource, files: list[SourceFile]) -> list[list[SourceFile]]:
        """Files that can be read together, in file order."""
        ...

    def open(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: DatasetSource,
        files: list[SourceFile],
        spool: Path,
        wanted: frozenset[str],
    ) -> Batch:
        """A batch over one group; `wanted` are the source names the contract's fields may come from.

        Raises:
            UnreadableDelivery: at least one of the files cannot be read.
        """
        ...


def by_shape(files: list[SourceFile]) -> list[list[SourceFile]]:
    """Files of the same shape together, in file order."""
    groups: dict[Hashable, list[SourceFile]] = {}
    for file in files:
        groups.setdefault(file.look.shape, []).append(file)
    return list(groups.values())


def held_by(reader: Reader, entry: DatasetSource, file: SourceFile) -> Held | None:
    """What a file holds, as landing compares it with what its reader brought; None where only the reader can tell."""
    if file.look.row_count is None:
        return None
    return Held(file.look.row_count, file.look.told, lambda: reader.recount(entry, file))


def must_be_filled(size: int) -> None:
    """Refuse a file that holds nothing.

    Raises:
        UnreadableDelivery: it is empty.
    """
    if size == 0:
        raise UnreadableDelivery("the file is empty. Fix: ask the provider to deliver it again")
