"""CSV files: header drift, other encodings than UTF-8, and rows that do not split into the header's columns."""

from __future__ import annotations

import codecs
import csv
import io
import uuid
from dataclasses import replace
from pathlib import Path

import duckdb

from pipelines.connectors.batch import Batch, UnreadableDelivery, json_of, numbered, readable, rest_of
from pipelines.connectors.files.csv_look import CsvShape, look_at_csv, recount_csv
from pipelines.connectors.files.reader import (
    BUFFER_BYTES,
    CHUNK_BYTES,
    MAX_LINE_BYTES,
    Look,
    SourceFile,
    by_shape,
    held_by,
)
from pipelines.sources.declared import DatasetSource
from warehouse.identifiers import literal

# Stands before the hexadecimal form of each damaged byte while a file is read; of no use in text.
_DAMAGE = "\U0010f7fd"


def _kept_visible(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return _DAMAGE + "".join(f"<{byte:02X}>" for byte in bad), error.end


codecs.register_error("gridlake_kept_visible", _kept_visible)


class CsvReader:
    """Reads CSV, plain or compressed."""

    def look(self, entry: DatasetSource, file: SourceFile) -> Look:
        """Encoding, delimiter, header and the number of rows."""
        return look_at_csv(entry, file)

    def recount(self, entry: DatasetSource, file: SourceFile) -> tuple[int, dict[str, int]]:
        """Rows and blank lines by Python's CSV reader."""
        return recount_csv(entry, file)

    def group(self, entry: DatasetSource, files: list[SourceFile]) -> list[list[SourceFile]]:
        """Files with the same encoding, delimiter and header stand together."""
        return by_shape(files)

    def open(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: DatasetSource,
        files: list[SourceFile],
        spool: Path,
        wanted: frozenset[str],
    ) -> Batch:
        """A batch over files of one shape; what DuckDB cannot read as it is goes through the spool first."""
        shape = files[0].look.shape
        if not isinstance(shape, CsvShape):
            raise TypeError("the files were not looked at")
        rewritten: list[Path] = []
        paths = [str(f.path) for f in files]
        if shape.encoding != "utf-8" or shape.is_damaged or shape.header_has_breaks:
            rewritten = [_rewrite(file, shape, spool) for file in files]
            paths = [str(path) for path in rewritten]
        columns = numbered(shape.header)
        mark = uuid.uuid4().hex[:12]
        types = ", ".join(f"'_c{n}': 'VARCHAR'" for n in range(len(columns)))
        listing = "[" + ", ".join(literal(path) for path in paths) + "]"
        relation = (
            f"(SELECT *, file_index AS _file FROM read_csv({listing}, columns = {{{types}}},"
            f" auto_detect = false, header = true, delim = {literal(shape.delimiter)}, quote = '\"', escape = '\"',"
            f" strict_mode = true, null_padding = false, max_line_size = {MAX_LINE_BYTES},"
            f" buffer_size = {BUFFER_BYTES}, hive_partitioning = false, store_rejects = true, rejects_limit = 0,"
            f" rejects_table = 'rejects_{mark}', rejects_scan = 'scans_{mark}'))"
        )

        def unreadable(session: duckdb.DuckDBPyConnection) -> str | None:
            ((count, unquoted),) = session.execute(
                f"SELECT count(*), min(line) FILTER (error_type = 'UNQUOTED VALUE') FROM rejects_{mark}"
            ).fetchall()
            if not count:
                return None
            if unquoted is not None:
                # From here on the reader has been seen to report rows twice and to lose their text.
                raise UnreadableDelivery(
                    f"a quote in row {unquoted} is not closed, or text follows it, so that the rows after it cannot be"
                    " told apart. Fix: ask the provider to quote values as in RFC 4180"
                )
            # One row may be reported once for each of its columns.
            return (
                f"SELECT list_position({listing}, any_value(s.file_path)) - 1 AS _file, r.line - 1 AS record,"
                " ltrim(any_value(r.csv_line), chr(10) || chr(13)) AS text,"
                " string_agg(DISTINCT r.error_message, '; ' ORDER BY r.error_message) AS problem"
                f" FROM rejects_{mark} r JOIN scans_{mark} s ON s.scan_id = r.scan_id AND s.file_id = r.file_id"
                " GROUP BY r.file_id, r.line"
            )

        def release() -> None:
            connection.execute(f"DROP TABLE IF EXISTS rejects_{mark}")
            connection.execute(f"DROP TABLE IF EXISTS scans_{mark}")
            for path in rewritten:
                path.unlink(missing_ok=True)

        original = json_of([replace(c, expression=f"coalesce({c.expression}, '')") for c in columns])
        damage = " OR ".join(f"contains({c.expression}, '{_DAMAGE}')" for c in columns)
        return Batch(
            deliveries=tuple(f.delivery for f in files),
            relation=relation,
            columns=columns,
            original=f"replace({original}, '{_DAMAGE}', '')" if shape.is_damaged else original,
            rest=rest_of(columns),
            unread=f"coalesce({damage}, false)" if shape.is_damaged else None,
            held=tuple(held_by(self, entry, f) for f in files),
            unreadable=unreadable,
            explain=_explain,
            release=release,
        )


def _explain(message: str) -> str:
    if "state machine reached an invalid state" in message:
        return (
            "the line ends are mixed (some CR LF, some LF or CR), so rows cannot be told apart. Fix: ask the provider"
            " for a file with one kind of line end"
        )
    return readable(message)


def _rewrite(file: SourceFile, shape: CsvShape, spool: Path) -> Path:
    """Write a file as UTF-8 with a header of one line into the spool; damaged bytes become visible."""
    spool.mkdir(parents=True, exist_ok=True)
    target = spool / f"{uuid.uuid4().hex}.csv"
    decoder = codecs.getincrementaldecoder(shape.encoding)("gridlake_kept_visible" if shape.is_damaged else "strict")
    with file.stream() as stream, target.open("w", encoding="utf-8", newline="") as out:
        start = decoder.decode(stream.read(CHUNK_BYTES)).removeprefix("\ufeff")
        lines = io.StringIO(start, newline="")
        next(csv.reader(lines, delimiter=shape.delimiter))
        header = start[: lines.tell()]
        out.write(shape.delimiter.join(f"_c{n}" for n in range(len(shape.header))))
        out.write(header[len(header.rstrip("\r\n")) :][-2:] or "\n")
        out.write(start[lines.tell() :])
        while block := stream.read(CHUNK_BYTES):
            out.write(decoder.decode(block))
        out.write(decoder.decode(b"", final=True))
    return target
