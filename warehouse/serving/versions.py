"""The versions of a serving file on disk: which is served, what each is made of, and when one may be removed."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from warehouse.durable import sync
from warehouse.identifiers import checked
from warehouse.serving.partitions import Part
from warehouse.settings import Settings

log = logging.getLogger(__name__)

TIME = "%Y%m%dT%H%M%SZ"
# Both run in a process of their own: closing any descriptor of a file drops all locks that the process holds on it,
# so looking into a version here would take its lock from a reader in this process.
_REMOVE_IF_UNLOCKED = """
import fcntl, os, sys
for path in sys.argv[1:]:
    try:
        os.chmod(path, 0o644)  # only who may write to a file may ask for it alone
        with open(path, "r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    except OSError:
        if os.path.exists(path):
            os.chmod(path, 0o444)
"""
_CONTENTS = """
import duckdb, json, sys
found = {}
for path in sys.argv[1:]:
    found[path] = None
    try:
        with duckdb.connect(path, read_only=True) as connection:
            names = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name[1] = '_'").fetchall()
            found[path] = {name: connection.execute(f"SELECT to_json(t) FROM {name} t").fetchall() for (name,) in names}
    except duckdb.Error:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Publication:
    """One version of a serving file.

    `version` is "<lake snapshot>-<UTC time>-<definition and random hex digits>"; `is_new` tells whether this
    call wrote it.
    """

    name: str
    version: str
    path: Path
    snapshot: int
    published_at: datetime
    is_new: bool


@dataclass(frozen=True)
class Contents:
    """What a version tells about itself.

    Attributes:
        snapshot_at: when the lake's snapshot was committed, UTC.
        partitioned: table -> fingerprint of its definition.
        parts: its part files.
    """

    snapshot_at: datetime
    partitioned: Mapping[str, str]
    parts: tuple[Part, ...]


def serving_folder(settings: Settings) -> Path:
    """The folder of the serving files and their symlinks."""
    return settings.home_path / "serving"


def parts_folder(settings: Settings, name: str) -> Path:
    """The folder of the part files that the versions of one serving file share."""
    return serving_folder(settings) / f"{name}.parts"


def current(settings: Settings, name: str) -> Publication | None:
    """The version that is served under `name`, or None before the first publish."""
    folder = serving_folder(settings)
    link = folder / f"{checked(name, where='serving file')}.duckdb"
    try:
        target = folder / link.readlink()
    except OSError:
        return None
    found = _pattern(name).fullmatch(target.name)
    if found is None or not target.exists():
        return None
    return Publication(
        name=name,
        version=found["version"],
        path=target,
        snapshot=int(found["snapshot"]),
        published_at=datetime.strptime(found["time"], TIME).replace(tzinfo=UTC),
        is_new=False,
    )


@contextmanager
def publishing(folder: Path, name: str) -> Iterator[None]:
    """Be the only one that publishes under this name; what a publish that died left half written is removed."""
    with (folder / f".{name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for path in folder.glob(f".{name}-*.tmp*"):
            path.unlink(missing_ok=True)
        yield


def switch(served: Publication | None, new: Publication) -> None:
    """Serve the new version, whose file is complete on disk."""
    folder = new.path.parent
    if served is not None:
        # Its time is when it was last served; before the switch, so that a crash cannot make it look older.
        os.utime(served.path)
    temporary = folder / f".{new.path.name}.link.tmp"
    temporary.symlink_to(new.path.name)
    temporary.replace(folder / f"{new.name}.duckdb")
    sync(folder)


def contents(paths: Collection[Path]) -> dict[Path, Contents | None]:
    """What each version is made of; None where its file cannot be read or tells nothing."""
    if not paths:
        return {}
    done = subprocess.run(  # noqa: S603 - our own script, paths of our own making
        [sys.executable, "-I", "-c", _CONTENTS, *map(str, paths)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return {Path(path): _contents(told) if told else None for path, told in json.loads(done.stdout).items()}


def remove_old(folder: Path, served: Publication, grace: timedelta) -> None:
    """Remove versions that were last served longer ago than `grace` and that no process has open."""
    latest = time.time() - grace.total_seconds()
    old = [path for path in versions(folder, served.name) if path != served.path and path.stat().st_mtime <= latest]
    if old:
        subprocess.run(  # noqa: S603 - our own script, paths of our own making
            [sys.executable, "-I", "-c", _REMOVE_IF_UNLOCKED, *map(str, old)],
            check=True,
            stdin=subprocess.DEVNULL,
        )


def remove_unnamed_parts(folder: Path, kept: Collection[Contents | None]) -> None:
    """Remove the part files that no kept version names, which nobody can be reading."""
    if None in kept:
        log.warning("%s: a version cannot be read, so no part is removed", folder)
        return
    named = {part.path for each in kept if each for part in each.parts}
    for path in folder.rglob("*"):
        if path.is_file() and str(path.relative_to(folder.parent)) not in named:
            path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()


def versions(folder: Path, name: str) -> list[Path]:
    """The files of all versions, oldest name first."""
    return sorted(path for path in folder.glob(f"{name}-*.duckdb") if _pattern(name).fullmatch(path.name))


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"{name}-(?P<version>(?P<snapshot>\d+)-(?P<time>\d{{8}}T\d{{6}}Z)-[0-9a-f]{{8}}[0-9a-f]{{4}})\.duckdb"
    )


def _contents(told: Mapping[str, list[list[str]]]) -> Contents | None:
    rows = {table: [json.loads(row) for (row,) in found] for table, found in told.items()}
    if len(rows.get("_publication", ())) != 1:
        return None
    # A version of an earlier release has no parts.
    return Contents(
        datetime.fromisoformat(rows["_publication"][0]["snapshot_at"]),
        {row["table_name"]: row["fingerprint"] for row in rows.get("_partitioned", ())},
        tuple(
            Part(
                table=row["table_name"],
                key=row["key"],
                first=row["first_day"],
                days=row["days"],
                path=row["path"],
                row_count=row["row_count"],
                byte_count=row["byte_count"],
                filled=tuple(row["filled"]),
            )
            for row in rows.get("_part", ())
        ),
    )
