"""Whether every file is there and whole that the lake and its serving files need.

`damage` asks only for presence and size and is cheap enough for every status; `verify` opens each file, and reads it
whole where wanted. Nothing is mended here: a fault says what is lost and what brings it back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.lake.named_files import NamedFile, named_files
from warehouse.lake.session import open_lake
from warehouse.serving.versions import contents, serving_folder
from warehouse.settings import Settings

# Waiting for the disk, or for a server behind it, is what takes the time.
_THREADS = 16
_BUILT = ("staging", "core", "indicator", "mart", "share")


@dataclass(frozen=True)
class Fault:
    """One file that is not as it should be.

    Attributes:
        table: `schema.table`, or the name of the serving file.
        path: the file.
        problem: what is wrong with it and what is lost.
        fix: what brings it back.
    """

    table: str
    path: Path
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.table}: {self.path}: {self.problem}. Fix: {self.fix}"


@dataclass(frozen=True)
class Verification:
    """How much was looked at, and what is wrong."""

    file_count: int
    byte_count: int
    faults: tuple[Fault, ...]


def damage(settings: Settings) -> tuple[Fault, ...]:
    """Files of the lake and of its serving files that are missing or have another size than they should.

    Raises:
        LakeError: there is no lake, or its catalogue cannot be opened.
    """
    return _verify(settings, _size_problem).faults


def verify(settings: Settings, *, deep: bool = False) -> Verification:
    """Look at every file: is it there, has it its size, a readable footer and its number of rows?

    Args:
        settings: the lake.
        deep: read all columns of all rows too, which finds what cannot be decoded any more.

    Raises:
        LakeError: there is no lake, or its catalogue cannot be opened.
    """
    return _verify(settings, _read_problem if deep else _footer_problem)


Problem = Callable[[Path, int, int], str]


def _verify(settings: Settings, problem_of: Problem) -> Verification:
    named = _named(settings)
    with ThreadPoolExecutor(_THREADS) as pool:
        problems = pool.map(lambda file: problem_of(file.path, file.byte_count, file.row_count), named)
        found = [(file, problem) for file, problem in zip(named, problems, strict=True) if problem]
    if found:
        # Upkeep may have given a file up since the catalogue was asked.
        still = {file.path for file in _named(settings)}
        found = [(file, problem) for file, problem in found if file.path in still]
    served, count, size = _serving_faults(settings, problem_of)
    faults = (*(_fault(file, problem) for file, problem in found), *served)
    return Verification(len(named) + count, sum(file.byte_count for file in named) + size, faults)


def _named(settings: Settings) -> list[NamedFile]:
    with open_lake(settings, read_only=True, spatial=False) as connection:
        return named_files(connection, settings)


def _fault(file: NamedFile, problem: str) -> Fault:
    if not file.is_current:
        lost = "the newest state does not need it; time travel to before cannot be read"
        return Fault(file.table, file.path, f"{problem}: {lost}", "restore a backup, or leave it: history expires")
    rows = f"{file.row_count:,} rows"
    lost = f"which {rows} were deleted is lost" if file.is_delete else f"{rows} are lost"
    fix = "restore a backup (`gridlake restore`)"
    if file.table.partition(".")[0] in _BUILT:
        fix += ", or build the table anew: `gridlake run --full-refresh`"
    return Fault(file.table, file.path, f"{problem}: {lost}, and the table cannot be read whole", fix)


def _size_problem(path: Path, byte_count: int, row_count: int) -> str:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be reached ({error.strerror})"
    return "" if size == byte_count else f"has {size:,} bytes instead of {byte_count:,}"


def _footer_problem(path: Path, byte_count: int, row_count: int) -> str:
    problem = _size_problem(path, byte_count, row_count)
    if problem:
        return problem
    try:
        rows = pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException) as error:
        return f"is damaged ({_first_line(error)})"
    return "" if rows == row_count else f"has {rows:,} rows instead of {row_count:,}"


def _read_problem(path: Path, byte_count: int, row_count: int) -> str:
    problem = _footer_problem(path, byte_count, row_count)
    if problem:
        return problem
    try:
        with pq.ParquetFile(path) as file:
            rows = sum(batch.num_rows for batch in file.iter_batches(use_threads=False))
    except (OSError, pa.ArrowException) as error:
        return f"is damaged ({_first_line(error)})"
    return "" if rows == row_count else f"gives {rows:,} rows instead of {row_count:,}"


def _serving_faults(settings: Settings, problem_of: Problem) -> tuple[list[Fault], int, int]:
    """Faults of what is served now, how many files that is, and their size."""
    folder = serving_folder(settings)
    links = sorted(path for path in folder.glob("*.duckdb") if path.is_symlink())
    faults: list[Fault] = []
    count = size = 0
    present = [link.resolve() for link in links if link.exists()]
    told = contents(present)
    for link in links:
        fix = f"`gridlake {'demo' if settings.city == 'demo' else 'run'}` publishes it again"
        if not link.exists():
            faults.append(Fault(link.stem, link, f"leads to {link.readlink()}, which is not there", fix))
            continue
        version = link.resolve()
        count, size = count + 1, size + version.stat().st_size
        made = told[version]
        if made is None:
            faults.append(Fault(link.stem, version, "is damaged: the pages cannot show it", fix))
            continue
        for part in made.parts:
            path = folder / part.path
            count, size = count + 1, size + part.byte_count
            problem = problem_of(path, part.byte_count, part.row_count)
            if problem:
                fault = f"{problem}: the pages lack {part.row_count:,} rows of {part.table}"
                faults.append(Fault(link.stem, path, fault, fix))
    return faults, count, size


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
