"""The file of one version: small tables copied in, large ones as views over their parts, all in each language.

What is served and when it changes belongs to `publish`; how large tables are cut into parts to `partitions`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import duckdb

from warehouse.durable import put_in_place
from warehouse.errors import LakeError
from warehouse.identifiers import literal
from warehouse.lake.history import CATALOG, Name, Relation
from warehouse.lake.statements import referenced_tables, syntax_tree
from warehouse.languages import LANGUAGES, collapsed, in_language
from warehouse.serving.partitions import Part, Partitioned, filled_columns
from warehouse.serving.parts import create
from warehouse.serving.versions import Contents, Publication

log = logging.getLogger(__name__)

# Shown in each language as `publication`, beside the columns of the table STATE.
PUBLICATION = "publication"
STATE = "mart_state"
LAKE_TABLE = re.compile(r"([a-z_][a-z0-9_]*)\.([a-z_][a-z0-9_]*)")
# A file of this DuckDB release: its texts are written a third faster than for the oldest release that could read it.
_FORMAT = "STORAGE_VERSION 'latest'"
_IDENTIFIER = r'("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_]*)'
_REFERENCE = re.compile(rf"{re.escape(CATALOG)}\.{_IDENTIFIER}\.{_IDENTIFIER}(?!\.)(\s+AS\b)?")


@dataclass(frozen=True)
class Wanted:
    """What a serving file is to hold.

    Attributes:
        tables: table -> `schema.table` of the lake, or one SELECT over lake tables.
        partitioned: tables that are kept in parts.
        views: view -> `schema.view` of the lake; one that reads another stands after it.
        folder: where the part files lie, absolute: the file's views name them so.
    """

    tables: Mapping[str, str]
    partitioned: Mapping[str, Partitioned]
    views: Mapping[str, str]
    folder: Path

    def names(self) -> Iterator[str]:
        """Everything in the file."""
        yield from (*self.tables, *self.partitioned, *self.views)

    def select(self, name: str) -> str:
        """The SELECT over the lake of which a table or view of the file shows the rows."""
        source = self.source(name)
        return f"SELECT * FROM lake.{source}" if LAKE_TABLE.fullmatch(source) else source

    def source(self, name: str) -> str:
        """The table or view of the lake that is shown, or a SELECT."""
        of = self.partitioned.get(name)
        return of.source if of else self.tables.get(name) or self.views[name]


def write_file(
    connection: duckdb.DuckDBPyConnection,
    new: Publication,
    wanted: Wanted,
    found: Mapping[str, Mapping[Name, Relation]],
    parts: Mapping[str, Sequence[Part]],
    fingerprints: Mapping[str, str],
    zone: tzinfo,
) -> Contents:
    """Write the file of a version, complete on disk, from a session with the lake at its snapshot.

    Args:
        connection: the session; its parts have been written in it.
        new: the version.
        wanted: what the file is to hold.
        found: of each table and view, what stands behind it in the lake.
        parts: of each partitioned table.
        fingerprints: of each partitioned table.
        zone: the city's; its readers are shown the times of the publication in it.
    """
    temporary = new.path.with_name(f".{new.path.name}.tmp")
    connection.execute(f"ATTACH {literal(str(temporary))} AS serving ({_FORMAT})")
    # What a view of the file names without a catalogue is looked up in the file, here and wherever it is opened.
    connection.execute("USE serving")
    for table, of in wanted.partitioned.items():
        create(connection, of, found[table], parts[table], wanted.folder)
    # In one transaction: else DuckLake reads its whole catalogue anew for each of the statements.
    connection.execute("BEGIN")
    for table in wanted.tables:
        log.info("%s: copied", table)
        connection.execute(f"CREATE TABLE main.{table} AS {wanted.select(table)}")
    published = {wanted.source(name): name for name in wanted.names()}
    for view, source in wanted.views.items():
        _create_view(connection, view, found[view][_name(source)], published)
    _write_own_tables(connection, new, parts, fingerprints)
    ((at,),) = connection.execute("SELECT snapshot_at FROM main._publication").fetchall()
    local = {"snapshot_at": at.replace(tzinfo=UTC).astimezone(zone), "published_at": new.published_at.astimezone(zone)}
    for language in LANGUAGES:
        _show(connection, language, wanted, parts, local)
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT serving")
    connection.execute("USE memory")
    connection.execute("DETACH serving")
    temporary.chmod(0o444)
    put_in_place(temporary, new.path)
    return Contents(at, fingerprints, tuple(part for each in parts.values() for part in each))


def _name(source: str) -> Name:
    schema, _, name = source.partition(".")
    return schema, name


def _create_view(
    connection: duckdb.DuckDBPyConnection, view: str, relation: Relation, published: Mapping[str, str]
) -> None:
    """The lake's view, reading the file's tables instead of the lake's."""
    if not relation.text:
        raise LakeError("is a table of the lake", where=view, fix="publish it as a table")

    def in_file(found: re.Match[str]) -> str:
        source = ".".join(part.strip('"').replace('""', '"').lower() for part in found.group(1, 2))
        name = published.get(source)
        if name is None:
            raise LakeError("reads what is not published", where=view, value=source, fix="publish it too")
        alias = found[3] or ("" if source.endswith(f".{name}") else f" AS {found[2]}")
        return f"main.{name}{alias}"

    text = _REFERENCE.sub(in_file, relation.text)
    for reference in referenced_tables(syntax_tree(connection, text)):
        if reference[:2] != ("", "main"):
            value = ".".join(part for part in reference if part)
            raise LakeError("reads what is not of the lake", where=view, value=value, fix="name it lake.schema.table")
    aliases = f" ({relation.aliases})" if relation.aliases else ""
    connection.execute(f"CREATE VIEW main.{view}{aliases} AS {text}")


