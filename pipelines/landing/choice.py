"""Where a field's value comes from in a batch: which of the source's columns, and how they are read.

Does not belong here: what the value means (`stage`), and whether it is right (`quality.rules`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.connectors.batch import Batch, Column, UnusableHeader, plain_name
from warehouse.identifiers import literal


@dataclass(frozen=True)
class Choice:
    """Where a field's value comes from: an expression, and the source columns that it uses."""

    expression: str
    is_text: bool
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the source columns."""
        return tuple(column.name for column in self.columns)

    def as_text(self) -> Choice:
        """The same value as the text of a text field."""
        if self.is_text or not any(column.as_text for column in self.columns):
            return self
        values = ", ".join(c.as_text or f"CAST({c.expression} AS VARCHAR)" for c in self.columns)
        return Choice(f"coalesce({values})", True, self.columns)

    def as_shape(self) -> Choice:
        """The same value as shapes are read from: bytes come as digits."""
        if self.is_text or not any(column.as_shape for column in self.columns):
            return self
        values = ", ".join(c.as_shape or f"CAST({c.expression} AS VARCHAR)" for c in self.columns)
        return Choice(f"coalesce({values})", True, self.columns)

    def cast_to_text(self) -> Choice:
        """The same value as DuckDB writes it."""
        return self if self.is_text else Choice(f"CAST({self.expression} AS VARCHAR)", True, self.columns)


def choose(batch: Batch, names: list[str], captures: list[str]) -> Choice | None:
    """The value of a field: the first filled one of all source columns it may come from.

    A column is found by its exact name, else regardless of case, width, blanks and line breaks. A batch may mix
    layers in which the same field has different names, hence one value out of several columns.

    Raises:
        UnusableHeader: several columns have the name.
    """
    found: list[Column] = []
    for name in names:
        if name.startswith("{") and name.strip("{}") in captures:
            found.append(_capture(batch, name.strip("{}")))
            continue
        exact = [c for c in batch.columns if c.name == name]
        fitting = exact or [c for c in batch.columns if plain_name(c.name) == plain_name(name)]
        if len(fitting) > 1 and batch.names is None:
            raise UnusableHeader(_which_of(name, fitting))
        found += fitting
    if not found:
        for name in names:
            _refuse_repeated(batch, name)
        return None
    is_text = all(c.is_text for c in found)
    values = [c.expression if is_text or not c.is_text else f"CAST({c.expression} AS VARCHAR)" for c in found]
    expression = f"coalesce({', '.join(values)})" if len(values) > 1 else values[0]
    return Choice(expression, is_text, tuple(found))


def _refuse_repeated(batch: Batch, name: str) -> None:
    """A name that stands more than once in the header tells no column.

    Raises:
        UnusableHeader: it does.
    """
    repeated = [c for c in batch.columns if c.header and plain_name(c.header) == plain_name(name)]
    if repeated:
        raise UnusableHeader(_which_of(name, repeated))


def _which_of(name: str, columns: list[Column]) -> str:
    return (
        f"{len(columns)} columns are called {name}. Fix: say under `fields` of the source file which of them is meant:"
        f" {' or '.join(repr(c.name) for c in columns)}"
    )


def _capture(batch: Batch, name: str) -> Column:
    """A path capture by the number of its file. A list and not a join, which might change the order of rows."""
    values = [dict(d.captures).get(name) for d in batch.deliveries]
    if len(set(values)) == 1:
        (value,) = set(values)
        return Column(f"{{{name}}}", "CAST(NULL AS VARCHAR)" if value is None else literal(value))
    listing = ", ".join("NULL" if value is None else literal(value) for value in values)
    return Column(f"{{{name}}}", f"(CAST([{listing}] AS VARCHAR[]))[CAST(_file AS BIGINT) + 1]")
