"""Names and texts put into SQL: identifiers are checked, literals are quoted, values are bound."""

from __future__ import annotations

import re

from warehouse.errors import LakeError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def checked(name: str, *, where: str = "identifier") -> str:
    """Return `name` if it is a plain lower-case SQL name, else raise `LakeError`."""
    if not _NAME.fullmatch(name):
        raise LakeError(
            "is not a valid name",
            where=where,
            value=name,
            fix="use lower-case letters, digits and _, starting with a letter, at most 63 characters",
        )
    return name


def quoted(name: str) -> str:
    """Quote any text as an identifier (for column names that a source system chose)."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote any text as a SQL string literal.

    Used where a value would be bound: the first bound value of a process makes DuckDB import pandas, which
    costs 1.1 s of CPU.
    """
    return "'" + text.replace("'", "''") + "'"


def optional_literal(text: str | None) -> str:
    """A SQL string literal, or NULL."""
    return "NULL" if text is None else literal(text)
