"""One look at a CSV file before it is read: encoding, delimiter, header, how many rows, whether it ends as it should.

It shares no code with the reader that brings the rows, so that the two can be compared. Bytes are counted in
whole blocks; only the header is taken apart in Python.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.connectors.batch import UnreadableDelivery
from pipelines.connectors.files.reader import CHUNK_BYTES, MAX_LINE_BYTES, Look, SourceFile, must_be_filled
from pipelines.sources.declared import DatasetSource
from quality.told import BLANK_LINES, UNENDED_LAST_ROW

_DELIMITERS = ",;\t|"
# So many characters of more than one byte are valid UTF-8 by chance in no other encoding.
_CLEARLY_UTF8 = 8
# The longer one first: a UTF-32 mark begins with one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# All bytes but the ones that tell lines apart.
_NO_SIGNS = bytes(set(range(256)) - set(b'"\r\n'))
csv.field_size_limit(MAX_LINE_BYTES)


@dataclass(frozen=True)
class CsvShape:
    """What CSV files must share to be read together.

    `is_damaged` says that bytes of it are no UTF-8 although the file is; `header_has_breaks` that a name of the
    header goes over several lines.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    is_damaged: bool
    header_has_breaks: bool


class _Tally:
    """What is counted while a file passes by, block by block."""

    def __init__(self) -> None:
        self.size = 0
        self.line_feeds = 0
        self.returns = 0
        self.is_inside_quotes = False
        self.tail = b""
        self.valid = 0
        self.damaged = 0
        self.first_damage: tuple[int, int] | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, block: bytes) -> None:
        self._decode(block)
        self._count_lines(block)
        self.size += len(block)
        self.tail = (self.tail + block)[-CHUNK_BYTES:] if len(block) < CHUNK_BYTES else block

    def _count_lines(self, block: bytes) -> None:
        """Line ends outside of quotes: those with an even number of quotes before them."""
        if b'"' not in block:
            if not self.is_inside_quotes:
                # Compared as a whole and then summed up: a search would stop at every line.
                view = np.frombuffer(block, dtype=np.uint8)
                self.line_feeds += int(np.count_nonzero(view == ord("\n")))
                # They end lines only where there are no line feeds.
                self.returns += 0 if self.line_feeds else int(np.count_nonzero(view == ord("\r")))
            return
        signs = np.frombuffer(block.translate(None, _NO_SIGNS), dtype=np.uint8)
        quotes = signs == ord('"')
        outside = np.logical_xor.accumulate(quotes) == self.is_inside_quotes
        self.line_feeds += int(np.count_nonzero(outside & (signs == ord("\n"))))
        self.returns += int(np.count_nonzero(outside & (signs == ord("\r"))))
        self.is_inside_quotes ^= bool(np.count_nonzero(quotes) % 2)

    def _decode(self, block: bytes) -> None:
        """Count characters of more than one byte that are UTF-8, and places that are not."""
        if block.isascii() and not self._decoder.getstate()[0]:
            return
        text = self._decoder.decode(block)
        damaged = text.count("\ufffd") - block.count(b"\xef\xbf\xbd")
        if damaged > 0 and self.first_damage is None:
            place = text.find("\ufffd")
            self.first_damage = (
                self.size + len(text[:place].encode()),
                self.line_feeds + text.count("\n", 0, place) + 1,
            )
        self.damaged += max(damaged, 0)
        self.valid += len(text) - int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) < 0x80)) - max(damaged, 0)

    def end(self) -> None:
        """The file is over; a character that has only begun is damaged."""
        if self._decoder.decode(b"", final=True):
            self.damaged += 1
            self.first_damage = self.first_damage or (self.size, self.line_feeds + 1)


def look_at_csv(entry: DatasetSource, file: SourceFile) -> Look:
    """Encoding, delimiter, header and number of rows of a file; see `Look`.

    Raises:
        UnreadableDelivery: no declared encoding fits, there is no header, or the file ends inside its last row.
    """
    tally = _Tally()
    start = b""
    marked = _marked_encoding(file)
    for block in blocks(file, marked):
        start = start or block
        tally.add(block)
    tally.end()
    must_be_filled(tally.size)
    encoding, is_damaged = (marked, False) if marked else _encoding(entry, file, tally)
    text = codecs.getincrementaldecoder("utf-8" if marked else encoding)("replace").decode(start).removeprefix("\ufeff")
    delimiter, header, header_length = _header(text, entry.delimiter)
    if any("\ufffd" in name for name in header):
        raise UnreadableDelivery(
            f"the header is not {encoding}. Fix: declare the file's encoding under `encoding`, for example gb18030"
        )
    shape = CsvShape(
        encoding,
        delimiter,
        tuple(name.strip() for name in header),
        is_damaged,
        "\n" in text[:header_length].rstrip("\r\n") or "\r" in text[:header_length].rstrip("\r\n"),
    )
    is_ended = tally.tail.endswith((b"\n", b"\r"))
    if not is_ended:
        _refuse_cut_row(tally, delimiter, len(header))
    line_ends = tally.line_feeds or tally.returns
    rows = line_ends - (0 if is_ended else -1) - 1
    told = [] if is_ended or rows <= 0 else [(UNENDED_LAST_ROW, 1)]
    if len(header) > 1 and is_ended:
        ending = tally.tail[len(tally.tail.rstrip(b"\r\n")) :]
        blank = max(0, (ending.count(b"\n") or ending.count(b"\r")) - 1)
        rows -= blank
        told += [(BLANK_LINES, blank)] if blank else []
    return Look(tally.size, max(rows, 0), tuple(told), shape, is_ended)


