"""Publishing serving files: read-only DuckDB files that show one version of the lake to Superset and others.

A serving file never changes. A new version is written beside it under a name of its own and a symlink is
switched, so a reader sees the old version or the new one, never a mixture. Readers resolve the symlink
(`current`) before they open the file, because DuckDB keeps one instance for each path. Small tables are copied
into the file; large ones are kept in part files (`partitions`) that the versions share.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import checked
from warehouse.lake.history import History, Name, Relation, behind, fingerprint, latest_snapshot, relations
from warehouse.lake.session import open_lake, pin_snapshot, without_secrets
from warehouse.serving import partitions, parts
from warehouse.serving.assemble import LAKE_TABLE, PUBLICATION, Wanted, write_file
from warehouse.serving.partitions import Part, Partitioned
from warehouse.serving.versions import (
    TIME,
    Contents,
    Publication,
    contents,
    current,
    parts_folder,
    publishing,
    remove_old,
    remove_unnamed_parts,
    serving_folder,
    switch,
    versions,
)
from warehouse.settings import Settings

__all__ = ["DEFAULT_GRACE", "Partitioned", "Publication", "current", "is_current", "publish", "serving_folder"]

DEFAULT_GRACE = timedelta(hours=1)


def publish(
    settings: Settings,
    name: str,
    tables: Mapping[str, str],
    *,
    partitioned: Sequence[Partitioned] = (),
    views: Mapping[str, str] | None = None,
    grace: timedelta = DEFAULT_GRACE,
) -> Publication:
    """Write the tables as one serving file and switch to it; nothing is written when nothing changed.

    All are read at the same lake snapshot. Besides them the file gets

    - `_publication`: one row with name, version, snapshot_id, snapshot_at, published_at (UTC);
    - `_part` and `_partitioned`: its part files and what they were made from;
    - the schemas `zh` and `en`: each table and view as it looks in that language (`languages`), and `publication`:
      `_publication` in the city's own time, with the columns of `mart_state`, if that is published.

    Args:
        settings: the lake.
        name: the serving file is `<home>/serving/<name>.duckdb`, its parts lie in `<name>.parts` beside it.
        tables: table in the file -> `schema.table` of the lake, or one SELECT over lake tables. Copied whole.
        partitioned: tables that are kept in parts, most of them by month; only parts whose rows changed are written.
        views: view in the file -> `schema.view` of the lake. What it reads must be published too, views before it.
        grace: how long a version stays after it was last served, for readers that are about to open it.
            A version that some process has open stays in any case.

    Raises:
        LakeError: a name is bad, a SELECT reads something outside the lake, or the lake cannot be read. The
            version that was served before is still served.
    """
    checked(name, where="serving file")
    folder = serving_folder(settings)
    wanted = Wanted(dict(tables), {of.table: of for of in partitioned}, dict(views or {}), parts_folder(settings, name))
    _check(name, wanted, len(tables) + len(partitioned) + len(views or {}))
    folder.mkdir(parents=True, exist_ok=True)
    with publishing(folder, name):
        served = current(settings, name)
        told = contents(versions(folder, name))
        with open_lake(settings, read_only=True) as connection:
            try:
                new, made = _publish(connection, settings, name, wanted, served, told)
            except duckdb.Error as error:
                raise LakeError("cannot be published: " + without_secrets(str(error), settings), where=name) from None
        if new is not served:
            switch(served, new)
        remove_old(folder, new, grace)
        kept = {path: told.get(path) for path in versions(folder, name)} | {new.path: made}
        remove_unnamed_parts(wanted.folder, kept.values())
    return new


def _check(name: str, wanted: Wanted, count: int) -> None:
    names = list(wanted.names())
    if not names:
        raise LakeError("needs tables", where=name, fix="name some")
    if len(set(names)) < count:
        raise LakeError("two tables have the same name", where=name, value=", ".join(names), fix="name them apart")
    for table in names:
        if checked(table, where="table").startswith("_") or table == PUBLICATION:
            raise LakeError("is a name of the file's own", where=name, value=table, fix="choose another")
    bases = [of.base for of in wanted.partitioned.values() if of.base]
    sources = [of.source for of in wanted.partitioned.values()]
    for source in (*bases, *sources, *wanted.views.values()):
        if not LAKE_TABLE.fullmatch(source):
            raise LakeError("is no table or view of the lake", where=name, value=source, fix="write schema.table")


@dataclass(frozen=True)
class _Look:
    """What a publish finds before it writes: the lake's snapshot, what is behind each table, and what of it changed.

    `shape` and `shapes` are fingerprints of the file's and of the partitioned tables' definitions; `changed` tells the
    days to be written of each partitioned table, None for all of them.
    """

    snapshot: int
    found: Mapping[str, dict[Name, Relation]]
    shape: str
    shapes: Mapping[str, str]
    changed: Mapping[str, partitions.Changed | None]
    is_same: bool


def is_current(
    settings: Settings,
    name: str,
    tables: Mapping[str, str],
    *,
    partitioned: Sequence[Partitioned] = (),
    views: Mapping[str, str] | None = None,
) -> bool:
    """Whether `publish` of the same would write nothing: what is served is whole and shows the tables as they are.

    Raises:
        LakeError: as `publish`.
    """
    wanted = Wanted(dict(tables), {of.table: of for of in partitioned}, dict(views or {}), parts_folder(settings, name))
    served = current(settings, name)
    before = contents([served.path])[served.path] if served else None
    if served is None or before is None:
        return False
    with open_lake(settings, read_only=True, spatial=False) as connection:
        try:
            return _look(connection, wanted, served, before).is_same
        except duckdb.Error as error:
            raise LakeError("cannot be published: " + without_secrets(str(error), settings), where=name) from None


def _look(
    connection: duckdb.DuckDBPyConnection, wanted: Wanted, served: Publication | None, before: Contents | None
) -> _Look:
    snapshot = latest_snapshot(connection)
    known = relations(connection, snapshot)
    found = {table: behind(connection, [wanted.select(table)], known) for table in wanted.names()}
    everything = {of: relation for each in found.values() for of, relation in each.items()}
    shape = fingerprint([wanted, duckdb.__version__], everything.values())[:8]
    shapes = {table: partitions.part_fingerprint(of, found[table]) for table, of in wanted.partitioned.items()}
    changed: dict[str, partitions.Changed | None] = dict.fromkeys(shapes)
    is_same = False
    if served and before:
        history = History(connection, served.snapshot, snapshot, before.snapshot_at)
        for table, of in wanted.partitioned.items():
            if before.partitioned.get(table) == shapes[table]:
                changed[table] = partitions.changed(of, found[table], history, _parts(before, table), wanted.folder)
        has_shape = shape == served.version.rpartition("-")[2][:8] and None not in changed.values()
        is_same = has_shape and not history.is_touched(everything.values())
    return _Look(snapshot, found, shape, shapes, changed, is_same)


def _publish(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    name: str,
    wanted: Wanted,
    served: Publication | None,
    told: Mapping[Path, Contents | None],
) -> tuple[Publication, Contents]:
    """The version to be served now, complete on disk, and what it is made of."""
    before = told.get(served.path) if served else None
    look = _look(connection, wanted, served, before)
    if served and before and look.is_same:
        return served, before
    at = datetime.now(UTC).replace(microsecond=0)
    version = f"{look.snapshot}-{at:{TIME}}-{look.shape}{secrets.token_hex(2)}"
    file = serving_folder(settings) / f"{name}-{version}.duckdb"
    new = Publication(name, version, file, look.snapshot, at, is_new=True)
    pin_snapshot(connection, settings, look.snapshot)
    connection.execute("SET preserve_insertion_order = false")
    made = {
        table: parts.write(
            connection,
            partitions.plan(connection, of, look.changed[table], _parts(before, table)),
            look.found[table],
            wanted.folder,
        )
        for table, of in wanted.partitioned.items()
    }
    return new, write_file(connection, new, wanted, look.found, made, look.shapes, ZoneInfo(settings.timezone))


def _parts(of: Contents | None, table: str) -> list[Part]:
    return [part for part in of.parts if part.table == table] if of else []
