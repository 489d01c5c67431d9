"""CSV files: header drift, delimiters, encodings, and rows that do not split into the header's columns."""

from __future__ import annotations

import codecs
import csv
import io
import uuid
from dataclasses import replace
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from pipelines.connectors.reader import BUFFER_BYTES, MAX_LINE_BYTES, SourceFile
from pipelines.landing.batch import Batch, UnreadableDelivery, json_of, numbered, readable, rest_of
from pipelines.source import DatasetSource
from warehouse.identifiers import literal

_DELIMITERS = ",;\t|"
_CHUNK = 1 << 20
_HEADER_BYTES = 1 << 20


class CsvReader:
    """Reads CSV, plain or compressed."""

    def group(
        self, entry: DatasetSource, files: list[SourceFile]
    ) -> tuple[list[list[SourceFile]], list[tuple[SourceFile, str]]]:
        """Files with the same encoding, delimiter and header stand together."""
        groups: dict[tuple[str, str, tuple[str, ...]], list[SourceFile]] = {}
        problems: list[tuple[SourceFile, str]] = []
        for file in files:
            try:
                groups.setdefault(_shape(entry, file), []).append(file)
            except UnreadableDelivery as error:
                problems.append((file, error.problem))
        return list(groups.values()), problems

    def open(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: DatasetSource,
        files: list[SourceFile],
        spool: Path,
        wanted: frozenset[str],
    ) -> Batch:
        """A batch over files of one shape; other encodings than UTF-8 are rewritten into the spool first."""
        encoding, delimiter, header = _shape(entry, files[0])
        rewritten: list[Path] = []
        paths = [str(f.path) for f in files]
        if encoding != "utf-8":
            rewritten = [_rewrite(file, encoding, spool) for file in files]
            paths = [str(path) for path in rewritten]
        columns = numbered(header)
        mark = uuid.uuid4().hex[:12]
        types = ", ".join(f"'_c{n}': 'VARCHAR'" for n in range(len(header)))
        listing = "[" + ", ".join(literal(path) for path in paths) + "]"
        relation = (
            f"(SELECT *, file_index AS _file FROM read_csv({listing}, columns = {{{types}}},"
            f" auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"', escape = '\"',"
            f" strict_mode = true, null_padding = false, max_line_size = {MAX_LINE_BYTES},"
            f" buffer_size = {BUFFER_BYTES}, hive_partitioning = false, store_rejects = true, rejects_limit = 0,"
            f" rejects_table = 'rejects_{mark}', rejects_scan = 'scans_{mark}'))"
        )

        def unreadable(session: duckdb.DuckDBPyConnection) -> str | None:
            ((count, undecodable, unquoted),) = session.execute(
                "SELECT count(*), min(line) FILTER (error_type = 'INVALID ENCODING'),"
                f" min(line) FILTER (error_type = 'UNQUOTED VALUE') FROM rejects_{mark}"
            ).fetchall()
            if not count:
                return None
            if undecodable is not None:
                # The reader has replaced the bytes, so the line could not be kept as it was written.
                raise UnreadableDelivery(
                    f"is not {encoding} in line {undecodable}. Fix: declare its encoding under `encoding`"
                )
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

        return Batch(
            deliveries=tuple(f.delivery for f in files),
            relation=relation,
            columns=columns,
            original=json_of([replace(c, expression=f"coalesce({c.expression}, '')") for c in columns]),
            rest=rest_of(columns),
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


def _stream(file: SourceFile) -> IO[bytes]:
    if file.compression is None:
        return file.path.open("rb")
    stream: IO[bytes] = pa.input_stream(str(file.path), compression=file.compression)
    return stream


def _shape(entry: DatasetSource, file: SourceFile) -> tuple[str, str, tuple[str, ...]]:
    """Encoding, delimiter and header of a file.

    Raises:
        UnreadableDelivery: no declared encoding fits, or there is no header.
    """
    encoding = _encoding(entry, file)
    with _stream(file) as stream:
        start = stream.read(_HEADER_BYTES)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(start).removeprefix("\ufeff")
    first_line = text.partition("\n")[0]
    delimiter = entry.delimiter or max(_DELIMITERS, key=first_line.count)
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        raise UnreadableDelivery(f"the header line cannot be read ({error}). Fix: see the file's start") from None
    if not any(name.strip() for name in header):
        raise UnreadableDelivery("there is no header line. Fix: ask the provider for a file with column names")
    if any("\ufffd" in name for name in header):
        raise UnreadableDelivery(
            f"the header is not {encoding}. Fix: declare the file's encoding under `encoding`, for example gb18030"
        )
    return encoding, delimiter, tuple(name.strip() for name in header)


def _encoding(entry: DatasetSource, file: SourceFile) -> str:
    """The first declared encoding that decodes the whole file; a single one is taken at its word."""
    if len(entry.encoding) == 1:
        return codecs.lookup(entry.encoding[0]).name
    for encoding in entry.encoding:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with _stream(file) as stream:
                while chunk := stream.read(_CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return codecs.lookup(encoding).name
    raise UnreadableDelivery(
        f"is in none of the declared encodings {list(entry.encoding)}. Fix: add its encoding under `encoding`"
    )


def _rewrite(file: SourceFile, encoding: str, spool: Path) -> Path:
    """Write a file as UTF-8 into the spool.

    Raises:
        UnreadableDelivery: a byte does not decode; the message tells where it stands.
    """
    spool.mkdir(parents=True, exist_ok=True)
    target = spool / f"{uuid.uuid4().hex}.csv"
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    try:
        with _stream(file) as stream, target.open("w", encoding="utf-8", newline="") as out:
            while chunk := stream.read(_CHUNK):
                out.write(decoder.decode(chunk))
                done += len(chunk)
            out.write(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        target.unlink(missing_ok=True)
        raise UnreadableDelivery(
            f"is not {encoding} near byte {done + error.start}. Fix: declare its encoding under `encoding`"
        ) from None
    return target
