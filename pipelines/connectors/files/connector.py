"""Files dropped into a folder: which are new, whether they arrived whole, and which can be read together.

A file is a delivery if its content is not what its path held last. Files with the same header
are read as one batch, because thousands of small files one by one would cost thousands of scans.
"""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import translate
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.connectors.batch import Batch, Delivery, Refusal, UnreadableDelivery, not_read, plain_name
from pipelines.connectors.fetch import Fetch, Taken
from pipelines.connectors.files.csv_reader import CsvReader
from pipelines.connectors.files.cut import without_cut_files
from pipelines.connectors.files.json_reader import JsonReader
from pipelines.connectors.files.reader import Look, Reader, SourceFile
from pipelines.connectors.files.seen import SeenFiles, Stamp
from pipelines.connectors.files.tabular_reader import ParquetReader
from pipelines.connectors.files.workbook_reader import WorkbookReader
from pipelines.sources.declared import DatasetSource, PullError, files_root

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


def find(entry: DatasetSource, root: Path) -> Iterator[tuple[str, Stamp]]:
    """Path below the root and stamp of every file of a data set, by path.

    Raises:
        PullError: the folder is not there.
    """
    for uri, stamp, _ in _found(entry, root):
        yield uri, stamp


def _found(entry: DatasetSource, root: Path) -> Iterator[tuple[str, Stamp, tuple[tuple[str, str], ...]]]:
    """Path below the root, stamp and captures of every file of a data set, by path.

    Raises:
        PullError: the folder is not there.
    """
    if not root.is_dir():
        raise PullError(
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
        yield relative, Stamp.of(status), tuple(sorted(match.groupdict().items()))


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


def new_files(fetch: Fetch) -> list[SourceFile]:
    """The files whose content is not what the lake last took from their path.

    Content that a path held before and holds again is news: what lay between has to give way. Content that was
    withdrawn while its file lies there is none. Files of which nothing has changed since they were last read are not
    read again.
    """
    root, nothing = files_root(fetch.system, fetch.settings), Taken("", "")
    seen = SeenFiles(fetch.settings, fetch.system.system, fetch.entry.dataset)
    found: list[tuple[str, Stamp, tuple[tuple[str, str], ...], str | None]] = []
    for uri, stamp, captures in _found(fetch.entry, root):
        digest = seen.digest(uri, stamp)
        if digest is None or fetch.taken.get(uri, nothing).content_hash != digest:
            found.append((uri, stamp, captures, digest))
    read = seen.read((uri, root / uri, stamp) for uri, stamp, _, digest in found if digest is None)
    files = []
    for uri, stamp, captures, digest in found:
        digest = read[uri] if digest is None else digest
        before = fetch.taken.get(uri, nothing)
        if digest and digest == before.content_hash:
            continue
        delivery = Delivery(uri, digest, stamp.size_bytes, stamp.modified_ns, captures, follows=before.delivery_id)
        files.append(SourceFile(root / uri, delivery))
    return files


def look_at(
    reader: Reader, entry: DatasetSource, files: list[SourceFile]
) -> tuple[list[SourceFile], list[tuple[SourceFile, str]]]:
    """The files that arrived whole, with what they hold; and those that did not, with the problem."""
    whole: list[SourceFile] = []
    broken: list[tuple[SourceFile, str]] = []
    with ThreadPoolExecutor() as pool:
        for file, found in zip(files, pool.map(lambda file: _look(reader, entry, file), files), strict=True):
            if isinstance(found, str):
                broken.append((file, found))
            else:
                whole.append(replace(file, look=found))
    return whole, broken


def _look(reader: Reader, entry: DatasetSource, file: SourceFile) -> Look | str:
    again = "Fix: ask the provider to deliver it again"
    if file.delivery.size_bytes == 0:
        return f"the file is empty. {again}"
    if not file.delivery.content_hash:
        return f"the file cannot be read. {again}"
    try:
        return reader.look(entry, file)
    except UnreadableDelivery as error:
        return error.problem
    except (OSError, pa.ArrowInvalid) as error:
        if file.compression is None:
            return f"the file cannot be read ({type(error).__name__}). {again}"
        return f"the {file.compression} file is cut off or damaged ({type(error).__name__}). {again}"


def batches(connection: duckdb.DuckDBPyConnection, fetch: Fetch) -> Iterator[Batch | Refusal]:
    """The new files of a data set as batches of one header each; what cannot be read at all as refusals.

    By snapshot, each snapshot of the register is one batch, older ones first, and is refused whole.

    Raises:
        SourceError: the source file is wrong.
        PullError: the folder is not there.
    """
    entry, spool = fetch.entry, fetch.spool
    wanted = entry.wanted(f.name for f in fetch.contract.fields)
    # The source columns that may tell which thing a row is about.
    key_columns = frozenset(plain_name(name) for name in entry.wanted(fetch.contract.key))
    reader = READERS[entry.format]
    found = new_files(fetch)
    whole, broken = look_at(reader, entry, [file for file in found if file.delivery.content_hash not in fetch.barred])
    broken += [
        (file, fetch.barred[file.delivery.content_hash]) for file in found if file.delivery.content_hash in fetch.barred
    ]
    whole, cut = without_cut_files(connection, entry, whole, key_columns)
    if fetch.is_by_snapshot:
        problems = {file.delivery.uri: problem for file, problem in [*broken, *cut]}
        for files in _by_snapshot(entry, found):
            read = [file for file in whole if file.delivery.uri in {of.delivery.uri for of in files}]
            yield from _snapshot(connection, entry, files, _with_plain_names(read, spool), problems, spool, wanted)
        return
    for file, problem in [*broken, *cut]:
        yield Refusal(entry.dataset, file.delivery.uri, problem, file.delivery.content_hash)
    if whole:
        megabytes = sum(f.delivery.size_bytes for f in whole) / 1e6
        log.info("%s: %d new files, %.1f MB", entry.dataset, len(whole), megabytes)
    for part in _parts(_with_plain_names(whole, spool)):
        for group in reader.group(entry, part):
            yield from _open(lambda part: _read(reader, connection, entry, part, spool, wanted), entry.dataset, group)


def _snapshot(
    connection: duckdb.DuckDBPyConnection,
    entry: DatasetSource,
    files: list[SourceFile],
    whole: list[SourceFile],
    problems: dict[str, str],
    spool: Path,
    wanted: frozenset[str],
) -> Iterator[Batch | Refusal]:
    """One batch of a snapshot. Without one of its files nobody can tell what is gone, so then all are refused.

    `whole` are those of the files that can be read, `problems` what is wrong with others, by their place.
    """
    reader = READERS[entry.format]
    own = {file.delivery.uri: problems[file.delivery.uri] for file in files if file.delivery.uri in problems}
    groups = reader.group(entry, whole) if not own else []
    if len(groups) > 1:
        own[groups[1][0].delivery.uri] = (
            "has other columns than the other files of its snapshot. Fix: ask the provider to deliver them alike"
        )
    if not own:
        try:
            batch = _read(reader, connection, entry, groups[0], spool, wanted)
        except UnreadableDelivery as error:
            own = {file.delivery.uri: error.problem for file in files}
        else:
            yield replace(batch, verify=partial(_verify_unchanged, groups[0]))
            return
    others = f"is of one snapshot with {next(iter(own))}, which is refused"
    for delivery in (file.delivery for file in files):
        yield Refusal(entry.dataset, delivery.uri, own.get(delivery.uri, others), delivery.content_hash)


def _read(
    reader: Reader,
    connection: duckdb.DuckDBPyConnection,
    entry: DatasetSource,
    files: list[SourceFile],
    spool: Path,
    wanted: frozenset[str],
) -> Batch:
    """A batch over files, as their reader opens it; for want of memory the files are refused, and nothing else."""
    try:
        return reader.open(connection, entry, files, spool, wanted)
    except duckdb.OutOfMemoryException as error:
        raise not_read(error, str(error)) from None


def _by_snapshot(entry: DatasetSource, files: list[SourceFile]) -> list[list[SourceFile]]:
    """The files of each snapshot, by its declared order, else each file alone, by path."""
    if entry.snapshot is None or entry.snapshot.at is None:
        return [[file] for file in files]
    parts: dict[tuple[str, ...], list[SourceFile]] = {}
    for file in files:
        captures = dict(file.delivery.captures)
        names = (entry.snapshot.at, *entry.snapshot.of)
        parts.setdefault(tuple(captures.get(name) or "" for name in names), []).append(file)
    return [parts[place] for place in sorted(parts)]


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
        if part and size + file.look.content_bytes > BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(file)
        size += file.look.content_bytes
    if part:
        yield part
