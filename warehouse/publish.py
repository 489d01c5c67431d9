"""Publishing serving files: read-only DuckDB files that show one version of the lake to Superset and others.

A serving file never changes. A new version is written beside it under a name of its own and a symlink is
switched, so a reader sees the old version or the new one, never a mixture. Readers resolve the symlink
(`current`) before they open the file, because DuckDB keeps one instance for each path.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from warehouse.changes import latest_snapshot, tables_behind, touched_since
from warehouse.errors import LakeError
from warehouse.identifiers import checked, literal
from warehouse.lake import open_lake, pin_snapshot, without_secrets
from warehouse.settings import Settings

DEFAULT_GRACE = timedelta(hours=1)
_LAKE_TABLE = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")
_TIME = "%Y%m%dT%H%M%SZ"
# Run in a process of its own: a lock never conflicts with locks of the same process, and closing any descriptor
# of a file drops all locks that the process holds on it, so probing here would take them from our own readers.
_REMOVE_IF_UNLOCKED = """
import fcntl, os, sys
for path in sys.argv[1:]:
    try:
        with open(path, "r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    except OSError:
        pass
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


def serving_folder(settings: Settings) -> Path:
    """The folder of the serving files and their symlinks."""
    return settings.home_path / "serving"


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
        published_at=datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC),
        is_new=False,
    )


def publish(
    settings: Settings, name: str, tables: Mapping[str, str], *, grace: timedelta = DEFAULT_GRACE
) -> Publication:
    """Write the tables as one serving file and switch to it; nothing is written when nothing changed.

    Args:
        settings: the lake.
        name: the serving file is `<home>/serving/<name>.duckdb`.
        tables: table in the file -> `schema.table` of the lake, or one SELECT over lake tables. All are read at
            the same lake snapshot. The file also gets `_publication`: one row with name, version, snapshot_id,
            snapshot_at, published_at (UTC).
        grace: how long a version stays after it was last served, for readers that are about to open it.
            A version that some process has open stays in any case.

    Raises:
        LakeError: a name is bad, a SELECT reads something outside the lake, or the lake cannot be read. The
            version that was served before is still served.
    """
    checked(name, where="serving file")
    selects = {checked(target, where="table"): _select(source) for target, source in tables.items()}
    if not selects or "_publication" in selects:
        raise LakeError("needs tables, none of them _publication", where=name, fix="name other tables")
    fingerprint = hashlib.sha256(json.dumps(selects, sort_keys=True).encode()).hexdigest()[:8]
    folder = serving_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with _publishing(folder, name):
        _sweep_temporaries(folder, name)
        served = current(settings, name)
        with open_lake(settings, read_only=True) as connection:
            snapshot = latest_snapshot(connection)
            sources = tables_behind(connection, selects.values(), snapshot)
            is_same = (
                served is not None
                and _fingerprint(served) == fingerprint
                and not touched_since(connection, served.snapshot, snapshot, sources)
            )
            if served is None or not is_same:
                new = _new_publication(folder, name, snapshot, fingerprint)
                _build(connection, settings, new, selects)
                _switch(folder, served, new)
                served = new
        _remove_old(folder, name, served, grace)
    return served


def _select(source: str) -> str:
    return f"SELECT * FROM lake.{source}" if _LAKE_TABLE.fullmatch(source) else source


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"{name}-(?P<version>(?P<snapshot>\d+)-(?P<time>\d{{8}}T\d{{6}}Z)-(?P<definition>[0-9a-f]{{8}})[0-9a-f]{{4}})"
        r"\.duckdb"
    )


def _fingerprint(publication: Publication) -> str:
    return publication.version.rpartition("-")[2][:8]


def _new_publication(folder: Path, name: str, snapshot: int, fingerprint: str) -> Publication:
    at = datetime.now(UTC).replace(microsecond=0)
    version = f"{snapshot}-{at:{_TIME}}-{fingerprint}{secrets.token_hex(2)}"
    return Publication(name, version, folder / f"{name}-{version}.duckdb", snapshot, at, is_new=True)


@contextmanager
def _publishing(folder: Path, name: str) -> Iterator[None]:
    with (folder / f".{name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _sweep_temporaries(folder: Path, name: str) -> None:
    # Whoever holds the lock is alone, so these are of publishes that died.
    for path in folder.glob(f".{name}-*.tmp*"):
        path.unlink(missing_ok=True)


def _build(
    connection: duckdb.DuckDBPyConnection, settings: Settings, new: Publication, selects: Mapping[str, str]
) -> None:
    temporary = new.path.with_name(f".{new.path.name}.tmp")
    try:
        pin_snapshot(connection, settings, new.snapshot)
        connection.execute(f"ATTACH {literal(str(temporary))} AS serving")
        for target, select in selects.items():
            connection.execute(f"CREATE TABLE serving.main.{target} AS {select}")
        connection.execute(
            "CREATE TABLE serving.main._publication AS "
            f"SELECT {literal(new.name)} AS name, {literal(new.version)} AS version, snapshot_id, "
            "snapshot_time AT TIME ZONE 'UTC' AS snapshot_at, "
            f"TIMESTAMP '{new.published_at:%Y-%m-%d %H:%M:%S}' AS published_at "
            f"FROM lake.snapshots() WHERE snapshot_id = {new.snapshot:d}"
        )
        connection.execute("CHECKPOINT serving")
        connection.execute("DETACH serving")
    except duckdb.Error as error:
        raise LakeError("cannot be published: " + without_secrets(str(error), settings), where=new.name) from None
    _sync(temporary)
    temporary.rename(new.path)
    _sync(new.path.parent)


def _switch(folder: Path, served: Publication | None, new: Publication) -> None:
    if served is not None:
        # Its time is when it was last served; before the switch, so that a crash cannot make it look older.
        os.utime(served.path)
    temporary = folder / f".{new.path.name}.link.tmp"
    temporary.symlink_to(new.path.name)
    temporary.replace(folder / f"{new.name}.duckdb")
    _sync(folder)


def _remove_old(folder: Path, name: str, served: Publication, grace: timedelta) -> None:
    latest = time.time() - grace.total_seconds()
    old = [
        path
        for path in folder.glob(f"{name}-*.duckdb")
        if path != served.path and _pattern(name).fullmatch(path.name) and path.stat().st_mtime <= latest
    ]
    if old:
        subprocess.run(  # noqa: S603 - our own script, paths of our own making
            [sys.executable, "-I", "-c", _REMOVE_IF_UNLOCKED, *map(str, old)],
            check=True,
            stdin=subprocess.DEVNULL,
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
