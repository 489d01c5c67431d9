"""Files dropped into a folder: which are new, whether they arrived whole, and which can be read together.

A file is taken once by its path and content; a changed file is a new delivery. Files with the same header
are read as one batch, because thousands of small files one by one would cost thousands of scans.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import translate
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.connectors.csv_reader import CsvReader
from pipelines.connectors.json_reader import JsonReader
from pipelines.connectors.reader import Reader, SourceFile
from pipelines.connectors.tabular_reader import ParquetReader, WorkbookReader
from pipelines.landing.batch import Batch, Delivery, Refusal, UnreadableDelivery
from pipelines.source import DatasetSource, SourceError
from warehouse.identifiers import literal

log = logging.getLogger(__name__)

# A batch is bounded (decompressed) so that a long first load shows progress, spills little and a kill loses little.
BATCH_BYTES = 1 << 30
_CAPTURE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
READERS: dict[str, Reader] = {
    "csv": CsvReader(),
    "ndjson": JsonReader(),
    "json": JsonReader(),
    "geojson": JsonReader(),
    "parquet": ParquetReader(),
    "xlsx": WorkbookReader(),
}


def find(entry: DatasetSource, root: Path) -> list[SourceFile]:
    """All files of a data set below `root`, by path, not yet read.

    Raises:
        SourceError: the folder is not there.
    """
    return list(_found(entry, root, frozenset()))


def _found(entry: DatasetSource, root: Path, known: frozenset[tuple[str, int, int]]) -> Iterator[SourceFile]:
    """The files that are not known by path, size and time; the known ones, mostly many, cost only a look."""
    if not root.is_dir():
        raise SourceError(
            "the folder of source files is not there",
            where=entry.dataset,
            value=str(root),
            fix="set GRIDLAKE_DATA to the folder of the city's files",
        )
    pattern = path_pattern(entry.path)
    excluded = [re.compile(translate(skipped)) for skipped in entry.exclude]
    for relative, item in sorted(_walk(root, "", entry.path.split("/")), key=lambda found: found[0]):
        match = pattern.fullmatch(relative)
        if match is None or any(skipped.match(relative) for skipped in excluded):
            continue
        try:
            status = item.stat()
        except FileNotFoundError:
            continue  # moved away between the listing and now
        if (relative, status.st_size, status.st_mtime_ns) in known:
            continue
        captures = tuple(sorted(match.groupdict().items()))
        delivery = Delivery(relative, "", status.st_size, status.st_mtime_ns, captures)
        yield SourceFile(root / relative, delivery)


def _walk(folder: Path, prefix: str, parts: list[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The files below a folder whose folders fit the parts of a path template, with their relative path."""
    part, rest = parts[0], parts[1:]
    fitting = path_pattern(part)
    with os.scandir(folder) as items:
        for item in items:
            path = prefix + item.name
            if part == "**" and rest:
                if item.is_dir(follow_symlinks=False):
                    yield from _walk(folder / item.name, f"{path}/", parts)
            elif rest:
                if fitting.fullmatch(item.name) and item.is_dir():
                    yield from _walk(folder / item.name, f"{path}/", rest)
            elif item.is_file() and fitting.fullmatch(item.name):
                yield path, item
    if part == "**" and rest:
        yield from _walk(folder, prefix, rest)


def path_pattern(template: str) -> re.Pattern[str]:
    """The regular expression of a path template: `*` and `{name}` stay within one path part."""
    parts = []
    for piece in re.split(r"(\{[a-z_][a-z0-9_]*\}|\*\*/|\*|\?)", template):
        if piece == "**/":
            parts.append("(?:.*/)?")
        elif piece == "*":
            parts.append("[^/]*")
        elif piece == "?":
            parts.append("[^/]")
        elif _CAPTURE.fullmatch(piece):
            parts.append(f"(?P<{piece[1:-1]}>[^/]+?)")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts))


def new_files(connection: duckdb.DuckDBPyConnection, entry: DatasetSource, root: Path) -> list[SourceFile]:
    """The files the lake does not hold yet, with their content hash.

    A file whose path, size and modification time are those of a landed delivery is not read again.
    """
    known = connection.execute(
        f"SELECT uri, size_bytes, modified_ns, content_hash FROM lake.ops.load WHERE dataset = {literal(entry.dataset)}"
    ).fetchall()
    unchanged = frozenset((uri, size, modified) for uri, size, modified, _ in known)
    landed = {(uri, digest) for uri, _, _, digest in known}
    candidates = list(_found(entry, root, unchanged))
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_digest, [f.path for f in candidates]))
    hashed = [
        replace(f, delivery=replace(f.delivery, content_hash=d)) for f, d in zip(candidates, digests, strict=True)
    ]
    return [f for f in hashed if (f.delivery.uri, f.delivery.content_hash) not in landed]


