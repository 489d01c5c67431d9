"""How rows of a question are written: as a table for people, as CSV, as JSON that every reader takes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.csv
from rich.table import Table


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def named_apart(names: Sequence[str]) -> list[str]:
    """The names, of which a repeated one gets its number: `n`, `n_2`, `n_3`."""
    taken: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken or (number > 1 and candidate in names):
            number += 1
            candidate = f"{name}_{number}"
        taken.append(candidate)
    return taken


def as_csv(rows: pa.Table) -> bytes:
    """CSV in UTF-8 with a header; lists and structures as JSON, what is no number (NaN) as nothing."""
    columns = [_flat(column) for column in rows.columns]
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(pa.Table.from_arrays(columns, named_apart(rows.column_names)), buffer)
    return buffer.getvalue()


def as_json(rows: pa.Table) -> str:
    """A JSON array of objects; times in ISO form, what is no number (NaN, infinity) as null."""
    names = named_apart(rows.column_names)
    found = rows.rename_columns(names).to_pylist()
    return json.dumps([_plain(row) for row in found], ensure_ascii=False, allow_nan=False, indent=1)


def as_table(rows: pa.Table) -> Table:
    """A table for people."""
    names = named_apart(rows.column_names)
    table = Table(*names)
    for row in rows.rename_columns(names).to_pylist():
        table.add_row(*(_shown(value) for value in row.values()))
    return table


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if value is None else _json(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_floating(kind):
        values = column.to_pylist()
        return pa.array([value if value is not None and math.isfinite(value) else None for value in values], kind)
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    return column


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return _json(value) if isinstance(value, list | dict) else str(value)


def _json(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """The value in JSON's own kinds."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | str) else str(value)
