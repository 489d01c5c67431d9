"""What a connector hands to landing: source rows with one header, and the deliveries they came in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from warehouse.identifiers import literal


@dataclass(frozen=True)
class Delivery:
    """One delivery: a file with its content, or one pull from a service or a database.

    `uri` is what a person would recognise: the path below the source's folder, or the address without
    secrets. `captures` are values taken from the path.
    """

    uri: str
    content_hash: str
    size_bytes: int = 0
    modified_ns: int = 0
    captures: tuple[tuple[str, str], ...] = ()

    def delivery_id(self, dataset: str) -> str:
        """Identity of the delivery: the same file with the same content is the same delivery."""
        text = "\0".join((dataset, self.uri, self.content_hash))
        return f"{dataset}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


@dataclass(frozen=True)
class Refusal:
    """A delivery that was not landed at all; none of its rows is in the lake. Only a file has a `content_hash`."""

    dataset: str
    uri: str
    problem: str
    content_hash: str = ""


@dataclass(frozen=True)
class Column:
    """One source column: its name and the SQL expression that reads it from the batch's relation."""

    name: str
    expression: str
    is_text: bool = True


@dataclass(frozen=True)
class Batch:
    """Source rows that share one header.

    Args:
        deliveries: the deliveries of the batch; the relation's column `_file` is an index into them.
        relation: a FROM item; its rows are in delivery order, then in source order. Its column names start
            with `_`, so that they never meet a contract's field: `_file`, `_c0`, `_c1` … or `_doc`.
        columns: the source columns, in source order; of a repeated name the first that is filled counts.
        original: expression of the source row as JSON text, for quarantine.
        rest: expression of the columns no field uses as JSON text, given the names of those that are used.
        unreadable: once the relation has been read: SQL giving `(_file, record, text, problem)` of the rows
            that the reader could not split into columns, or None; `record` counts from 1.
        unread: condition of the relation's rows that are no rows (a JSON line that is not JSON).
        names: for each delivery the names its rows carry, or None where it has no rows; None for all where
            `columns` is a header that every delivery has.
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
    verify: Callable[[], None] = lambda: None
    explain: Callable[[str], str] = lambda message: readable(message)
    mode: Literal["append", "changes", "whole_table"] = "append"
    cursor_from: str | None = None
    position: int = 0
    is_one_answer: bool = True
    again: Callable[[], Batch] | None = None
    release: Callable[[], None] = lambda: None
    halves: Callable[[], Iterator[Batch | Refusal]] | None = None


def readable(message: str) -> str:
    """DuckDB's message without the lines that list its reader's options, and without passwords of addresses."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return re.sub(r"//[^/@\s]*:[^/@\s]*@", "//***@", " ".join(lines[:3]))


class UnreadableDelivery(Exception):
    """At least one delivery of a batch cannot be read; `problem` says why and what to do."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class UnusableHeader(UnreadableDelivery):
    """The header that all deliveries of a batch share lacks a required column, so all are refused."""


def json_of(columns: Sequence[Column]) -> str:
    """A JSON object of the given columns as text; a repeated name is told apart by its number."""
    names: list[str] = []
    for column in columns:
        count = sum(name == column.name or name.startswith(f"{column.name} #") for name in names)
        names.append(f"{column.name} #{count + 1}" if count else column.name)
    pairs = ", ".join(f"{literal(name)}, {c.expression}" for name, c in zip(names, columns, strict=True))
    return f"CAST(json_object({pairs}) AS VARCHAR)"


def numbered(names: Sequence[str], *, text: Sequence[bool] | None = None) -> tuple[Column, ...]:
    """Source columns that the relation holds as `_c0`, `_c1` …, in the same order."""
    flags = text or [True] * len(names)
    return tuple(Column(name, f"_c{n}", flag) for n, (name, flag) in enumerate(zip(names, flags, strict=True)))


def rest_of(columns: Sequence[Column]) -> Callable[[frozenset[str]], str | None]:
    """The `rest` of a batch whose source columns are columns of the relation."""

    def rest(used: frozenset[str]) -> str | None:
        unused = [c for c in columns if c.name not in used]
        return json_of(unused) if unused else None

    return rest