def _digest(path: Path) -> str:
    """The hash of a file's content; empty where it cannot be read, which `verify_whole` then reports."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""


def verify_whole(files: list[SourceFile]) -> tuple[list[SourceFile], list[tuple[SourceFile, str]]]:
    """The files that arrived whole, with their decompressed size; and those that did not, with the problem.

    DuckDB reads a truncated gzip file without an error and returns fewer rows, hence this pass.
    """
    whole: list[SourceFile] = []
    broken: list[tuple[SourceFile, str]] = []
    with ThreadPoolExecutor() as pool:
        for file, (size, problem) in zip(files, pool.map(_drain, files), strict=True):
            if problem:
                broken.append((file, f"{problem}. Fix: ask the provider to deliver it again"))
            else:
                whole.append(replace(file, content_bytes=size))
    return whole, broken


def _drain(file: SourceFile) -> tuple[int, str | None]:
    if file.delivery.size_bytes == 0:
        return 0, "the file is empty"
    if not file.delivery.content_hash:
        return 0, "the file cannot be read"
    if file.compression is None:
        return file.delivery.size_bytes, None
    buffer = bytearray(1 << 20)
    size = 0
    try:
        with pa.input_stream(str(file.path), compression=file.compression) as stream:
            while count := stream.readinto(buffer):
                size += count
    except (OSError, pa.ArrowInvalid) as error:
        return size, f"the {file.compression} file is cut off or damaged ({error})"
    return size, None


def batches(
    connection: duckdb.DuckDBPyConnection, entry: DatasetSource, root: Path, spool: Path, wanted: frozenset[str]
) -> Iterator[Batch | Refusal]:
    """The new files of a data set as batches of one header each; what cannot be read at all as refusals."""
    whole, broken = verify_whole(new_files(connection, entry, root))
    for file, problem in broken:
        yield Refusal(entry.dataset, file.delivery.uri, problem, file.delivery.content_hash)
    if whole:
        megabytes = sum(f.delivery.size_bytes for f in whole) / 1e6
        log.info("%s: %d new files, %.1f MB", entry.dataset, len(whole), megabytes)
    reader = READERS[entry.format]
    for part in _parts(_with_plain_names(whole, spool)):
        groups, problems = reader.group(entry, part)
        for file, problem in problems:
            yield Refusal(entry.dataset, file.delivery.uri, problem, file.delivery.content_hash)
        for group in groups:
            yield from _open(lambda part: reader.open(connection, entry, part, spool, wanted), entry.dataset, group)


def _open(
    open_files: Callable[[list[SourceFile]], Batch], dataset: str, files: list[SourceFile]
) -> Iterator[Batch | Refusal]:
    """One batch, or, where the files cannot be read together, those of its halves, down to the bad file."""

    def halves() -> Iterator[Batch | Refusal]:
        middle = len(files) // 2
        yield from _open(open_files, dataset, files[:middle])
        yield from _open(open_files, dataset, files[middle:])

    try:
        batch = open_files(files)
    except UnreadableDelivery as error:
        if len(files) > 1:
            yield from halves()
        else:
            yield Refusal(dataset, files[0].delivery.uri, error.problem, files[0].delivery.content_hash)
        return
    yield replace(batch, verify=lambda: _verify_unchanged(files), halves=halves if len(files) > 1 else None)


def _verify_unchanged(files: list[SourceFile]) -> None:
    """A file that was replaced while it was read would land with the hash of its former content."""
    for file in files:
        try:
            status = file.path.stat()
        except FileNotFoundError:
            raise UnreadableDelivery("the file was taken away while it was read. Fix: run it again") from None
        if (status.st_size, status.st_mtime_ns) != (file.delivery.size_bytes, file.delivery.modified_ns):
            raise UnreadableDelivery("the file changed while it was read. Fix: run it again")


def _with_plain_names(files: list[SourceFile], spool: Path) -> list[SourceFile]:
    """Files whose path DuckDB would take for a pattern are read through a link with a plain name."""
    plain = []
    for file in files:
        if re.search(r"[*?\[\]]", str(file.path)):
            spool.mkdir(parents=True, exist_ok=True)
            link = spool / f"{uuid.uuid4().hex}{file.path.suffix.lower() if file.compression else ''}"
            link.symlink_to(file.path.resolve())
            file = replace(file, path=link)
        plain.append(file)
    return plain


def _parts(files: list[SourceFile]) -> Iterator[list[SourceFile]]:
    part: list[SourceFile] = []
    size = 0
    for file in files:
        if part and size + file.content_bytes > BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(file)
        size += file.content_bytes
    if part:
        yield part
