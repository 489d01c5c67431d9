"""What a connector hands to landing: source rows with one header, and the deliveries they came in."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from warehouse.identifiers import literal
from warehouse.lake.storage import explained


@dataclass(frozen=True)
class Delivery:
    """One delivery: a file with its content, or one pull from a service or a database.

    `uri` is what a person would recognise: the path below the source's folder, or the address without
    secrets. `captures` are values taken from the path; `follows` is the delivery that the path held before.
    """

    uri: str
    content_hash: str
    size_bytes: int = 0
    modified_ns: int = 0
    captures: tuple[tuple[str, str], ...] = ()
    follows: str = ""

    def delivery_id(self, dataset: str) -> str:
        """Identity of the delivery: what the path holds, after what it held before."""
        text = "\0".join((dataset, self.uri, self.content_hash, *([self.follows] if self.follows else [])))
        return f"{dataset}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


@dataclass(frozen=True)
class Refusal:
    """A delivery that was not landed at all; none of its rows is in the lake. Only a file has a `content_hash`."""

    dataset: str
    uri: str
    problem: str
    content_hash: str = ""


@dataclass(frozen=True)
class Held:
    """What a delivery holds, counted without the reader that brings its rows.

    `row_count` is a quick count; `recount` gives the exact one, and what it would tell, where the two differ.
    `told` is what was met and is worth telling (see `quality.told`).
    """

    row_count: int
    told: tuple[tuple[str, int], ...] = ()
    recount: Callable[[], tuple[int, dict[str, int]]] | None = None


@dataclass(frozen=True)
class Column:
    """One source column: its name and the SQL expression that reads it from the batch's relation.

    `header` is the name as the header has it. `inexact` and `failed` are SQL conditions under which the value
    cannot be taken at its word: it came through a float that does not hold it, or there is an error in its place.
    `as_text` is its expression as text where a plain cast would not do, `as_shape` the one of a shape's bytes in
    hexadecimal digits. `crs` are the systems of coordinates that deliveries tell of the shapes in it.
    """

    name: str
    expression: str
    is_text: bool = True
    header: str = ""
    inexact: str | None = None
    failed: str | None = None
    as_text: str | None = None
    as_shape: str | None = None
    crs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Batch:
    """Source rows that share one header.

    Args:
        deliveries: the deliveries of the batch; the relation's column `_file` is an index into them.
        relation: a FROM item; its rows are in delivery order, then in source order. Its column names start
            with `_`, so that they never meet a contract's field: `_file`, `_c0`, `_c1` … or `_doc`.
        columns: the source columns, in source order, each with a name of its own.
        original: expression of the source row as JSON text, for quarantine.
        rest: expression of the columns no field uses as JSON text, given the names of those that are used.
        unreadable: once the relation has been read: SQL giving `(_file, record, text, problem)` of the rows
            that the reader could not split into columns, or None; `record` counts from 1.
        unread: condition of the relation's rows that are no rows (a JSON line that is not JSON).
        names: for each delivery the names its rows carry, or None where it has no rows; None for all where
            `columns` is a header that every delivery has.
        held: what each delivery holds, to be compared with the rows of the relation; None, or nothing for all,
            where only the reader can tell.
        verify: asked once the relation has been read: raises `UnreadableDelivery` where the source changed
            meanwhile.
        explain: what DuckDB's message means for the one who has to mend it, without secrets.
        mode: `append` lands all rows; `changes` drops rows which the lake already holds unchanged;
            `whole_table` does that and also marks keys that are gone.
        cursor_from: where an incremental pull began.
        position: `position_of` the data set when the pull began; checked again before writing.
        is_one_answer: whether no row can have moved while the batch was read.
        again: the same pull made once more.
        release: gives back what the batch holds (temporary files and tables).
        halves: where the reader fails on several deliveries together: the same ones in smaller batches.
    """

    deliveries: tuple[Delivery, ...]
    relation: str
    columns: tuple[Column, ...]
    original: str
    rest: Callable[[frozenset[str]], str | None]
    unreadable: Callable[[duckdb.DuckDBPyConnection], str | None] = lambda _: None
    unread: str | None = None
    names: tuple[frozenset[str] | None, ...] | None = None
    held: tuple[Held | None, ...] = ()
    verify: Callable[[], None] = lambda: None
    explain: Callable[[str], str] = lambda message: readable(message)
    mode: Literal["append", "changes", "whole_table"] = "append"
    cursor_from: str | None = None
    position: int = 0
    is_one_answer: bool = True
    again: Callable[[], Batch] | None = None
    release: Callable[[], None] = lambda: None
    halves: Callable[[], Iterator[Batch | Refusal]] | None = None


# Every character that shows nothing: blanks of all widths, and those without any.
BLANKS = "".join(
    map(
        chr,
        (
            *(0x09, 0x0A, 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x180E),
            *range(0x2000, 0x2010),
            *(0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF),
        ),
    )
)
_NO_BLANKS = str.maketrans("", "", BLANKS)


def plain_name(name: str) -> str:
    """A column's name as it is compared: without blanks and line breaks, in one width and case."""
    return unicodedata.normalize("NFKC", name.translate(_NO_BLANKS)).casefold()


