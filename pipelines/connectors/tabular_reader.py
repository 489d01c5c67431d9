"""Parquet files and workbooks: tables that bring their own columns."""

from __future__ import annotations

import uuid
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.connectors.reader import SourceFile
from pipelines.landing.batch import Batch, Delivery, UnreadableDelivery, json_of, numbered, rest_of
from pipelines.source import DatasetSource
from warehouse.identifiers import literal, quoted


class ParquetReader:
    """Reads Parquet; values keep their native type until the contract casts them."""

    def group(
        self, entry: DatasetSource, files: list[SourceFile]
    ) -> tuple[list[list[SourceFile]], list[tuple[SourceFile, str]]]:
        """Files with the same column names and types stand together."""
        groups: dict[str, list[SourceFile]] = {}
        problems: list[tuple[SourceFile, str]] = []
        for file in files:
            try:
                groups.setdefault(str(pq.read_schema(file.path)), []).append(file)
            except (pa.ArrowInvalid, OSError) as error:
                problems.append((file, f"is not a Parquet file ({error}). Fix: ask the provider to deliver it again"))
        return list(groups.values()), problems

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
        return typed_batch(
            connection,
            f"read_parquet({listing}, hive_partitioning = false)",
            tuple(f.delivery for f in files),
        )


class WorkbookReader:
    """Reads XLSX: one sheet, first row is the header, all cells as text."""

    def group(
        self, entry: DatasetSource, files: list[SourceFile]
    ) -> tuple[list[list[SourceFile]], list[tuple[SourceFile, str]]]:
        """Every workbook stands alone."""
        return [[file] for file in files], []

    def open(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: DatasetSource,
        files: list[SourceFile],
        spool: Path,
        wanted: frozenset[str],
    ) -> Batch:
        """A batch over one workbook."""
        import polars as pl  # 0.3 s, and few sources are workbooks

        (file,) = files
        sheet: dict[str, int | str] = {"sheet_id" if isinstance(entry.sheet, int) else "sheet_name": entry.sheet}
        try:
            frame = pl.read_excel(file.path, engine="calamine", infer_schema_length=0, drop_empty_rows=True, **sheet)  # type: ignore[call-overload]
        except Exception as error:  # the workbook library has no common error class
            raise UnreadableDelivery(
                f"sheet {entry.sheet!r} of the workbook cannot be read ({error}). Fix: check `sheet` and the file"
            ) from None
        table = frame.to_arrow()
        name = f"workbook_{uuid.uuid4().hex[:12]}"
        columns = numbered([column.strip() for column in table.column_names])
        connection.register(name, table.rename_columns([f"_c{n}" for n in range(table.num_columns)]))

        def release() -> None:
            connection.unregister(name)

        return Batch(
            deliveries=(file.delivery,),
            relation=f"(SELECT *, 0 AS _file FROM {name})",
            columns=columns,
            original=json_of(columns),
            rest=rest_of(columns),
            release=release,
        )


def typed_batch(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    deliveries: tuple[Delivery, ...],
    *,
    file: str = "file_index",
) -> Batch:
    """A batch over a FROM item whose columns have types of their own (Parquet, a database table)."""
    described = [row[:2] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    columns = numbered([name for name, _ in described], text=[kind == "VARCHAR" for _, kind in described])
    listing = ", ".join(f"{quoted(name)} AS _c{n}" for n, (name, _) in enumerate(described))
    return Batch(
        deliveries=deliveries,
        relation=f"(SELECT {listing}, {file} AS _file FROM {source})",
        columns=columns,
        original=json_of(columns),
        rest=rest_of(columns),
    )
