"""Restoring a lake from a backup, and moving one to another folder."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from warehouse.durable import make_folder, sync
from warehouse.errors import LakeError
from warehouse.lake.turn import writer_turn
from warehouse.safety import postgres_copy
from warehouse.safety.backup import SUPERSET_DUMP, Manifest, Progress, read_manifest, states
from warehouse.safety.copying import Copied, copy_file
from warehouse.safety.verify import damage
from warehouse.settings import Settings

_DRAFT = ".restoring"
_THREADS = 4
# In the old place they are found again or made anew; the views of serving files name their parts by absolute paths.
_MADE_ANEW = ("serving", "dbt", "spill", "spool")


def restore(settings: Settings, folder: Path, *, state: str = "", progress: Progress = lambda line: None) -> Manifest:
    """Bring a state (the newest, or the one of that name) back into an empty home and, if it was there, database.

    Every file is compared with its checksum; the catalogue comes last, so that a lake appears whole or not at all.

    Raises:
        LakeError: the home or database is not empty, the settings do not fit the backup, or a file of it is damaged.
    """
    folder = folder.expanduser().resolve()
    chosen = _chosen(folder, state)
    manifest = read_manifest(chosen)
    _refuse_unfit(settings, manifest)
    home = settings.home_path
    draft = home / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft)
    progress(f"{len(manifest.data):,} data files")
    _bring(folder / "data", draft / "data", manifest.data)
    progress("Superset and Dagster")
    _bring(chosen / "home", draft / "home", manifest.home)
    _bring(chosen / "catalogue", draft / "catalogue", manifest.catalogue_files)
    os.sync()
    for path in sorted((draft / "home").iterdir()):
        path.rename(home / path.name)
    _place_data(draft / "data", home / "data")
    if manifest.superset == "postgresql":
        postgres_copy.restore_dump(settings.superset_metadata, chosen / SUPERSET_DUMP, settings)
    progress("the catalogue")
    if settings.uses_postgresql:
        postgres_copy.load_catalogue(settings, draft / "catalogue")
    else:
        (draft / "catalogue" / "catalog.sqlite").rename(home / "catalog.sqlite")
    shutil.rmtree(draft)
    sync(home)
    faults = damage(settings)
    if faults:
        raise LakeError(f"{len(faults)} files are missing, the first: {faults[0]}", where=str(home))
    return manifest


def move(settings: Settings, target: Path) -> None:
    """Move the whole home to another folder, of the same file system or of another.

    Raises:
        LakeError: there is no lake, or the target is not an empty folder.
    """
    home = settings.home_path
    target = target.expanduser().resolve()
    if not home.is_dir():
        raise LakeError("there is no lake yet", where=str(home), fix="set GRIDLAKE_HOME to the lake's folder")
    if home in target.parents or target in home.parents or target == home:
        raise LakeError("lies in the lake's own folder, or around it", where=str(target), fix="name another folder")
    _refuse_filled(target)
    with writer_turn(settings):
        for name in _MADE_ANEW:
            shutil.rmtree(home / name, ignore_errors=True)
        make_folder(target.parent)
        if target.exists():
            target.rmdir()
        if home.stat().st_dev == target.parent.stat().st_dev:
            home.rename(target)
        else:
            draft = target.with_name(f".{target.name}.moving")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(home, draft, symlinks=True)
            os.sync()
            draft.rename(target)
            shutil.rmtree(home)
        sync(target.parent)


def _chosen(folder: Path, state: str) -> Path:
    known = states(folder)
    if not known:
        raise LakeError("holds no backup", where=str(folder), fix="name a folder that `gridlake backup` wrote")
    if not state:
        return known[-1]
    for path in known:
        if path.name == state:
            return path
    raise LakeError("has no such state", where=str(folder), value=state, fix=f"use one of {[p.name for p in known]}")


def _refuse_unfit(settings: Settings, manifest: Manifest) -> None:
    if manifest.city != settings.city:
        raise LakeError(
            f"the backup is of the city {manifest.city!r}",
            where="GRIDLAKE_CITY",
            value=settings.city,
            fix=f"set GRIDLAKE_CITY={manifest.city}",
        )
    _refuse_filled(settings.home_path)
    if (manifest.catalogue == "postgresql") != settings.uses_postgresql:
        is_missing = manifest.catalogue == "postgresql"
        raise LakeError(
            f"the backup's catalogue is {manifest.catalogue}",
            where="GRIDLAKE_CATALOG",
            fix="set it to the address of an empty database" if is_missing else "unset it",
        )
    if (manifest.superset == "postgresql") != bool(settings.superset_metadata) and manifest.superset:
        is_missing = manifest.superset == "postgresql"
        raise LakeError(
            f"the backup's tables of Superset are in {manifest.superset}",
            where="GRIDLAKE_SUPERSET_METADATA",
            fix="set it to the address of an empty database" if is_missing else "unset it",
        )
    if settings.uses_postgresql and postgres_copy.has_catalogue(settings):
        raise LakeError("the database holds a catalogue", where="GRIDLAKE_CATALOG", fix="name an empty database")


def _refuse_filled(home: Path) -> None:
    """What an interrupted restore left in its draft may go; anything else is somebody's.

    The data folder may be there, empty: a disk of its own, or one that hosts share.
    """
    allowed = {home / _DRAFT}
    if (home / "data").is_dir() and not any((home / "data").iterdir()):
        allowed.add(home / "data")
    if home.exists() and (not home.is_dir() or not allowed.issuperset(home.iterdir())):
        raise LakeError("is not an empty folder", where=str(home), fix="name an empty one (GRIDLAKE_HOME)")


def _bring(source: Path, target: Path, files: tuple[Copied, ...]) -> None:
    make_folder(target)

    def one(file: Copied) -> None:
        try:
            found = copy_file(source / file.path, target / file.path, file.path)
        except FileNotFoundError:
            raise _broken(source / file.path, "is not in the backup") from None
        if (found.byte_count, found.sha256) != (file.byte_count, file.sha256):
            raise _broken(source / file.path, "is not what was backed up")
        (target / file.path).chmod(file.mode)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(one, files))


def _broken(path: Path, problem: str) -> LakeError:
    return LakeError(f"{problem}; nothing was restored", where=str(path), fix="restore another state (`--state`)")


def _place_data(source: Path, target: Path) -> None:
    if not target.exists():
        source.rename(target)
        return
    for path in source.iterdir():
        shutil.move(path, target / path.name)