# Lines after the first that do not quote the source, and kinds of errors that speak of names only.
_EXPLAINING = ("Expected", "Error:")
_ABOUT_NAMES = ("Binder Error", "Catalog Error")


def readable(message: str) -> str:
    """DuckDB's message in one line, without its reader's options, passwords of addresses, or values of the source.

    A message quotes the value that it is about, which may be personal; so whatever is quoted, long numbers and
    words in other letters are blotted out. Errors about names of tables and columns keep them.
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kept = " ".join([*lines[:1], *(line for line in lines[1:3] if line.startswith(_EXPLAINING))])
    kept = re.sub(r"//[^/@\s]*:[^/@\s]*@", "//***@", kept)
    if kept.startswith(_ABOUT_NAMES):
        return kept
    kept = re.sub(r'".*"', '"…"', kept)
    kept = re.sub(r"(?<!\w)'.*'(?!\w)", "'…'", kept)
    kept = re.sub(r"(?<=\bvalue )\S+", "…", kept)
    return re.sub(r"[^\x00-\x7f…]+|(?<!line )(?<!byte )\b\d{4,}\b", "…", kept)


class UnreadableDelivery(Exception):
    """At least one delivery of a batch cannot be read; `problem` says why and what to do."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def not_read(error: duckdb.Error, said: str) -> UnreadableDelivery:
    """What a delivery that could not be read is refused with: `said`, unless the machine is at fault, not the file."""
    trouble = explained(error) if isinstance(error, duckdb.OutOfMemoryException) else None
    return UnreadableDelivery(f"{trouble.problem}. Fix: {trouble.fix}" if trouble else said)


class UnusableHeader(UnreadableDelivery):
    """The header that all deliveries of a batch share lacks a required column, so all are refused."""


def json_of(columns: Sequence[Column]) -> str:
    """A JSON object of the given columns as text."""
    pairs = ", ".join(f"{literal(c.name)}, {c.expression}" for c in columns)
    return f"CAST(json_object({pairs}) AS VARCHAR)"


def numbered(names: Sequence[str], *, text: Sequence[bool] | None = None) -> tuple[Column, ...]:
    """Source columns that the relation holds as `_c0`, `_c1` …, in the same order.

    Columns of one name are told apart by their number: `note #1`, `note #2`.
    """
    flags = text or [True] * len(names)
    repeated = {name for name, count in Counter(names).items() if count > 1}
    seen: Counter[str] = Counter()
    columns = []
    for n, (name, flag) in enumerate(zip(names, flags, strict=True)):
        seen[name] += 1
        own = f"{name} #{seen[name]}".strip() if name in repeated else name
        columns.append(Column(own, f"_c{n}", flag, name))
    return tuple(columns)


def rest_of(columns: Sequence[Column]) -> Callable[[frozenset[str]], str | None]:
    """The `rest` of a batch whose source columns are columns of the relation."""

    def rest(used: frozenset[str]) -> str | None:
        unused = [c for c in columns if c.name not in used]
        return json_of(unused) if unused else None

    return rest
