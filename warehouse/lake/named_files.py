"""The files that the lake's catalogue names: of the newest state, and of the history that time travel still reaches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse.identifiers import literal
from warehouse.settings import Settings

_PATH = """
    CASE WHEN f.path_is_relative THEN
        CASE WHEN t.path_is_relative THEN
            CASE WHEN s.path_is_relative THEN {folder} ELSE '' END || s.path
        ELSE '' END || t.path
    ELSE '' END || f.path"""
# A renamed table or schema has a row for each of its names: the newest counts.
_NEWEST = """
    SELECT * FROM __ducklake_metadata_lake.ducklake_{kind}
    QUALIFY row_number() OVER (PARTITION BY {kind}_id ORDER BY begin_snapshot DESC) = 1"""


@dataclass(frozen=True)
class NamedFile:
    """One Parquet file of the lake.

    Attributes:
        table: `schema.table`.
        path: where the file lies.
        row_count: rows in it; of a delete file, how many rows it takes away.
        byte_count: its size.
        is_delete: whether it holds places of deleted rows.
        is_current: whether the newest state needs it; else only the history does.
    """

    table: str
    path: Path
    row_count: int
    byte_count: int
    is_delete: bool
    is_current: bool


def data_folder(settings: Settings) -> Path:
    """The folder of the lake's Parquet files."""
    return settings.home_path / "data"


def named_files(
    connection: duckdb.DuckDBPyConnection, settings: Settings, *, newest: int | None = None
) -> list[NamedFile]:
    """Every file that the attached lake's catalogue names, or so many of the newest state's latest."""
    path = _PATH.format(folder=literal(f"{data_folder(settings)}/"))
    parts = [
        f"SELECT s.schema_name || '.' || t.table_name, {path}, f.{count}, f.file_size_bytes, {is_delete},"
        f" f.end_snapshot IS NULL AND t.end_snapshot IS NULL AND s.end_snapshot IS NULL, f.{key} AS key"
        f" FROM __ducklake_metadata_lake.ducklake_{kind} f"
        f" JOIN ({_NEWEST.format(kind='table')}) t USING (table_id)"
        f" JOIN ({_NEWEST.format(kind='schema')}) s USING (schema_id)"
        for kind, key, count, is_delete in (
            ("data_file", "data_file_id", "record_count", "false"),
            ("delete_file", "delete_file_id", "delete_count", "true"),
        )
    ]
    if newest is None:
        sql = f"FROM ({' UNION ALL '.join(parts)}) ORDER BY ALL"
    else:
        sql = f"{parts[0]} WHERE f.end_snapshot IS NULL ORDER BY key DESC LIMIT {newest:d}"
    return [
        NamedFile(table, Path(where), int(rows), int(size), bool(is_delete), bool(is_current))
        for table, where, rows, size, is_delete, is_current, _ in connection.execute(sql).fetchall()
    ]
