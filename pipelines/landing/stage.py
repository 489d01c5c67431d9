"""One pass over a batch: cast every field, judge every row, keep the result in a temporary table.

The temporary table may be larger than memory: DuckDB spills it into the lake's home. Its row ids are the
order of the source, which gives each row its place in the delivery without a window over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from catalog.contract import Contract
from pipelines.landing.batch import Batch, Column, UnreadableDelivery, UnusableHeader
from pipelines.source import DatasetSource
from quality.rules import CompiledContract, Condition, any_of, compile_contract, mask_of, names_of
from warehouse.identifiers import literal, quoted

STAGED = "staged_rows"
REPEATED = "staged_repeated"
UNREADABLE = "staged_unreadable"
DELIVERIES = "staged_deliveries"
# What `_refused` holds: the names of the broken rules, and the row as the source wrote it.
RULES = "CAST(json_extract(_refused, '$.rules') AS VARCHAR[])"
ORIGINAL = "json_extract_string(_refused, '$.original')"


@dataclass(frozen=True)
class Staged:
    """What is known of a staged batch besides its rows.

    `unknown_columns` are those of a header that all deliveries share; None where each row may have its own.
    """

    contract: Contract
    batch: Batch
    compiled: CompiledContract
    fix_labels: tuple[str, ...]
    missing_columns: tuple[str, ...]
    unknown_columns: tuple[str, ...] | None
    has_extra: bool

    @property
    def extra(self) -> str:
        """Expression of `_extra` over the staged rows."""
        return "_extra" if self.has_extra else "CAST(NULL AS VARCHAR)"


def stage(connection: duckdb.DuckDBPyConnection, contract: Contract, entry: DatasetSource, batch: Batch) -> Staged:
    """Cast and check all rows of a batch into the temporary table `staged_rows`.

    Its columns: the contract's fields, `_file`, `_refused` (see `RULES` and `ORIGINAL`; NULL where no rule is
    broken) and, where there may be any, `_extra`, `_fixed` and `_warned` (bit masks). A column that is mostly
    NULL costs as much memory and time as a full one, hence so few of them.

    Raises:
        UnreadableDelivery: a required column is missing, the reader failed, or a file changed meanwhile.
    """
    captures = list(dict.fromkeys(name for d in batch.deliveries for name, _ in d.captures))
    chosen = {f.name: _choose(batch, entry.source_names(f.name), captures) for f in contract.fields}
    _refuse_missing_required(contract, entry, batch, chosen)
    replaced = {fix.field for fix in entry.fixes if fix.replacement is not None}
    present = {n: column.as_text() if n in replaced else column for n, column in chosen.items() if column is not None}
    compiled = compile_contract(contract, {name: column.is_text for name, column in present.items()})
    used = frozenset(name for column in present.values() for name in column.names)
    try:
        connection.execute(_select(contract, entry, batch, present, compiled, used))
    except duckdb.Error as error:
        raise UnreadableDelivery(batch.explain(str(error))) from None
    batch.verify()
    unknown = None if batch.names is not None else tuple(dict.fromkeys(c.name for c in batch.columns))
    return Staged(
        contract=contract,
        batch=batch,
        compiled=compiled,
        fix_labels=tuple(fix.label for fix in entry.fixes),
        missing_columns=tuple(name for name, column in chosen.items() if column is None),
        has_extra=batch.rest(used) is not None,
        unknown_columns=None if unknown is None else tuple(name for name in unknown if name not in used),
    )


def _select(
    contract: Contract,
    entry: DatasetSource,
    batch: Batch,
    present: dict[str, _Choice],
    compiled: CompiledContract,
    used: frozenset[str],
) -> str:
    """The statement that fills `staged_rows`: source values, plain casts, typed values, then the rules over them."""
    sources = [
        f"{_source_value(present[f.name], f.name, entry)} AS _s{number}"
        for number, f in enumerate(contract.fields)
        if f.name in present
    ]
    plain = [f"{expression} AS {column}" for column, expression in compiled.plain]
    typed = [f"{expression} AS {quoted(name)}" for name, expression in compiled.typed]
    broken, names = any_of(compiled.errors), names_of(compiled.errors)
    if batch.unread:
        broken = f"(({batch.unread}) OR {broken})"
        names = f"CASE WHEN {batch.unread} THEN ['unreadable'] ELSE {names} END"
    fixed = f", {mask_of(_fix_conditions(entry, present))} AS _fixed" if entry.fixes else ""
    warned = f", {mask_of(compiled.warnings)} AS _warned" if compiled.warnings else ""
    rest = batch.rest(used)
    fields = ", ".join(quoted(f.name) for f in contract.fields)
    values = f"SELECT *, {', '.join(sources)}{fixed} FROM {batch.relation}"
    if plain:
        values = f"SELECT *, {', '.join(plain)} FROM ({values})"
    cast_values = f"SELECT *, {', '.join(typed)} FROM ({values})"
    # The source row's JSON is built only for broken rows.
    return f"""
        CREATE OR REPLACE TEMP TABLE {STAGED} AS
        SELECT {fields}, CAST(_file AS INTEGER) AS _file,
               CASE WHEN _is_broken THEN
                   CAST(json_object('rules', {names}, 'original', {batch.original}) AS VARCHAR)
               END AS _refused{f", {rest} AS _extra" if rest else ""}{", _fixed" if fixed else ""}{warned}
        FROM (SELECT *, {broken} AS _is_broken FROM ({cast_values}))"""


@dataclass(frozen=True)
class _Choice:
    """Where a field's value comes from: an expression, and the source columns that it uses."""

    expression: str
    is_text: bool
    names: tuple[str, ...]

    def as_text(self) -> _Choice:
        """The same value as text."""
        return self if self.is_text else _Choice(f"CAST({self.expression} AS VARCHAR)", True, self.names)


