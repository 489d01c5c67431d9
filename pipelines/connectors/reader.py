"""What every file reader offers: group files that can be read together, open a group as a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from pipelines.landing.batch import Batch, Delivery
from pipelines.source import DatasetSource

# Of every format that is read line by line.
MAX_LINE_BYTES = 16 << 20
# DuckDB's own size for usual lines; of the longest line it would take 16 times as much, for each thread at once.
BUFFER_BYTES = 32 << 20
_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class SourceFile:
    """A file as found; `delivery.uri` is its path below the root, `content_bytes` its size once decompressed."""

    path: Path
    delivery: Delivery
    content_bytes: int = 0

    @property
    def compression(self) -> str | None:
        """`gzip`, `zstd`, or None for a plain file."""
        return _COMPRESSION.get(self.path.suffix.lower())


class Reader(Protocol):
    """Reads one format."""

    def group(
        self, entry: DatasetSource, files: list[SourceFile]
    ) -> tuple[list[list[SourceFile]], list[tuple[SourceFile, str]]]:
        """Files that share a header, in file order; and the files whose header cannot be read, with the problem."""
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
