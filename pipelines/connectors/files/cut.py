"""CSV files whose last line has no line end: written so by their provider, cut off, or still being written.

A cut inside quotes or with columns missing shows by itself and is refused elsewhere. What is left is a cut inside
the last value, which nothing in the file tells; here it is judged by what else is known.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import duckdb

from pipelines.connectors.batch import plain_name
from pipelines.connectors.files.csv_look import CsvShape
from pipelines.connectors.files.reader import SourceFile
from pipelines.sources.declared import DatasetSource
from quality.told import UNENDED_LAST_ROW, label
from warehouse.identifiers import literal

# A copy that is under way writes at least this often.
_QUIET_NS = 60_000_000_000
# So many files that all end with a line end make it the provider's habit.
_HABIT = 3


def without_cut_files(
    connection: duckdb.DuckDBPyConnection, entry: DatasetSource, files: list[SourceFile], key_columns: frozenset[str]
) -> tuple[list[SourceFile], list[tuple[SourceFile, str]]]:
    """The files to be read, and those that are taken for cut off, with the problem."""
    if entry.last_line_end == "optional":
        return files, []
    open_ended = [file for file in files if not file.look.is_ended]
    if not open_ended:
        return files, []
    ended, unended = _earlier(connection, entry.dataset)
    ended += len(files) - len(open_ended)
    is_habit = ended >= _HABIT and unended == 0 and len(open_ended) < _HABIT
    problems = {file.path: _problem(entry, file, key_columns, ended if is_habit else 0) for file in open_ended}
    cut = [(file, problem) for file in open_ended if (problem := problems[file.path]) is not None]
    return [file for file in files if problems.get(file.path) is None], cut


def is_being_written(path: Path, modified_ns: int) -> bool:
    """Whether a file was written within the last minute and its last byte is no line end."""
    if time.time_ns() - modified_ns >= _QUIET_NS:
        return False
    try:
        with path.open("rb") as handle:
            handle.seek(-1, os.SEEK_END)
            return handle.read(1) not in (b"\n", b"\r")
    except OSError:
        return False


def _earlier(connection: duckdb.DuckDBPyConnection, dataset: str) -> tuple[int, int]:
    """How many landed files of the data set ended with a line end, and how many did not."""
    ((ended, unended),) = connection.execute(
        "SELECT count(*) FILTER (NOT is_open), count(*) FILTER (is_open) FROM (SELECT"
        f" contains(coalesce(warning_counts, ''), {literal(label(UNENDED_LAST_ROW))}) AS is_open"
        f" FROM lake.ops.load WHERE dataset = {literal(dataset)})"
    ).fetchall()
    return int(ended), int(unended)


def _problem(entry: DatasetSource, file: SourceFile, key_columns: frozenset[str], ended: int) -> str | None:
    shape = file.look.shape
    if not isinstance(shape, CsvShape):
        return None
    if time.time_ns() - file.delivery.modified_ns < _QUIET_NS:
        why = "was written within the last minute"
    elif ended:
        why = f"differs in this from {ended} other files of the data set"
    elif plain_name(shape.header[-1]) in key_columns:
        why = "has a key in its last column, of which a part would be another thing"
    elif entry.last_line_end == "required":
        why = "must have one (`last_line_end: required`)"
    else:
        return None
    return (
        f"the last row has no line end, and the file {why}: it may be cut off or still being written. Fix: run it again"
        " when it is whole; if it is, set `last_line_end: optional` in the source file"
    )