def _choose(batch: Batch, names: list[str], captures: list[str]) -> _Choice | None:
    """The value of a field: the first filled one of all source columns it may come from.

    A column is found by its exact name, else regardless of case and surrounding blanks. A batch may mix
    layers in which the same field has different names, hence one value out of several columns.
    """
    found: list[Column] = []
    for name in names:
        if name.startswith("{") and name.strip("{}") in captures:
            found.append(_capture(batch, name.strip("{}")))
            continue
        exact = [c for c in batch.columns if c.name == name]
        found += exact or [c for c in batch.columns if c.name.strip().lower() == name.strip().lower()]
    if not found:
        return None
    is_text = all(c.is_text for c in found)
    values = [c.expression if is_text or not c.is_text else f"CAST({c.expression} AS VARCHAR)" for c in found]
    expression = f"coalesce({', '.join(values)})" if len(values) > 1 else values[0]
    return _Choice(expression, is_text, tuple(c.name for c in found))


def _capture(batch: Batch, name: str) -> Column:
    """A path capture by the number of its file. A list and not a join, which might change the order of rows."""
    values = [dict(d.captures).get(name) for d in batch.deliveries]
    if len(set(values)) == 1:
        (value,) = set(values)
        return Column(f"{{{name}}}", "CAST(NULL AS VARCHAR)" if value is None else literal(value))
    listing = ", ".join("NULL" if value is None else literal(value) for value in values)
    return Column(f"{{{name}}}", f"(CAST([{listing}] AS VARCHAR[]))[CAST(_file AS BIGINT) + 1]")


def _refuse_missing_required(
    contract: Contract, entry: DatasetSource, batch: Batch, chosen: dict[str, _Choice | None]
) -> None:
    """Refuse what lacks a required column: all deliveries of a shared header, else the ones that lack it.

    Raises:
        UnusableHeader: every delivery with rows lacks it.
        UnreadableDelivery: some do; the batch has to be taken apart.
    """
    required = [f.name for f in contract.fields if f.is_required]
    headers = batch.names or (frozenset(c.name for c in batch.columns),)
    missing = [[name for name in required if not _has(names, chosen[name])] for names in headers if names is not None]
    if not any(missing):
        return
    first = next(names for names in missing if names)
    wanted = "; ".join(f"{name} (column {' or '.join(entry.source_names(name))})" for name in first)
    have = [c.name for c in batch.columns][:60]
    problem = (
        f"required column is missing: {wanted}. Fix: ask the provider for it, or name its new name under"
        f" `fields` of the source file. The delivery has: {', '.join(have) or 'no columns'}"
    )
    raise UnusableHeader(problem) if all(missing) and len(missing) == len(headers) else UnreadableDelivery(problem)


def _has(names: frozenset[str], choice: _Choice | None) -> bool:
    if choice is None:
        return False
    # What is no plain name (a path capture, a nested value, the geometry) is judged row by row.
    return any(name in names or name.startswith(("{", "$")) for name in choice.names)


def _source_value(column: _Choice, field: str, entry: DatasetSource) -> str:
    value = column.expression
    fixes = [fix for fix in entry.fixes if fix.field == field]
    if fixes:
        text = value if column.is_text else f"CAST({value} AS VARCHAR)"
        cases = " ".join(
            f"WHEN {text} = {literal(fix.value)} THEN {'NULL' if fix.replacement is None else literal(fix.replacement)}"
            for fix in fixes
        )
        value = f"CASE {cases} ELSE {value} END"
    if not column.is_text:
        return value
    nulls = list(dict.fromkeys(["", *entry.null_values]))
    listing = "[" + ", ".join(literal(null) for null in nulls) + "]"
    # Trimming every value costs more than a look at its ends, and only blank ends can make it a null value.
    has_no_blank_ends = f"{value} BETWEEN '!' AND '~'"
    if len(nulls) > 1:
        has_no_blank_ends += f" AND NOT ends_with({value}, ' ') AND NOT list_contains({listing}, {value})"
    is_filled = f"NOT list_contains({listing}, trim({value}))"
    return f"CASE WHEN {has_no_blank_ends} THEN {value} WHEN {is_filled} THEN {value} END"


def _fix_conditions(entry: DatasetSource, present: dict[str, _Choice]) -> list[Condition]:
    return [
        Condition(
            fix.label,
            f"CAST({present[fix.field].expression} AS VARCHAR) = {literal(fix.value)}"
            if fix.field in present
            else "false",
        )
        for fix in entry.fixes
    ]
