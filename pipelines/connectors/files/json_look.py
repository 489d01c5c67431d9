"""One look at a JSON file before it is read: how many rows it holds, counted without taking a value apart.

Of a document the elements of the array of rows are counted by their commas, outside of strings and at the array's
own depth, over whole blocks of bytes.
"""

from __future__ import annotations

import io
import json
import re

import numpy as np
import numpy.typing as npt

from pipelines.connectors.batch import BLANKS
from pipelines.connectors.files.reader import CHUNK_BYTES, Look, SourceFile, must_be_filled
from pipelines.sources.declared import DatasetSource
from quality.told import BLANK_LINES

_KEY = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:\s*$')
_KEY_BYTES = 4096
_QUOTE, _BACKSLASH, _COMMA = (ord(sign) for sign in '"\\,')
_STEP = np.zeros(256, dtype=np.int8)
_STEP[[ord(sign) for sign in "{["]] = 1
_STEP[[ord(sign) for sign in "}]"]] = -1
_IS_STRUCTURE = _STEP != 0
_IS_STRUCTURE[_COMMA] = True


def look_at_lines(file: SourceFile) -> Look:
    """The lines of a file of one JSON object a line."""
    size = line_ends = 0
    last = b""
    with file.stream() as stream:
        while block := stream.read(CHUNK_BYTES):
            size += len(block)
            line_ends += block.count(b"\n")
            last = block[-1:]
    must_be_filled(size)
    return Look(size, line_ends + (last != b"\n"))


def recount_lines(file: SourceFile) -> tuple[int, dict[str, int]]:
    """The lines that are not blank, and how many are."""
    rows = blank = 0
    with file.stream() as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline=""):
            if line.strip(BLANKS):
                rows += 1
            else:
                blank += 1
    return rows, {BLANK_LINES: blank} if blank else {}


def look_at_document(entry: DatasetSource, file: SourceFile) -> Look:
    """The elements of the array of rows; None where its path is no chain of plain names."""
    path = "$.features" if entry.format == "geojson" else entry.records
    is_plain = re.fullmatch(r"\$(\.[^.\[\]\"*]+)*", path) is not None
    counter = _ArrayCounter(path.split(".")[1:]) if is_plain else None
    size = 0
    with file.stream() as stream:
        while block := stream.read(CHUNK_BYTES):
            size += len(block)
            if counter is not None:
                counter.add(block)
    must_be_filled(size)
    return Look(size, None if counter is None else counter.count)


class _ArrayCounter:
    """Counts the elements of the arrays at one path, while the bytes of the file pass by."""

    def __init__(self, keys: list[str]) -> None:
        self.count = 0
        self._keys = keys
        self._depth = 0
        self._fitting = 0  # of the containers that are open, how many lie on the path
        self._is_in_string = False
        self._backslashes = 0
        self._before = b""
        self._is_empty = False  # in the array, and no element has begun

    def add(self, block: bytes) -> None:
        view = np.frombuffer(block, dtype=np.uint8)
        quotes = self._quotes(view)
        places = np.flatnonzero(_IS_STRUCTURE[view])
        outside = (np.searchsorted(quotes, places) + int(self._is_in_string)) % 2 == 0
        places = places[outside]
        signs = view[places]
        depths = self._depth + np.cumsum(_STEP[signs], dtype=np.int64)
        inside = len(self._keys) + 1
        commas = places[(signs == _COMMA) & (depths == inside)]
        is_turn = ((_STEP[signs] == 1) & (depths <= inside)) | ((_STEP[signs] == -1) & (depths < inside))
        since = 0
        for place, sign, depth in zip(
            places[is_turn].tolist(), signs[is_turn].tolist(), depths[is_turn].tolist(), strict=True
        ):
            self._count(block, commas, since, place)
            since = place + 1
            if _STEP[sign] == 1:
                self._open(block, place, sign, depth)
            else:
                self._fitting = min(self._fitting, depth)
        self._count(block, commas, since, len(block))
        self._depth = int(depths[-1]) if len(depths) else self._depth
        self._is_in_string ^= bool(len(quotes) % 2)
        self._before = (self._before + block)[-_KEY_BYTES:]

    def _quotes(self, view: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """The places of quotes that no backslash escapes."""
        quotes = np.flatnonzero(view == _QUOTE)
        is_backslash = view == _BACKSLASH
        carried = self._backslashes
        if not is_backslash.any():
            self._backslashes = 0
            return quotes[1:] if carried % 2 and len(quotes) and quotes[0] == 0 else quotes
        last_other = np.maximum.accumulate(np.where(is_backslash, -1, np.arange(len(view))))
        before = np.where(quotes > 0, last_other[quotes - 1], -1)
        runs = quotes - 1 - before + np.where(before == -1, carried, 0)
        end = int(last_other[-1])
        self._backslashes = len(view) - 1 - end + (carried if end == -1 else 0)
        unescaped: npt.NDArray[np.int64] = quotes[runs % 2 == 0]
        return unescaped

    def _is_in_array(self) -> bool:
        return self._fitting == len(self._keys) + 1

    def _open(self, block: bytes, place: int, sign: int, depth: int) -> None:
        """A container begins: see whether it lies on the path."""
        if self._fitting != depth - 1:
            return
        is_last = depth == len(self._keys) + 1
        if sign != ord("[" if is_last else "{"):
            return
        if depth > 1:
            key = _KEY.search((self._before + block[max(0, place - _KEY_BYTES) : place])[-_KEY_BYTES:])
            if key is None or json.loads(b'"' + key[1] + b'"') != self._keys[depth - 2]:
                return
        self._fitting = depth
        self._is_empty = is_last

    def _count(self, block: bytes, commas: npt.NDArray[np.int64], since: int, until: int) -> None:
        if not self._is_in_array():
            return
        if self._is_empty and block[since:until].strip():
            self._is_empty = False
            self.count += 1
        self.count += int(np.searchsorted(commas, until) - np.searchsorted(commas, since))
