"""Parquet files and tables of a database: they bring columns with types of their own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.connectors.batch import Batch, Column, Delivery, UnreadableDelivery, json_of, numbered, rest_of
from pipelines.connectors.files.reader import Look, SourceFile, by_shape, held_by
from pipelines.sources.declared import DatasetSource
from warehouse.identifiers import literal, quoted

# Decimal digits that survive the way into a float and back.
_EXACT_DIGITS = {"DOUBLE": 15, "FLOAT": 6}

_INSTANT = "TIMESTAMP WITH TIME ZONE"
# DuckDB's type of a column of GeoParquet.
_CRS = re.compile(r"GEOMETRY\('(.*)'\)", re.DOTALL)


class ParquetReader:
    """Reads Parquet; values keep their native type until the contract casts them."""

    def look(self, entry: DatasetSource, file: SourceFile) -> Look:
        """The rows that the footer counts."""
        try:
            footer = pq.read_metadata(file.path)
        except (pa.ArrowInvalid, OSError):
            raise UnreadableDelivery("is not a Parquet file. Fix: ask the provider to deliver it again") from None
        return Look(file.delivery.size_bytes, footer.num_rows, shape=str(footer.schema.to_arrow_schema()))

    def recount(self, entry: DatasetSource, file: SourceFile) -> tuple[int, dict[str, int]]:
        """The footer's count is exact at once."""
        return file.look.row_count or 0, {}

    def group(self, entry: DatasetSource, files: list[SourceFile]) -> list[list[SourceFile]]:
        """Files with the same column names and types stand together."""
        return by_shape(files)

    def open(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: DatasetSource,
        files: list[SourceFile],
        spool: Path,
        wanted: frozenset[str],
    ) -> Batch:
        """A batch over files of one schema."""
        listing = "[" + ", ".join(literal(str(f.path)) for f in files) + "]"
        source = f"read_parquet({listing}, hive_partitioning = false)"
        batch = typed_batch(connection, source, tuple(f.delivery for f in files))
        return replace(batch, held=tuple(held_by(self, entry, file) for file in files))


def typed_batch(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    deliveries: tuple[Delivery, ...],
    *,
    file: str = "file_index",
    extra: str | None = None,
) -> Batch:
    """A batch over a FROM item whose columns have types of their own (Parquet, a database table).

    `extra` is a column of it that is no source column, which the relation keeps under its name.
    """
    described = [row[:2] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    described = [(name, kind) for name, kind in described if name != extra]
    plain = numbered([name for name, _ in described], text=[kind in ("VARCHAR", _INSTANT) for _, kind in described])
    columns = tuple(_guarded(column, kind) for column, (_, kind) in zip(plain, described, strict=True))
    # An instant as text that carries its offset (the session's zone is UTC), and is then read as any other text.
    values = [f"CAST({quoted(name)} AS VARCHAR)" if kind == _INSTANT else quoted(name) for name, kind in described]
    listing = ", ".join(f"{value} AS _c{n}" for n, value in enumerate(values))
    return Batch(
        deliveries=deliveries,
        relation=f"(SELECT {listing}{f', {extra}' if extra else ''}, {file} AS _file FROM {source})",
        columns=columns,
        original=json_of(columns),
        rest=rest_of(columns),
    )


def _guarded(column: Column, kind: str) -> Column:
    """A column of floats: as text without `.0`, and inexact beyond the digits that a float holds for certain.

    A column of shapes tells their system of coordinates, if its file does; bytes may be shapes.
    """
    if kind == "BLOB":
        return replace(column, as_shape=f"hex({column.expression})")
    told = _CRS.fullmatch(kind)
    if told:
        return replace(column, crs=frozenset({told[1]}))
    digits = _EXACT_DIGITS.get(kind)
    if digits is None:
        return column
    value = column.expression
    text = f"CAST({value} AS VARCHAR)"
    significant = rf"ltrim(regexp_replace(regexp_replace({text}, 'e.*$', ''), '\.0$|[-.]', '', 'g'), '0')"
    inexact = f"NOT isfinite({value}) OR abs({value}) >= 1e{digits} OR length({significant}) > {digits}"
    return replace(column, inexact=inexact, as_text=rf"regexp_replace({text}, '\.0$', '')")