def recount_csv(entry: DatasetSource, file: SourceFile) -> tuple[int, dict[str, int]]:
    """Rows and blank lines, counted value by value by Python's own CSV reader.

    Raises:
        UnreadableDelivery: it cannot tell the rows apart.
    """
    shape = file.look.shape
    if not isinstance(shape, CsvShape):
        raise TypeError("the file was not looked at")
    rows = blank = 0
    try:
        with file.stream() as stream:
            text = io.TextIOWrapper(stream, encoding=shape.encoding, errors="replace", newline="")
            for record in csv.reader(text, delimiter=shape.delimiter):
                if len(shape.header) > 1 and not record:
                    blank += 1
                else:
                    rows += 1
    except csv.Error as error:
        raise UnreadableDelivery(f"rows cannot be told apart ({error}). Fix: ask the provider for RFC 4180") from None
    told = dict(file.look.told)
    told.pop(BLANK_LINES, None)
    return rows - 1, told | ({BLANK_LINES: blank} if blank else {})


def blocks(file: SourceFile, encoding: str | None) -> Iterator[bytes]:
    """The content in blocks; of an encoding whose line ends are no single bytes (UTF-16) as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)() if encoding else None
    done = 0
    try:
        with file.stream() as stream:
            while block := stream.read(CHUNK_BYTES):
                yield block if decoder is None else decoder.decode(block).encode()
                done += len(block)
            if decoder is not None:
                decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnreadableDelivery(
            f"is not {encoding} near byte {done + error.start}. Fix: ask the provider to deliver it again"
        ) from None


def _marked_encoding(file: SourceFile) -> str | None:
    """The encoding that a byte order mark names, if it is another than UTF-8."""
    with file.stream() as stream:
        start = stream.read(4)
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def _encoding(entry: DatasetSource, file: SourceFile, tally: _Tally) -> tuple[str, bool]:
    """The encoding of a file without a mark, and whether bytes of it are damaged.

    What is mostly UTF-8 is UTF-8: another encoding would turn all its text into other text, without an error.
    """
    declared = list(dict.fromkeys(codecs.lookup(name).name for name in entry.encoding))
    byte, line = tally.first_damage or (0, 0)
    is_utf8 = tally.damaged == 0 or tally.valid > 2 * tally.damaged
    if is_utf8 and "utf-8" in declared:
        return "utf-8", tally.damaged > 0
    if is_utf8 and tally.valid >= _CLEARLY_UTF8:
        raise UnreadableDelivery(f"is utf-8 and not {declared[0]}. Fix: add utf-8 under `encoding`")
    for encoding in declared:
        if encoding != "utf-8" and _decodes(file, encoding):
            return encoding, False
    if len(declared) == 1:
        place = f"in line {line} (byte {byte})" if declared == ["utf-8"] else _damage(file, declared[0])
        raise UnreadableDelivery(f"is not {declared[0]} {place}. Fix: declare its encoding under `encoding`")
    raise UnreadableDelivery(
        f"is in none of the declared encodings {declared}; it is not utf-8 in line {line} (byte {byte})."
        " Fix: add its encoding under `encoding`"
    )


def _decodes(file: SourceFile, encoding: str) -> bool:
    try:
        for _ in blocks(file, encoding):
            pass
    except UnreadableDelivery:
        return False
    return True


def _damage(file: SourceFile, encoding: str) -> str:
    try:
        for _ in blocks(file, encoding):
            pass
    except UnreadableDelivery as error:
        return error.problem.removeprefix(f"is not {encoding} ").partition(". Fix")[0]
    return ""


def _header(text: str, declared: str | None) -> tuple[str, list[str], int]:
    """Delimiter, names and length of the header, given the start of the file.

    Raises:
        UnreadableDelivery: there is none.
    """
    found: list[tuple[str, list[str], int]] = []
    for delimiter in declared or _DELIMITERS:
        lines = io.StringIO(text, newline="")
        try:
            names = next(csv.reader(lines, delimiter=delimiter), [])
        except csv.Error as error:
            raise UnreadableDelivery(f"the header line cannot be read ({error}). Fix: see the file's start") from None
        found.append((delimiter, names, lines.tell()))
    best = max(found, key=lambda header: len(header[1]))
    if not any(name.strip() for name in best[1]):
        raise UnreadableDelivery("there is no header line. Fix: ask the provider for a file with column names")
    return best


def _refuse_cut_row(tally: _Tally, delimiter: str, width: int) -> None:
    """A last row without a line end and with fewer columns than the header was cut off.

    Raises:
        UnreadableDelivery: it was.
    """
    line = tally.tail.replace(b"\r", b"\n").rpartition(b"\n")[2]
    if tally.is_inside_quotes or line.count(b'"') % 2 or len(line) == len(tally.tail):
        return  # a value with line breaks in it: the reader tells where its quote is not closed
    (cells,) = csv.reader([line.decode("latin-1")], delimiter=delimiter)
    if len(cells) < width:
        raise UnreadableDelivery(
            f"the file ends inside its last row: {len(cells)} of {width} columns and no line end. It is cut off or"
            " still being written. Fix: ask the provider to deliver it again"
        )