def _write_own_tables(
    connection: duckdb.DuckDBPyConnection,
    new: Publication,
    parts: Mapping[str, Sequence[Part]],
    fingerprints: Mapping[str, str],
) -> None:
    connection.execute(
        "CREATE TABLE main._publication AS "
        f"SELECT {literal(new.name)} AS name, {literal(new.version)} AS version, snapshot_id, "
        "snapshot_time AT TIME ZONE 'UTC' AS snapshot_at, "
        f"{_moment(new.published_at)} AS published_at "
        f"FROM lake.snapshots() WHERE snapshot_id = {new.snapshot:d}"
    )
    connection.execute("CREATE TABLE main._partitioned (table_name VARCHAR, fingerprint VARCHAR)")
    connection.execute(
        "CREATE TABLE main._part (table_name VARCHAR, key VARCHAR, first_day INTEGER, days INTEGER, path VARCHAR, "
        "row_count BIGINT, byte_count BIGINT, filled VARCHAR[])"
    )
    for table, fingerprint in fingerprints.items():
        connection.execute(f"INSERT INTO main._partitioned VALUES ({literal(table)}, {literal(fingerprint)})")
    rows = [
        f"({literal(part.table)}, {literal(part.key)}, {part.first}, {part.days}, {literal(part.path)}, "
        f"{part.row_count}, {part.byte_count}, [{', '.join(map(literal, part.filled))}])"
        for each in parts.values()
        for part in each
    ]
    if rows:
        connection.execute(f"INSERT INTO main._part VALUES {', '.join(rows)}")


def _show(
    connection: duckdb.DuckDBPyConnection,
    language: str,
    wanted: Wanted,
    parts: Mapping[str, Sequence[Part]],
    local: Mapping[str, datetime],
) -> None:
    """One view for each table as it looks in the language, and `publication`."""
    connection.execute(f"CREATE SCHEMA {language}")
    for name in wanted.names():
        columns = [column for column, *_ in connection.execute(f"DESCRIBE main.{name}").fetchall()]
        is_copied = name in wanted.tables
        filled = _filled(connection, name, columns) if is_copied else filled_columns(parts.get(name, ()))
        shown = in_language(columns, language, filled)
        connection.execute(f"CREATE VIEW {language}.{name} AS SELECT {shown} FROM main.{name}")
    with_state = f", s.* FROM main._publication AS p LEFT JOIN {language}.{STATE} AS s ON true"
    columns_of = with_state if STATE in wanted.names() else " FROM main._publication AS p"
    times = ", ".join(f"{_moment(moment)} AS {column}" for column, moment in local.items())
    shown = f"p.* REPLACE ({times}), {_edition(language)} AS edition{columns_of}"
    connection.execute(f"CREATE VIEW {language}.{PUBLICATION} AS SELECT {shown}")


def _edition(language: str) -> str:
    """The version in words, by the lake's snapshot; its full name is for those who run the city."""
    before, after = {"zh": ("第 ", " 版"), "en": ("version ", "")}[language]
    return f"{literal(before)} || p.snapshot_id || {literal(after)}"


def _moment(at: datetime) -> str:
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'"


def _filled(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> frozenset[str]:
    paired = [column for sources in collapsed(columns).values() if len(sources) > 1 for column in sources]
    if not paired:
        return frozenset()
    counts = ", ".join(f'count(*) = count("{column}")' for column in paired)
    (answers,) = connection.execute(f"SELECT {counts} FROM main.{table}").fetchall()
    return frozenset(column for column, is_filled in zip(paired, answers, strict=True) if is_filled)
