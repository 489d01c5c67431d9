"""Conditions that a row may break, and what a statement asks of several of them: any, their names, a mask of bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from warehouse.identifiers import literal

# Bit masks are BIGINT.
MAX_COUNTED = 62


@dataclass(frozen=True)
class Condition:
    """A SQL boolean that is true for a row which breaks the rule."""

    rule: str
    broken: str


def any_of(conditions: Sequence[Condition]) -> str:
    """A boolean: at least one condition holds (an unknown one does not hold)."""
    if not conditions:
        return "false"
    # What a CASE asks is asked only of the rows for which it is still open; elsewhere DuckDB computes every part.
    return f"CASE WHEN {' OR '.join(f'({c.broken})' for c in conditions)} THEN true ELSE false END"


def names_of(conditions: Sequence[Condition]) -> str:
    """A list of the names of the conditions that hold."""
    if not conditions:
        return "CAST([] AS VARCHAR[])"
    cases = ", ".join(f"CASE WHEN {c.broken} THEN {literal(c.rule)} END" for c in conditions)
    return f"list_filter([{cases}], lambda rule: rule IS NOT NULL)"


def mask_of(conditions: Sequence[Condition]) -> str:
    """A bit mask with bit n set where condition n holds, as narrow as it can be; the caller keeps the order."""
    bits = len(conditions)
    kind = next(kind for kind, width in (("UTINYINT", 8), ("UINTEGER", 32), ("BIGINT", MAX_COUNTED)) if bits <= width)
    if not conditions:
        return f"CAST(0 AS {kind})"
    total = " + ".join(f"CASE WHEN {c.broken} THEN {1 << n} ELSE 0 END" for n, c in enumerate(conditions))
    return f"CAST({total} AS {kind})"
