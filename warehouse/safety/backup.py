"""Backups of a lake: everything that is needed to have it again, also while it is in use.

A backup folder holds the lake's data files once, by the names they have in the lake, because they never change; and one
state for each backup: the catalogue, Superset's and Dagster's own files, and a manifest with the size and checksum of
everything. A state appears whole or not at all. A further backup copies only data files that are new.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from warehouse.durable import make_folder, sync
from warehouse.errors import LakeError
from warehouse.lake.identity import FILE as IDENTITY
from warehouse.lake.identity import catalogue_identity
from warehouse.lake.keeping import files_kept
from warehouse.lake.named_files import data_folder, named_files
from warehouse.lake.session import open_lake
from warehouse.lake.turn import writer_turn
from warehouse.safety import postgres_copy
from warehouse.safety.copying import Copied, copy_file, is_sqlite
from warehouse.settings import Settings

FORMAT = 1
DEFAULT_KEEP = 7
MANIFEST = "manifest.json"
SUPERSET_DUMP = "superset.dump"
# Of the home, what is made anew, what is the sources' own, and what belongs to a process that runs.
_LEFT_OUT = {"data", "drops", "spool", "spill", "serving", "dbt", "logs", "demo_city", "catalog.sqlite"}
_LEFT_OUT_NAMES = (".lock", "-wal", "-shm", "-journal", "up.json")
_TIME = "%Y%m%dT%H%M%S%fZ"
_THREADS = 4
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Manifest:
    """What a state consists of.

    Attributes:
        format: of the backup folder.
        made_at: UTC, ISO 8601.
        lake: the lake's identity.
        city: whose lake it is.
        catalogue: `sqlite` or `postgresql`.
        superset: `sqlite`, `postgresql`, or empty where Superset has no tables yet.
        data: the lake's data files below `data/`.
        home: files of the home below the state's `home/`.
        catalogue_files: files of the catalogue below the state's `catalogue/`.
    """

    format: int
    made_at: str
    lake: str
    city: str
    catalogue: str
    superset: str
    data: tuple[Copied, ...]
    home: tuple[Copied, ...]
    catalogue_files: tuple[Copied, ...]


@dataclass(frozen=True)
class BackupReport:
    """What one backup did."""

    state: Path
    file_count: int
    new_file_count: int
    new_byte_count: int
    removed_states: int


def backup(
    settings: Settings, folder: Path, *, keep: int = DEFAULT_KEEP, progress: Progress = lambda line: None
) -> BackupReport:
    """Add a state to the backup folder, which is made where it is not there; the newest `keep` states stay.

    Writers wait only while the catalogue is copied. Upkeep removes no file until the backup has ended.

    Raises:
        LakeError: there is no lake, a file of it is missing or damaged, or the folder holds something else.
    """
    folder = folder.expanduser().resolve()
    _refuse_unfit(settings, folder)
    at = datetime.now(UTC)
    draft = folder / ".draft"
    with _only_one(folder), files_kept(settings):
        shutil.rmtree(draft, ignore_errors=True)
        make_folder(draft / "catalogue")
        progress("the catalogue")
        # Nobody writes meanwhile, so that the catalogue and the list of its files are of one moment.
        with writer_turn(settings):
            with open_lake(settings, read_only=True, spatial=False) as connection:
                lake = catalogue_identity(connection)
                named = sorted({(file.path, file.byte_count) for file in named_files(connection, settings)})
            _copy_catalogue(settings, draft / "catalogue")
        progress(f"{len(named):,} data files")
        data, new = _copy_data(settings, folder, named)
        progress("Superset and Dagster")
        superset = _copy_superset_tables(settings, draft)
        home = _copy_home(settings, draft / "home")
        manifest = Manifest(
            format=FORMAT,
            made_at=at.isoformat(),
            lake=lake,
            city=settings.city,
            catalogue="postgresql" if settings.uses_postgresql else "sqlite",
            superset=superset,
            data=tuple(data),
            home=tuple(home),
            catalogue_files=tuple(_listed(draft / "catalogue")),
        )
        _write(draft / MANIFEST, manifest)
        os.sync()
        state = folder / "states" / at.strftime(_TIME)
        make_folder(state.parent)
        draft.rename(state)
        sync(state.parent)
        removed = _remove_old(folder, keep)
    size = sum(file.byte_count for file in new)
    return BackupReport(state, len(data) + len(home), len(new), size, removed)


def states(folder: Path) -> list[Path]:
    """The states of a backup folder, oldest first."""
    return sorted(path for path in (folder / "states").glob("*Z") if (path / MANIFEST).exists())


def read_manifest(state: Path) -> Manifest:
    """What a state consists of.

    Raises:
        LakeError: the manifest cannot be read, or is of a later release.
    """
    try:
        told = json.loads((state / MANIFEST).read_text(encoding="utf-8"))
        lists = {name: tuple(Copied(**file) for file in told[name]) for name in ("data", "home", "catalogue_files")}
        manifest = Manifest(**{**told, **lists})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LakeError(f"cannot be read ({error})", where=str(state / MANIFEST), fix="use another state") from None
    if manifest.format != FORMAT:
        raise LakeError("is of another release", where=str(state), value=manifest.format, fix="use that release")
    return manifest


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    if not folder.exists():
        # The data are personal in part.
        make_folder(folder).chmod(0o700)
    with (folder / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakeError("another backup writes to this folder", where=str(folder), fix="wait for it") from None
        yield


def _refuse_unfit(settings: Settings, folder: Path) -> None:
    home = settings.home_path
    if folder == home or home in folder.parents or folder in home.parents:
        raise LakeError(
            "lies in the lake's own folder, or around it", where=str(folder), fix="name a folder of its own, elsewhere"
        )
    if not folder.exists():
        return
    known = states(folder)
    if not known:
        if any(path.name not in (".lock", ".draft", "data") for path in folder.iterdir()):
            raise LakeError("holds something else", where=str(folder), fix="name an empty folder, or one of backups")
        return
    with open_lake(settings, read_only=True, spatial=False) as connection:
        mine = catalogue_identity(connection)
    theirs = read_manifest(known[-1])
    if theirs.lake != mine:
        raise LakeError(
            f"holds backups of the lake {theirs.lake} of the city {theirs.city!r}, this one is {mine}",
            where=str(folder),
            fix="name another folder",
        )


def _copy_catalogue(settings: Settings, folder: Path) -> None:
    if settings.uses_postgresql:
        postgres_copy.save_catalogue(settings, folder)
    else:
        copy_sqlite(settings.home_path / "catalog.sqlite", folder / "catalog.sqlite")


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy an SQLite database, also while it is written to; never readable by more than the source is."""
    descriptor = os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    os.close(descriptor)
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
    target.chmod(source.stat().st_mode & 0o777)


