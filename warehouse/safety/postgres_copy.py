"""Copies of what a lake keeps in PostgreSQL: its catalogue, and Superset's own tables.

The catalogue is plain rows, so it is read and written by DuckDB, whatever the server's version; nothing but the
connection is needed. Superset's tables have sequences and constraints, which only PostgreSQL's own programs keep; they
come with the wheel of `postgres` and understand servers up to their own version.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import literal, quoted
from warehouse.lake.extensions import connect
from warehouse.lake.postgres import program
from warehouse.settings import Settings

_PREFIX = "ducklake_"


def save_catalogue(settings: Settings, folder: Path) -> None:
    """Write every table of the catalogue as a Parquet file, all of one moment."""
    with _attached(settings, "READ_ONLY") as connection:
        for table in _tables(connection):
            target = literal(str(folder / f"{table}.parquet"))
            connection.execute(f"COPY (FROM catalogue.{quoted(table)}) TO {target} (FORMAT parquet)")


def has_catalogue(settings: Settings) -> bool:
    """Whether the database holds a catalogue already."""
    with _attached(settings, "READ_ONLY") as connection:
        return bool(_tables(connection))


def load_catalogue(settings: Settings, folder: Path) -> None:
    """Fill an empty database with the saved catalogue, in one transaction."""
    # DuckLake makes its tables, with their types and keys; the rows that it puts into them give way to the saved ones.
    scratch = connect(extensions=("ducklake", "postgres_scanner"))
    try:
        path = literal(str(settings.home_path / "data") + "/")
        scratch.execute(f"ATTACH {literal('ducklake:postgres:' + settings.catalog)} AS lake (DATA_PATH {path})")
    finally:
        scratch.close()
    with _attached(settings, "") as connection:
        present = set(_tables(connection))
        for table in present:
            connection.execute(f"DELETE FROM catalogue.{quoted(table)}")
        for file in sorted(folder.glob("*.parquet")):
            name, rows = f"catalogue.{quoted(file.stem)}", f"FROM read_parquet({literal(str(file))})"
            if file.stem in present:
                connection.execute(f"INSERT INTO {name} BY NAME {rows}")
            else:
                connection.execute(f"CREATE TABLE {name} AS {rows}")


def dump(url: str, target: Path, settings: Settings) -> None:
    """Write all of a database into one file, readable by its owner only.

    Raises:
        LakeError: the server is newer than the program, or cannot be reached.
    """
    target.touch(0o600)
    _run("pg_dump", ["--format=custom", "--no-owner", "--no-acl", f"--file={target}", f"--dbname={url}"], settings)


def restore_dump(url: str, source: Path, settings: Settings) -> None:
    """Fill an empty database with a dump, whole or not at all.

    Raises:
        LakeError: the database is not empty, or cannot be reached.
    """
    options = ["--no-owner", "--no-acl", "--exit-on-error", "--single-transaction", f"--dbname={url}", str(source)]
    _run("pg_restore", options, settings)


def _run(name: str, arguments: list[str], settings: Settings) -> None:
    done = subprocess.run(  # noqa: S603  our own command
        [str(program(name)), *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise LakeError(
            f"{name} failed: " + settings.blotted(done.stderr.strip())[-500:],
            where="GRIDLAKE_SUPERSET_METADATA",
            fix="is PostgreSQL up? To restore, the database must be empty. A newer server needs its own programs",
        )


@contextmanager
def _attached(settings: Settings, options: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session in one transaction over the catalogue's database."""
    connection = connect(extensions=("postgres_scanner",))
    try:
        listed = ", ".join(part for part in ("TYPE postgres", options) if part)
        connection.execute(f"ATTACH {literal(settings.catalog)} AS catalogue ({listed})")
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
    except duckdb.Error as error:
        raise LakeError(
            "the catalogue cannot be copied: " + settings.blotted(str(error)),
            where="GRIDLAKE_CATALOG",
            fix="is PostgreSQL up, and may the role read and create tables?",
        ) from None
    finally:
        connection.close()


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'catalogue' AND schema_name = 'public'"
        f" AND starts_with(table_name, '{_PREFIX}') ORDER BY ALL"
    ).fetchall()
    return [name for (name,) in rows]
