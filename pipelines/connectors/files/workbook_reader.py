"""XLSX workbooks: one sheet, its first filled row is the header, all cells as the text that the sheet shows.

Values come from the workbook library; what it would invent or leave out is put right from the second look
(`workbook_look`): numbers as they are written, leading zeros of a number format, error cells.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import duckdb
import fastexcel
import pyarrow as pa

from pipelines.connectors.batch import Batch, Column, Held, UnreadableDelivery, json_of, numbered, rest_of
from pipelines.connectors.files.reader import Look, SourceFile
from pipelines.connectors.files.workbook_look import EXACT_DIGITS, UNCOMPUTED, Book, Sheet
from pipelines.sources.declared import DatasetSource
from quality.told import ERROR_CELLS, HIDDEN_ROWS, HIDDEN_SHEETS, MERGED_CELLS, OTHER_SHEETS
from warehouse.identifiers import literal


class WorkbookReader:
    """Reads XLSX."""

    def look(self, entry: DatasetSource, file: SourceFile) -> Look:
        """That the package is whole and has the sheet; its rows are counted where it is opened."""
        Book.open(file.path).sheet(entry.sheet)
        return Look(file.delivery.size_bytes, None, shape=file.delivery.uri)

    def recount(self, entry: DatasetSource, file: SourceFile) -> tuple[int, dict[str, int]]:
        """Never asked: the count of the second look is exact."""
        raise NotImplementedError

    def group(self, entry: DatasetSource, files: list[SourceFile]) -> list[list[SourceFile]]:
        """Every workbook stands alone."""
        return [[file] for file in files]

    def open(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: DatasetSource,
        files: list[SourceFile],
        spool: Path,
        wanted: frozenset[str],
    ) -> Batch:
        """A batch over one workbook."""
        (file,) = files
        book = Book.open(file.path)
        sheet = book.sheet(entry.sheet)
        values = _values(file.path, book, sheet)
        mark = uuid.uuid4().hex[:12]
        cells, rows, registered = (f"workbook_{part}_{mark}" for part in ("cells", "rows", "values"))
        try:
            book.cells(connection, sheet, cells)
            connection.register(registered, values)
            header_row, names = _header(connection, registered, values.num_columns)
            offset = _offset(connection, cells, values.num_columns)
            connection.execute(f"CREATE TEMP TABLE {rows} AS {_rows(registered, cells, header_row, offset, names)}")
            held = _held(connection, book, sheet, cells, header_row)
        finally:
            connection.unregister(registered)
            connection.execute(f"DROP TABLE IF EXISTS {cells}")
        columns = tuple(
            Column(
                column.name,
                column.expression,
                header=column.header,
                inexact=f"list_contains(_inexact, {number})",
                failed=f"list_contains(_failed, {number})",
            )
            for number, column in enumerate(numbered(names))
        )

        def release() -> None:
            connection.execute(f"DROP TABLE IF EXISTS {rows}")

        problem = "CASE WHEN _problem IS NULL THEN '{}' ELSE json_object('problem', _problem) END"
        return Batch(
            deliveries=(file.delivery,),
            relation=f"(SELECT *, 0 AS _file FROM {rows})",
            columns=columns,
            original=f"CAST(json_merge_patch({json_of(columns)}, {problem}) AS VARCHAR)",
            rest=rest_of(columns),
            held=(held,),
            release=release,
        )


def _values(path: Path, book: Book, sheet: Sheet) -> pa.Table:
    """The cells as text in the columns `_c0` …, one row for each row of the sheet from the first on.

    Raises:
        UnreadableDelivery: the sheet cannot be read, or is empty.
    """
    try:
        found = fastexcel.read_excel(path).load_sheet(sheet.name, header_row=None, skip_rows=0, dtypes="string")
        batch = found.to_arrow()
    except fastexcel.FastExcelError as error:
        raise UnreadableDelivery(
            f"the sheet of the workbook cannot be read ({type(error).__name__}). Fix: check `sheet` and the file"
        ) from None
    if not batch.num_rows or not batch.num_columns:
        raise UnreadableDelivery("the sheet of the workbook is empty. Fix: check `sheet` and the file")
    table = pa.Table.from_batches([batch]).rename_columns([f"_c{n}" for n in range(batch.num_columns)])
    return table.append_column("_row", pa.array(range(1, table.num_rows + 1), pa.int64()))


def _header(connection: duckdb.DuckDBPyConnection, values: str, width: int) -> tuple[int, list[str]]:
    """Row and names of the header: the first row that holds anything."""
    listing = ", ".join(f"_c{n}" for n in range(width - 1))
    row = connection.execute(
        f"SELECT _row, {listing} FROM {values} WHERE coalesce({listing}) IS NOT NULL ORDER BY _row LIMIT 1"
    ).fetchone()
    if row is None:
        raise UnreadableDelivery("there is no header row. Fix: ask the provider for a sheet with column names")
    return int(row[0]), [str(name or "").strip() for name in row[1:]]


def _offset(connection: duckdb.DuckDBPyConnection, cells: str, width: int) -> int:
    """How many columns stand empty before the first; the library leaves them out.

    Raises:
        UnreadableDelivery: library and second look do not see the same columns.
    """
    for condition in ("kind <> 'uncomputed'", "true"):
        ((first, last),) = connection.execute(f"SELECT min(col), max(col) FROM {cells} WHERE {condition}").fetchall()
        if first is not None and last - first + 1 == width - 1:
            return int(first) - 1
    raise UnreadableDelivery(
        f"the sheet holds columns {first} to {last}, but {width - 1} were read. Fix: save the workbook again with a"
        " spreadsheet program"
    )


def _rows(values: str, cells: str, header_row: int, offset: int, names: list[str]) -> str:
    """SQL of the rows with what the second look knows better.

    `_inexact` and `_failed` are the numbers of columns whose value cannot be taken at its word: a number of more
    digits than a workbook keeps, a cell without a value. `_problem` names the cells.
    """
    width = len(names)
    number = "TRY_CAST(value AS DOUBLE)"
    shortest = f"CAST({number} AS VARCHAR)"
    significant = (
        f"length(ltrim(regexp_replace(regexp_replace({shortest}, '[eE].*$', ''), '\\.0$|[-.]', '', 'g'), '0'))"
    )
    is_inexact = (
        f"(kind = 'number' AND coalesce(abs({number}) >= 1e{EXACT_DIGITS} OR {significant} > {EXACT_DIGITS}, true))"
    )
    plain = (
        f"CASE WHEN regexp_full_match(value, '-?[0-9]+') THEN value ELSE regexp_replace({shortest}, '\\.0$', '') END"
    )
    text = (
        f"CASE kind WHEN 'error' THEN value WHEN 'uncomputed' THEN {literal(UNCOMPUTED)}"
        f" WHEN 'number' THEN CASE WHEN {number} = 0 AND digits = 0 THEN '0' WHEN digits > 0"
        f" AND regexp_full_match({plain}, '[0-9]+')"
        f" THEN lpad({plain}, CAST(greatest(digits, length({plain})) AS INTEGER), '0')"
        f" ELSE {plain} END END"
    )
    place = "chr(64 + CAST(col AS INTEGER))"
    letters = f"CASE WHEN col <= 26 THEN {place} ELSE 'column ' || col || ' row ' END || row"
    reason = (
        f"CASE WHEN kind = 'error' THEN 'holds an error' WHEN kind = 'uncomputed' THEN 'is a formula without a stored"
        f" result' ELSE 'is a number of more than {EXACT_DIGITS} digits: store it as text' END"
    )
    overrides = ", ".join(f"any_value(text) FILTER (col = {n + 1 + offset}) AS _o{n}" for n in range(width))
    found = f"""
        SELECT row, {overrides}, list(col - {offset + 1}) FILTER (is_inexact) AS _inexact,
               list(col - {offset + 1}) FILTER (kind IN ('error', 'uncomputed')) AS _failed,
               string_agg({letters} || ' ' || {reason}, '; ' ORDER BY col)
                   FILTER (is_inexact OR kind IN ('error', 'uncomputed')) AS _problem
        FROM (SELECT *, {text} AS text, {is_inexact} AS is_inexact FROM {cells} WHERE kind <> 'other') GROUP BY row"""
    # A number that the library took for a date stays a date.
    chosen = ", ".join(
        f"CASE WHEN _c{n} IS NULL OR TRY_CAST(_c{n} AS DOUBLE) IS NOT NULL THEN coalesce(_o{n}, _c{n}) ELSE _c{n} END"
        f" AS _c{n}"
        for n in range(width)
    )
    filled = ", ".join(f"_c{n}, _o{n}" for n in range(width))
    return (
        f"SELECT {chosen}, _inexact, _failed, _problem FROM {values} v LEFT JOIN ({found}) o ON o.row = v._row"
        f" WHERE v._row > {header_row} AND coalesce({filled}) IS NOT NULL ORDER BY v._row"
    )


def _held(connection: duckdb.DuckDBPyConnection, book: Book, sheet: Sheet, cells: str, header_row: int) -> Held:
    ((rows, hidden, failed),) = connection.execute(
        f"SELECT count(DISTINCT row), count(DISTINCT row) FILTER (is_hidden), count(*) FILTER (kind IN ('error',"
        f" 'uncomputed')) FROM {cells} WHERE row > {header_row}"
    ).fetchall()
    told = {
        ERROR_CELLS: failed,
        HIDDEN_ROWS: hidden,
        HIDDEN_SHEETS: int(sheet.is_hidden),
        MERGED_CELLS: book.merged(sheet, header_row),
        OTHER_SHEETS: book.filled_besides(sheet),
    }
    return Held(int(rows), tuple((kind, count) for kind, count in told.items() if count))