def _copy_data(settings: Settings, folder: Path, named: list[tuple[Path, int]]) -> tuple[list[Copied], list[Copied]]:
    """Copy what the folder does not have; the list of all, and of the new ones."""
    source, target = data_folder(settings), folder / "data"
    before = {file.path: file for state in states(folder) for file in read_manifest(state).data}

    def one(file: tuple[Path, int]) -> tuple[Copied, bool]:
        path, size = file
        relative = path.relative_to(source).as_posix()
        there = target / relative
        known = before.get(relative)
        if known is not None and known.byte_count == size and there.exists() and there.stat().st_size == size:
            return known, False
        try:
            copied = copy_file(path, there, relative)
        except FileNotFoundError:
            raise _broken(path, "is not there") from None
        if copied.byte_count != size:
            raise _broken(path, f"has {copied.byte_count:,} bytes instead of {size:,}")
        return copied, True

    # The lake's identity is small, and may have been written anew.
    (target / IDENTITY).unlink(missing_ok=True)
    identity = copy_file(source / IDENTITY, target / IDENTITY, IDENTITY)
    with ThreadPoolExecutor(_THREADS) as pool:
        done = list(pool.map(one, named))
    return [identity, *(copied for copied, _ in done)], [copied for copied, is_new in done if is_new]


def _broken(path: Path, problem: str) -> LakeError:
    return LakeError(
        f"{problem}: a damaged lake is not backed up",
        where=str(path),
        fix="`gridlake verify` tells all that is damaged",
    )


def _copy_superset_tables(settings: Settings, draft: Path) -> str:
    if settings.superset_metadata:
        postgres_copy.dump(settings.superset_metadata, draft / SUPERSET_DUMP, settings)
        return "postgresql"
    return "sqlite" if (settings.home_path / "superset" / "superset.db").exists() else ""


def _copy_home(settings: Settings, target: Path) -> list[Copied]:
    """Superset's and Dagster's own files, reports, and what else lies in the home."""
    home = settings.home_path
    copied: list[Copied] = []
    make_folder(target)
    for path in sorted(home.rglob("*")):
        relative = path.relative_to(home)
        if relative.parts[0] in _LEFT_OUT or path.name.endswith(_LEFT_OUT_NAMES):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        there = target / relative
        try:
            if is_sqlite(path):
                make_folder(there.parent)
                copy_sqlite(path, there)
                copied.append(Copied.of(there, relative.as_posix()))
            else:
                copied.append(copy_file(path, there, relative.as_posix()))
        except FileNotFoundError:
            continue  # a file of a service that runs, gone since the folder was read
    return copied


def _listed(folder: Path) -> Iterator[Copied]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield Copied.of(path, path.relative_to(folder).as_posix())


def _write(path: Path, manifest: Manifest) -> None:
    path.write_text(json.dumps(asdict(manifest), ensure_ascii=False, indent=0), encoding="utf-8")


def _remove_old(folder: Path, keep: int) -> int:
    """Remove all but the newest states, then data files that no state names."""
    known = states(folder)
    old = known[: max(0, len(known) - max(keep, 1))]
    for state in old:
        shutil.rmtree(state)
    named = {file.path for state in states(folder) for file in read_manifest(state).data}
    for path in (folder / "data").rglob("*"):
        if path.is_file() and path.relative_to(folder / "data").as_posix() not in named:
            path.unlink()
    return len(old)
